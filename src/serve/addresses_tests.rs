//! Tests of what is served right after a change was answered, with no rotation on its way.

use super::*;
use crate::clock::Clock;
use crate::domain::command::{Action, ProfileAction, RevocationTarget, RoleAction, SessionAction};
use crate::domain::tags::Tags;
use crate::domain::testing::{TRUST_EC2, World};
use crate::identity::{Path, ProfileName, RoleName};
use crate::ledger::WriterHandle;
use crate::policy::{Policy, PolicyKind};
use crate::service::testing;

struct Desk {
    service: Arc<Service>,
    source: Arc<ByAddress>,
    account: AccountId,
    world: World,
    _writer: WriterHandle,
    _folder: tempfile::TempDir,
}

async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let (service, writer) = testing::service(folder.path(), Clock::System);
    service.ensure_operator().await.unwrap();
    service.ensure_document_key().await.unwrap();
    let source = ByAddress::new(service.clone(), Arc::default());
    let account = "111111111111".parse().unwrap();
    let world = World::default();
    let desk = Desk { service, source, account, world, _writer: writer, _folder: folder };
    desk.own(desk.service.draw_account(account, "test").unwrap()).await;
    desk
}

impl Desk {
    async fn own(&self, action: Action) {
        let info = self.service.own_request("test");
        self.service.perform(&info, "", self.account, action).await.unwrap();
    }

    /// An instance with a profile and a role of its own, of one name.
    async fn launch(&mut self, name: &str) -> InstanceId {
        let role: RoleName = name.parse().unwrap();
        let profile: ProfileName = name.parse().unwrap();
        self.own(Action::Role(RoleAction::Create {
            name: role.clone(),
            path: Path::default(),
            id: self.service.draw_id("AROA").unwrap(),
            description: Arc::from(""),
            max_session: Duration::from_secs(3600),
            trust: Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap(),
            tags: Tags::default(),
            boundary: None,
        }))
        .await;
        let (id, tags) = (self.service.draw_id("AIPA").unwrap(), Tags::default());
        let path = Path::default();
        self.own(Action::Profile(ProfileAction::Create { name: profile.clone(), path, id, tags }))
            .await;
        self.own(Action::Profile(ProfileAction::AddRole { profile, role })).await;
        let (id, launch) = self.world.launch(Some(name));
        self.own(launch).await;
        id
    }

    async fn revoke(&self, target: RevocationTarget) {
        let minting = self.service.draw_minting().unwrap();
        self.own(Action::Session(SessionAction::Revoke {
            target,
            before: None,
            chained: false,
            minting,
        }))
        .await;
    }

    /// The key of the newest set that an instance has.
    fn key(&self, id: &InstanceId) -> AccessKeyId {
        let view = self.service.view();
        let instance = view.state.account(self.account).unwrap().instances.get(id).unwrap();
        instance.association.unwrap().credentials.unwrap().key
    }

    fn prepared(&self, id: &InstanceId) -> Arc<Prepared> {
        let Found::Instance(prepared) = self.source.by_id(id.as_str()) else {
            panic!("{id} is not served")
        };
        prepared
    }

    /// What is answered where the credentials of an instance's role are.
    fn served(&self, id: &InstanceId, role: &str) -> String {
        let path = format!("/latest/meta-data/iam/security-credentials/{role}");
        format!("{:?}", self.prepared(id).at(&path, true, self.service.now()))
    }
}

/// Protects accounts from credentials that were revoked, of a role, an instance or a session: once the revocation is
/// answered they are served no more, though no new set has come yet. What it is not about stays prepared.
#[tokio::test]
async fn a_revoked_set_is_served_no_more_once_that_is_answered() {
    let mut desk = desk().await;
    let (app, other) = (desk.launch("app").await, desk.launch("other").await);
    let (first, second) = (desk.key(&app), desk.key(&other));
    assert!(desk.served(&app, "app").contains(first.as_str()));
    assert!(desk.served(&other, "other").contains(second.as_str()));
    let kept = desk.prepared(&other);

    desk.revoke(RevocationTarget::Role("app".parse().unwrap())).await;
    assert_eq!(desk.served(&app, "app"), "Unavailable");
    assert!(Arc::ptr_eq(&kept, &desk.prepared(&other)), "another role");

    desk.revoke(RevocationTarget::Session(desk.key(&other))).await;
    assert_eq!(desk.served(&other, "other"), "Unavailable");

    desk.revoke(RevocationTarget::Instance(app.clone())).await;
    let renewed = desk.key(&app);
    assert_ne!(renewed, first);
    assert!(desk.served(&app, "app").contains(renewed.as_str()), "it goes on at once");
}
