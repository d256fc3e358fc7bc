//! A server with an account, a role and a user who may assume it, in the process of a bench; and how calls are
//! measured.

#![allow(dead_code, reason = "each bench uses what it needs")]

pub(crate) mod figures;
pub(crate) mod setup;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use figures::cpu_seconds;
use locum::client::{Credentials, SignedChannel, connect};
use locum::domain::event::{AccessKeyEvent, EventKind};
use locum::proto::v1;
use locum::proto::v1::iam_service_client::IamServiceClient;
use locum::proto::v1::instance_service_client::InstanceServiceClient;
use locum::serve::{Addresses, Listeners, open, run};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Calls under way at once, and the connections that gRPC calls go over.
pub(crate) const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;
const DURATION: Duration = Duration::from_secs(4);
/// The role that the user may assume.
pub(crate) const ROLE_ARN: &str = "arn:aws:iam::111111111111:role/bench";

/// Calls from many tasks for a while; prints and gives the rate.
pub(crate) async fn measure<C, F, Fut>(
    what: &str,
    empty: Option<f64>,
    channels: &[C],
    call: F,
) -> f64
where
    C: Clone + Send + 'static,
    F: Fn(C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (call, count) = (Arc::new(call), Arc::new(AtomicU64::new(0)));
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = channels
        .iter()
        .cycle()
        .take(CALLERS)
        .map(|channel| {
            let (call, count, channel) = (call.clone(), count.clone(), channel.clone());
            tokio::spawn(async move {
                while began.elapsed() < DURATION {
                    call(channel.clone()).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a caller");
    }
    let calls = count.load(Ordering::Relaxed) as f64;
    let rate = calls / began.elapsed().as_secs_f64();
    let micros = (cpu_seconds() - cpu) * 1e6 / calls;
    let ratio = empty.map(|empty| format!("{:.2} of the empty call", rate / empty));
    let ratio = ratio.unwrap_or_default();
    println!("{what:<28} {rate:>8.0} calls/s  {micros:>6.1} us CPU a call  {ratio}");
    rate
}

/// A running server.
pub(crate) struct Bench {
    _folder: tempfile::TempDir,
    pub(crate) addresses: Addresses,
    /// The key of the user.
    pub(crate) user: Credentials,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = setup::config(setup::layer(folder.path()));
        let opened = open(&config).await.expect("a data folder");
        let service = opened.service.clone();
        let account = "111111111111".parse().expect("an account");
        let action = service.draw_account(account, "bench").expect("an account");
        let info = service.own_request("bench");
        let receipt = service.perform(&info, "", account, action).await.expect("an account");
        let events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let mut key = events.filter_map(|event| {
            let EventKind::AccessKey(AccessKeyEvent::Created { key, .. }) = &event.kind else {
                return None;
            };
            Some(key.clone())
        });
        let key = key.next_back().expect("a key");
        let view = service.view();
        let found = view.state.account(account).expect("an account");
        let secret = service.secret_of(found, &key).expect("a secret");
        let listeners = Listeners::bind(&config).await.expect("addresses");
        let addresses = listeners.addresses().expect("addresses");
        // Ends with the process.
        tokio::spawn(async move {
            run(&config, opened, listeners, std::future::pending()).await.expect("a server");
        });
        let access_key_id = key.to_string();
        let root = Credentials { access_key_id, secret_access_key: secret, session_token: None };
        let user = prepare(addresses.grpc, &root).await;
        Self { _folder: folder, addresses, user }
    }

    /// Connections on which the user's calls are signed.
    pub(crate) fn channels(&self) -> Vec<SignedChannel> {
        (0..CONNECTIONS).map(|_| channel(self.addresses.grpc, &self.user)).collect()
    }

    /// Calls that do nothing: tonic's health check, unsigned.
    pub(crate) async fn empty_calls(&self) -> f64 {
        let endpoint = format!("http://{}", self.addresses.grpc);
        let plain = tonic::transport::Endpoint::new(endpoint).expect("an address");
        let plain: Vec<_> = (0..CONNECTIONS).map(|_| plain.connect_lazy()).collect();
        measure("empty call (health)", None, &plain, |channel| async move {
            let request = HealthCheckRequest { service: String::new() };
            HealthClient::new(channel).check(request).await.expect("an answer");
        })
        .await
    }
}

fn channel(grpc: SocketAddr, credentials: &Credentials) -> SignedChannel {
    let endpoint = format!("http://{grpc}");
    connect(&endpoint, "us-east-1", credentials.clone()).expect("a channel")
}

/// Makes the role `bench` and a user whom it trusts.
pub(crate) async fn prepare(grpc: SocketAddr, root: &Credentials) -> Credentials {
    let mut iam = IamServiceClient::new(channel(grpc, root));
    let user = v1::CreateUserRequest { user_name: "ana".to_owned(), ..Default::default() };
    iam.create_user(user).await.expect("a user");
    let key = v1::CreateAccessKeyRequest { user_name: "ana".to_owned(), ..Default::default() };
    let key = iam.create_access_key(key).await.expect("a key").into_inner();
    let key = key.access_key.expect("a key");
    let trust = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"}}}"#;
    let role = v1::CreateRoleRequest {
        role_name: "bench".to_owned(),
        trust_policy: trust.to_owned(),
        ..Default::default()
    };
    iam.create_role(role).await.expect("a role");
    credentials(key)
}

fn credentials(key: v1::AccessKey) -> Credentials {
    Credentials {
        access_key_id: key.access_key_id,
        secret_access_key: locum::signing::Secret::new(key.secret_access_key),
        session_token: None,
    }
}

/// Makes an instance with a role, and gives its identity.
pub(crate) async fn launch(grpc: SocketAddr, root: &Credentials) -> Credentials {
    let mut iam = IamServiceClient::new(channel(grpc, root));
    let name = || "instance".to_owned();
    let trust = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"Service":"ec2.amazonaws.com"}}}"#;
    let role = v1::CreateRoleRequest {
        role_name: name(),
        trust_policy: trust.to_owned(),
        ..Default::default()
    };
    iam.create_role(role).await.expect("a role");
    let profile =
        v1::CreateInstanceProfileRequest { instance_profile_name: name(), ..Default::default() };
    iam.create_instance_profile(profile).await.expect("a profile");
    let added = v1::AddRoleToInstanceProfileRequest {
        instance_profile_name: name(),
        role_name: name(),
        ..Default::default()
    };
    iam.add_role_to_instance_profile(added).await.expect("a change");
    let reference = v1::profile_reference::Reference::Name(name());
    let launch = v1::LaunchInstanceRequest {
        instance_profile: Some(v1::ProfileReference { reference: Some(reference) }),
        ..Default::default()
    };
    let mut instances = InstanceServiceClient::new(channel(grpc, root));
    let launched = instances.launch_instance(launch).await.expect("an instance").into_inner();
    credentials(launched.identity_key.expect("a key"))
}
