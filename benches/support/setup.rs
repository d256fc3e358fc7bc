//! What benches set up in their own process: settings, accounts, users and roles, and requests of those.

#![allow(dead_code, reason = "each bench uses what it needs")]

use std::net::SocketAddr;
use std::path::Path as Folder;
use std::time::Duration;

use locum::config::{Config, Layer};
use locum::domain::access::Caller;
use locum::domain::command::{Action, RoleAction, UserAction};
use locum::domain::tags::Tags;
use locum::identity::{AccountId, Path, Principal};
use locum::policy::{Policy, PolicyKind};
use locum::service::{RequestInfo, Service};
use locum::signing::Keyring;

/// The settings of a node whose data is in `folder`; it listens where there is room.
pub(crate) fn layer(folder: &Folder) -> Layer {
    let any: Option<SocketAddr> = "127.0.0.1:0".parse().ok();
    let data_dir = Some(folder.to_owned());
    Layer { data_dir, grpc: any, aws: any, metadata: any, health: any, ..Layer::default() }
}

/// The settings as they are run with, and a new keyring.
pub(crate) fn config(layer: Layer) -> Config {
    let config = layer.finish().expect("settings");
    Keyring::create(&config.keyring).expect("a keyring");
    config
}

/// The accounts of a bench, from 0.
pub(crate) fn account(number: u64) -> AccountId {
    AccountId::new(100_000_000_000 + number).expect("an account")
}

pub(crate) async fn make_account(service: &Service, account: AccountId) {
    let created = service.draw_account(account, "bench").expect("an account");
    let info = service.own_request("bench");
    service.perform(&info, "", account, created).await.expect("an account");
}

pub(crate) fn create_user(service: &Service, name: &str) -> Action {
    Action::User(UserAction::Create {
        name: name.parse().expect("a name"),
        path: Path::default(),
        id: service.draw_id("AIDA").expect("an id"),
        tags: Tags::default(),
        boundary: None,
    })
}

pub(crate) fn create_role(service: &Service, name: &str, trust: &str) -> Action {
    Action::Role(RoleAction::Create {
        name: name.parse().expect("a name"),
        path: Path::default(),
        id: service.draw_id("AROA").expect("an id"),
        description: "".into(),
        max_session: Duration::from_secs(3600),
        trust: Policy::parse(trust, PolicyKind::Trust).expect("a policy"),
        tags: Tags::default(),
        boundary: None,
    })
}

/// A request of the account's root.
pub(crate) fn as_root(service: &Service, account: AccountId) -> RequestInfo {
    request(service, Principal::Root { account })
}

/// A request of a user of the account.
pub(crate) fn as_user(service: &Service, account: AccountId, name: &str) -> RequestInfo {
    let view = service.view();
    let found = view.state.account(account).expect("an account");
    let user = found.user(&name.parse().expect("a name")).expect("a user");
    let principal = Principal::User {
        account,
        path: user.path.clone(),
        name: user.name.clone(),
        id: user.id.clone(),
    };
    request(service, principal)
}

fn request(service: &Service, principal: Principal) -> RequestInfo {
    RequestInfo {
        caller: Caller { principal, ..Caller::service() },
        ..service.own_request("bench")
    }
}
