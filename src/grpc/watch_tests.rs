//! What a stream of WatchInstances promises: however slow its reader is and however often it is cut off, the newest
//! state of each instance arrives, and nothing of others'.

use std::collections::BTreeMap;

use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::super::watchers::{STREAMS_MAX, SYNCS_MAX, Watchers};
use super::*;
use crate::clock::Clock;
use crate::domain::command::{
    AccessKeyAction, Action, AgentAction, InstanceAction, ProfileAction, RoleAction,
};
use crate::domain::event::KeyOwner;
use crate::domain::rotation::RotationAction;
use crate::domain::tags::Tags;
use crate::domain::testing::{TRUST_EC2, World};
use crate::identity::{AgentName, Path, ProfileName};
use crate::ledger::WriterHandle;
use crate::policy::{Policy, PolicyKind};
use crate::proto::v1::instance_metadata::RoleCredentials;
use crate::service::testing;

/// Long enough for a reader who reads, in a process that does nothing else.
const PATIENT: Duration = Duration::from_secs(20);
/// For one who does not.
const HASTY: Duration = Duration::from_millis(50);

struct Desk {
    service: Arc<Service>,
    watchers: Arc<Watchers>,
    account: AccountId,
    world: World,
    _writer: WriterHandle,
    _folder: tempfile::TempDir,
}

/// An account with a role in a profile.
async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let (service, writer) = testing::service(folder.path(), Clock::System);
    service.ensure_operator().await.unwrap();
    service.ensure_document_key().await.unwrap();
    let (watchers, _) = Watchers::start(service.ledger());
    let account = "111111111111".parse().unwrap();
    let world = World::default();
    let desk = Desk { service, watchers, account, world, _writer: writer, _folder: folder };
    let create = desk.service.draw_account(account, "test").unwrap();
    desk.own(create).await;
    desk.own(Action::Role(RoleAction::Create {
        name: "app".parse().unwrap(),
        path: Path::default(),
        id: desk.service.draw_id("AROA").unwrap(),
        description: Arc::from(""),
        max_session: Duration::from_secs(3600),
        trust: Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap(),
        tags: Tags::default(),
        boundary: None,
    }))
    .await;
    desk.create_profile("app").await;
    for name in ["host-1", "host-2"] {
        let id = desk.service.draw_id("AGNT").unwrap();
        let key = desk.service.draw_id("AKIA").unwrap();
        desk.own(Action::Agent(AgentAction::Create { name: name.parse().unwrap(), id, key })).await;
    }
    desk
}

impl Desk {
    async fn own(&self, action: Action) -> u64 {
        let info = self.service.own_request("test");
        self.service.perform(&info, "", self.account, action).await.unwrap().sequence
    }

    /// A profile with the account's role.
    async fn create_profile(&self, name: &str) {
        let (id, tags) = (self.service.draw_id("AIPA").unwrap(), Tags::default());
        let profile: ProfileName = name.parse().unwrap();
        self.own(Action::Profile(ProfileAction::Create {
            name: profile.clone(),
            path: Path::default(),
            id,
            tags,
        }))
        .await;
        self.own(Action::Profile(ProfileAction::AddRole { profile, role: "app".parse().unwrap() }))
            .await;
    }

    /// An instance with tags, enough of them never to be in order by chance.
    async fn launch(&mut self, agent: &str) -> InstanceId {
        let (id, mut launch) = self.world.launch(Some("app"));
        if let Action::Instance(InstanceAction::Launch { facts, .. }) = &mut launch {
            facts.agent = Some(agent.parse().unwrap());
            let keys = 'a'..='p';
            facts.tags = keys.map(|key| (key.to_string().into(), Arc::from("value"))).collect();
        }
        self.own(launch).await;
        id
    }

    /// Gives an instance new credentials; their key.
    async fn rotate(&self, instance: &InstanceId) -> String {
        let minting = self.service.draw_minting().unwrap();
        let key = minting.key.to_string();
        let view = self.service.view();
        let carried = view.state.account(self.account).unwrap().instances.get(instance).unwrap();
        let association = carried.association.unwrap().id;
        let action = RotationAction::RenewOne { association, minting };
        self.own(Action::Rotation(action)).await;
        key
    }

    /// Ends an agent's only key.
    async fn revoke(&self, agent: &str) {
        let owner = KeyOwner::Agent(agent.parse().unwrap());
        let key = self.key_of(&owner).unwrap();
        self.own(Action::AccessKey(AccessKeyAction::Delete { owner, key })).await;
    }

    fn key_of(&self, owner: &KeyOwner) -> Option<AccessKeyId> {
        let view = self.service.view();
        let account = view.state.account(self.account).unwrap();
        account.keys_of(owner).next().map(|(key, _)| key.clone())
    }

    /// Waits until the node has marked everything up to a record.
    async fn marked(&self, sequence: u64) {
        while self.watchers.position() < sequence {
            tokio::task::yield_now().await;
        }
    }

    async fn watch(&self, agent: &str, after_sequence: u64, stall: Duration) -> Reader {
        let agent: AgentName = agent.parse().unwrap();
        let key = self.key_of(&KeyOwner::Agent(agent.clone()));
        let view = self.service.view();
        let agents = &view.state.account(self.account).unwrap().agents;
        let scope = Scope::Agent(agents[agent.as_str()].id.clone());
        let watcher = self.watchers.watch(self.account, scope.clone(), after_sequence);
        let stream = place(&self.watchers.streams, None).await.unwrap();
        let request_id = Arc::from("test");
        let asked = Asked { account: self.account, scope, key, batched: true, stall, request_id };
        let watching = start(self.service.clone(), watcher, asked, stream, None);
        Reader { watching, known: BTreeMap::new(), sequence: 0 }
    }
}

/// What an agent makes of a stream.
struct Reader {
    watching: Watching,
    /// The key that each instance has.
    known: BTreeMap<String, String>,
    sequence: u64,
}

impl Reader {
    /// Reads one message; whether that ends the beginning, and how.
    async fn read(&mut self) -> Result<Option<bool>, Status> {
        let message = self.watching.next().await.expect("no end without a status")?;
        self.sequence = self.sequence.max(message.sequence);
        for change in message.changes {
            match change.change.unwrap() {
                Batched::Metadata(metadata) => {
                    let Some(RoleCredentials::Credentials(set)) = metadata.role_credentials else {
                        panic!("no credentials")
                    };
                    let id = metadata.instance.unwrap().instance_id;
                    self.known.insert(id, set.access_key_id);
                }
                Batched::TerminatedInstanceId(id) => {
                    self.known.remove(&id);
                }
            }
        }
        Ok(match message.change {
            Some(Change::Synced(WatchSynced { resumed })) => Some(resumed),
            _ => None,
        })
    }

    /// Reads until the beginning ends; whether it was what was missed only.
    async fn begin(&mut self) -> bool {
        loop {
            if let Some(resumed) = self.read().await.unwrap() {
                return resumed;
            }
        }
    }
}

/// Protects instances of a host that is slow: cut off with a status that says so, it comes back with the record it
/// had and gets every change it missed, a rotation while it was cut off, one while it was away, and an end.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_cut_off_and_misses_nothing() {
    let mut desk = desk().await;
    let ids =
        [desk.launch("host-1").await, desk.launch("host-1").await, desk.launch("host-1").await];
    desk.launch("host-2").await;
    // Soon, but not before it has begun to read on a machine that is busy.
    let mut reader = desk.watch("host-1", 0, HASTY * 20).await;
    assert!(!reader.begin().await, "the first time it is everything");
    assert_eq!(reader.known.len(), 3, "its own instances and no others");
    // One message waits for the reader, the next finds no place.
    let mut keys = BTreeMap::new();
    for waits in [true, false] {
        for id in &ids {
            keys.insert(id.to_string(), desk.rotate(id).await);
        }
        let watching = &reader.watching;
        let told = async {
            while if waits { watching.messages.is_empty() } else { watching.end.get().is_none() } {
                tokio::time::sleep(HASTY / 10).await;
            }
        };
        tokio::time::timeout(PATIENT, told).await.expect("the reader is not cut off");
    }
    let status = loop {
        if let Err(status) = reader.read().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "SlowReader");
    assert!(details.retry_info().is_some());
    keys.insert(ids[0].to_string(), desk.rotate(&ids[0]).await);
    let last =
        desk.own(Action::Instance(InstanceAction::Terminate { ids: vec![ids[2].clone()] })).await;
    keys.remove(ids[2].as_str());
    desk.marked(last).await;
    let (known, sequence) = (reader.known, reader.sequence);
    let mut again = desk.watch("host-1", sequence, PATIENT).await;
    again.known = known;
    assert!(again.begin().await, "only what was missed");
    assert_eq!(again.known, keys);
    assert_eq!(again.sequence, last);
}

/// Protects agents of a node that has not seen what they have seen, or no longer knows what they missed: they are told
/// everything, and that it is everything.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_resume_is_told_everything() {
    let mut desk = desk().await;
    let id = desk.launch("host-1").await;
    for after in [0, 1, 1_000_000] {
        let mut reader = desk.watch("host-1", after, PATIENT).await;
        if !reader.begin().await {
            assert_eq!(reader.known.len(), 1, "after {after}");
        }
        let key = desk.rotate(&id).await;
        while reader.known.get(id.as_str()) != Some(&key) {
            reader.read().await.unwrap();
        }
    }
    let mut beyond = desk.watch("host-1", 1_000_000, PATIENT).await;
    assert!(!beyond.begin().await);
}

/// Protects agents from what is no news: who is told everything again hears of what changed only, also if it has tags.
#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_told_again() {
    let mut desk = desk().await;
    let [still, changing] = [desk.launch("host-1").await, desk.launch("host-1").await];
    let mut reader = desk.watch("host-1", 0, PATIENT).await;
    reader.begin().await;
    assert!(reader.known.remove(still.as_str()).is_some());
    // It touches every instance of the account and changes none.
    desk.create_profile("spare").await;
    let key = desk.rotate(&changing).await;
    while reader.known.get(changing.as_str()) != Some(&key) {
        reader.read().await.unwrap();
    }
    assert_eq!(reader.known.get(still.as_str()), None);
}

/// Protects the node from a change that concerns all agents of an account: no more than agreed are told everything at
/// once, and who waits for that ends with its reader and with its key.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_everything_again_waits_for_a_place() {
    let mut desk = desk().await;
    desk.launch("host-1").await;
    let mut waiting = desk.watch("host-1", 0, PATIENT).await;
    let mut left = desk.watch("host-1", 0, PATIENT).await;
    let mut revoked = desk.watch("host-2", 0, PATIENT).await;
    for reader in [&mut waiting, &mut left, &mut revoked] {
        reader.begin().await;
    }
    let places = u32::try_from(SYNCS_MAX).unwrap();
    let taken = desk.watchers.syncs.acquire_many(places).await.unwrap();
    let (profile, role) = ("app".parse().unwrap(), "app".parse().unwrap());
    let removed = desk.own(Action::Profile(ProfileAction::RemoveRole { profile, role })).await;
    desk.marked(removed).await;
    let early = tokio::time::timeout(HASTY, waiting.watching.next()).await;
    assert!(early.is_err(), "told without a place");
    drop(left);
    desk.revoke("host-2").await;
    let end = tokio::time::timeout(PATIENT, revoked.watching.next()).await.unwrap();
    assert!(end.is_none(), "a revoked key goes on");
    let left_is_over = async {
        while desk.watchers.streams.available_permits() < STREAMS_MAX - 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENT, left_is_over).await.expect("a stream without a reader goes on");
    drop(taken);
    let message = waiting.watching.next().await.unwrap().unwrap();
    let [InstanceChange { change: Some(Batched::Metadata(metadata)) }] = &message.changes[..]
    else {
        panic!("not the one change")
    };
    assert_eq!(metadata.role_name, "");
}

/// Protects the connection and memory: messages keep to their bound, and hold several changes each.
#[tokio::test(flavor = "multi_thread")]
async fn messages_hold_several_changes_within_a_bound() {
    let mut desk = desk().await;
    for _ in 0..40 {
        desk.launch("host-1").await;
    }
    let mut reader = desk.watch("host-1", 0, PATIENT).await;
    let mut sizes = Vec::new();
    loop {
        let message = reader.watching.next().await.unwrap().unwrap();
        if message.change.is_some() {
            break;
        }
        assert!(message.encoded_len() < MESSAGE_BYTES_MAX + 1024, "{}", message.encoded_len());
        sizes.push(message.changes.len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 40);
    assert!(sizes.len() <= 4, "{sizes:?}");
}

/// Protects the node: beyond its places a stream is refused, with the moment to try again.
#[tokio::test]
async fn who_finds_no_place_is_told_when_to_come_back() {
    let places = Arc::new(Semaphore::new(1));
    let taken = place(&places, None).await.unwrap();
    let refused = place(&places, Some(HASTY)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let hint = refused.get_error_details().retry_info().unwrap().retry_delay;
    assert_eq!(hint, Some(PLACE_RETRY));
    drop(taken);
    assert!(place(&places, None).await.is_ok());
}
