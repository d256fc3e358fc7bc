//! What EventService promises: readers keep no worker from others, and who follows is told for as long as they may be.

use std::time::Duration;

use tokio::time::timeout;
use tonic::Code;

use super::super::watchers::Watchers;
use super::*;
use crate::clock::Clock;
use crate::domain::command::{Action, PolicyAction, UserAction};
use crate::domain::tags::Tags;
use crate::domain::testing::{A, allow, of_user};
use crate::identity::Path;
use crate::ledger::WriterHandle;
use crate::service::testing;

/// Long enough for what happens at all.
const PATIENT: Duration = Duration::from_secs(20);
/// A kind of which nothing happens.
const NOTHING: &str = "UserDeleted";

type Told = mpsc::Receiver<Result<FollowEventsResponse, Status>>;

struct Desk {
    front: Front,
    account: AccountId,
    _writer: WriterHandle,
    _folder: tempfile::TempDir,
}

/// An account with a user, ana, who may read its events.
async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let (service, writer) = testing::service(folder.path(), Clock::System);
    service.ensure_operator().await.unwrap();
    let (watchers, _) = Watchers::start(service.ledger());
    let front = Front { service, watchers };
    let desk = Desk { front, account: A.parse().unwrap(), _writer: writer, _folder: folder };
    desk.own(desk.front.service.draw_account(desk.account, "test").unwrap()).await;
    desk.own(Action::User(UserAction::Create {
        name: "ana".parse().unwrap(),
        path: Path::default(),
        id: desk.front.service.draw_id("AIDA").unwrap(),
        tags: Tags::default(),
        boundary: None,
    }))
    .await;
    let (owner, name) = (of_user("ana"), "read".parse().unwrap());
    let policy = allow(&["locum:ReadEvents"], "*");
    desk.own(Action::Policy(PolicyAction::PutInline { owner, name, policy })).await;
    desk
}

impl Desk {
    async fn own(&self, action: Action) {
        let info = self.front.service.own_request("test");
        self.front.service.perform(&info, "", self.account, action).await.unwrap();
    }

    /// Follows as ana, from the first record on.
    fn follow(&self, kinds: &[&str]) -> (tokio::task::JoinHandle<()>, Told) {
        let service = &self.front.service;
        let arn = format!("arn:aws:iam::{A}:user/ana").parse().unwrap();
        let caller = service.caller_of_arn(&service.view().state, self.account, &arn).unwrap();
        let info = RequestInfo { caller, ..service.own_request("test") };
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let asked = Following { account: self.account, from: Sequence(1), kinds };
        let (sender, told) = mpsc::channel(FOLLOWER_QUEUE);
        let front = self.front.clone();
        (tokio::spawn(async move { front.follow(&info, asked, sender).await }), told)
    }
}

/// Protects all other calls of a worker: whoever reads the log does it on another thread.
#[tokio::test]
async fn the_log_is_read_off_the_worker() {
    let here = std::thread::current().id();
    let there = from_log(|| Ok::<_, IssuedError>(std::thread::current().id())).await.unwrap();
    assert_ne!(here, there);
}

/// Protects a worker from followers who have gone: reading for them ends, though nothing is ever told to them.
#[tokio::test]
async fn a_follower_who_leaves_is_not_read_for() {
    let desk = desk().await;
    let (task, told) = desk.follow(&[NOTHING]);
    drop(told);
    timeout(PATIENT, task).await.unwrap().unwrap();
}

/// Protects an account's history from those whose rights to it were taken away while they followed, whether or not
/// anything was told to them.
#[tokio::test]
async fn a_follower_who_may_no_longer_read_is_told_so() {
    for kinds in [&[][..], &[NOTHING]] {
        let desk = desk().await;
        let (task, mut told) = desk.follow(kinds);
        if kinds.is_empty() {
            let first = timeout(PATIENT, told.recv()).await.unwrap().unwrap().unwrap();
            assert_eq!(first.event.unwrap().kind, "AccountCreated");
        }
        let (owner, name) = (of_user("ana"), "read".parse().unwrap());
        desk.own(Action::Policy(PolicyAction::DeleteInline { owner, name })).await;
        let end = async {
            loop {
                if let Err(status) = told.recv().await.expect("no end without a status") {
                    break status;
                }
            }
        };
        assert_eq!(timeout(PATIENT, end).await.unwrap().code(), Code::PermissionDenied);
        timeout(PATIENT, task).await.unwrap().unwrap();
    }
}

/// Protects the time of a reading, in which each event is compared with each kind.
#[test]
fn kinds_are_bounded() {
    assert_eq!(kinds(vec![NOTHING.to_owned(); KINDS_MAX]).unwrap().len(), KINDS_MAX);
    let refused = kinds(vec![NOTHING.to_owned(); KINDS_MAX + 1]).unwrap_err();
    let refused = Status::from(refused);
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("`kinds` must have at most 256 entries"), "{refused}");
}
