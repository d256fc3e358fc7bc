//! The AWS SDK for Rust as a client, unmodified: its metadata client, its default credential chain with refresh,
//! and STS. Over plain HTTP, so that the SDK brings no TLS of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::imds::client::error::ImdsError;
use aws_config::imds::{self, credentials::ImdsCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::Client as Sts;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_sts::error::{BoxError, ProvideErrorMetadata as _};
use serde_json::Value;
use support::Server;

const ACCOUNT: &str = "111111111111";
const TRUST_EC2: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const TRUST_ANA: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"},"Action":"sts:AssumeRole"}}"#;
const MAY_ASSUME: &str =
    r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
/// So short that an SDK has to look for the next set while a test waits.
const SHORT: [&str; 4] = ["--credentials-lifetime", "16s", "--rotation-interval", "5s"];
/// How long the next set may take to be seen.
const PATIENCE: Duration = Duration::from_secs(40);

fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

/// STS at the server, as the bearer of `key`.
fn sts(server: &Server, key: &Value) -> Sts {
    let field = |name: &str| key[name].as_str().map(str::to_owned);
    let (id, secret) = (field("accessKeyId").unwrap(), field("secretAccessKey").unwrap());
    let key = Credentials::from_keys(id, secret, field("sessionToken"));
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(plain_http())
        .region(Region::new("us-east-1"))
        .endpoint_url(server.dev["aws"].as_str().unwrap())
        .credentials_provider(key);
    Sts::from_conf(config.build())
}

/// An instance at our own address whose role is `app`; its id.
fn launch(server: &Server) -> String {
    let iam = |words: &[&str]| server.admin(&[&["iam"], words].concat()).unwrap();
    iam(&["create-role", "--role-name", "app", "--trust-policy", TRUST_EC2]);
    iam(&["create-instance-profile", "--instance-profile-name", "app"]);
    let both = ["--instance-profile-name", "app", "--role-name", "app"];
    iam(&[&["add-role-to-instance-profile"][..], &both].concat());
    let profile = ["--instance-profile-name", "app", "--private-ip", "127.0.0.1"];
    let launched = server.admin(&[&["instance", "launch-instance"][..], &profile].concat());
    launched.unwrap()["instance"]["instanceId"].as_str().unwrap().to_owned()
}

/// Protects programs on instances: the SDK's metadata client gets its token and reads, what is not there is an
/// error with its status, and the credentials of its provider work.
#[tokio::test]
async fn the_metadata_client_reads_and_its_provider_has_the_role() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let instance = launch(&server);
    let settings = ProviderConfig::without_region().with_http_client(plain_http());
    let endpoint = server.dev["metadata"].as_str().unwrap();
    let metadata = imds::Client::builder().configure(&settings).endpoint(endpoint).unwrap().build();
    let id = metadata.get("/latest/meta-data/instance-id").await.unwrap();
    assert_eq!(id.as_ref(), instance);
    match metadata.get("/latest/meta-data/nothing").await {
        Err(ImdsError::ErrorResponse(error)) => {
            assert_eq!(error.response().status().as_u16(), 404);
        }
        told => panic!("{told:?}"),
    }
    let provider =
        ImdsCredentialsProvider::builder().configure(&settings).imds_client(metadata).build();
    let key = provider.provide_credentials().await.unwrap();
    assert!(key.access_key_id().starts_with("ASIA") && key.expiry().is_some());
    let key = serde_json::json!({
        "accessKeyId": key.access_key_id(),
        "secretAccessKey": key.secret_access_key(),
        "sessionToken": key.session_token(),
    });
    let identity = sts(&server, &key).get_caller_identity().send().await.unwrap();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/{instance}");
    assert_eq!(identity.arn(), Some(arn.as_str()));
}

/// Protects long-lived programs: the default chain finds the instance's role by itself, and takes up the next
/// set of credentials before the one that it has ends.
#[test]
fn the_default_chain_finds_the_role_and_refreshes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &SHORT);
    let instance = launch(&server);
    // A process of its own, as the chain reads the environment.
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "a_program_on_an_instance", "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        program.env_remove(name);
    }
    program.env("HOME", folder.path()).env("AWS_REGION", "us-east-1");
    program.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.dev["metadata"].as_str().unwrap());
    program.env("AWS_ENDPOINT_URL", server.dev["aws"].as_str().unwrap());
    let output = program.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let lines = told.lines().filter_map(|line| line.strip_prefix("called "));
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/{instance}");
    let keys: BTreeSet<_> = lines.map(|line| line.strip_suffix(&arn).expect("the role")).collect();
    assert!(keys.len() >= 2, "{told}");
}

/// The credentials that requests were signed with.
#[derive(Clone, Debug, Default)]
struct Signed(Arc<Mutex<String>>);

impl Intercept for Signed {
    fn name(&self) -> &'static str {
        "Signed"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = context.request().headers().get("authorization").unwrap_or_default();
        let key = header.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
        *self.0.lock().unwrap() = key.unwrap_or_default().0.to_owned();
        Ok(())
    }
}

/// What the test above runs: asks who it is until it has been two sessions.
#[tokio::test]
#[ignore = "run by another test, in an environment of its own"]
async fn a_program_on_an_instance() {
    let http = plain_http();
    let config: SdkConfig =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let signed = Signed::default();
    let settings = aws_sdk_sts::config::Builder::from(&config).interceptor(signed.clone());
    let sts = Sts::from_conf(settings.build());
    let (began, mut keys) = (Instant::now(), BTreeSet::new());
    while keys.len() < 2 {
        assert!(began.elapsed() < PATIENCE, "still the same key");
        let identity = sts.get_caller_identity().send().await.unwrap();
        let key = signed.0.lock().unwrap().clone();
        if keys.insert(key.clone()) {
            println!("called {key} {}", identity.arn().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Protects callers of STS: a role is assumed, its credentials work, and refusals have AWS's codes.
#[tokio::test]
async fn sts_answers_as_the_sdk_expects() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let iam = |words: &[&str]| server.admin(&[&["iam"], words].concat()).unwrap();
    iam(&["create-user", "--user-name", "ana"]);
    let may = ["--owner-user-name", "ana", "--policy-name", "may", "--policy", MAY_ASSUME];
    iam(&[&["put-inline-policy"][..], &may].concat());
    iam(&["create-role", "--role-name", "app", "--trust-policy", TRUST_ANA]);
    let key = iam(&["create-access-key", "--user-name", "ana"])["accessKey"].clone();
    let ana = sts(&server, &key);
    let told = ana.get_caller_identity().send().await.unwrap();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/ana");
    assert_eq!((told.account(), told.arn()), (Some(ACCOUNT), Some(arn.as_str())));

    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let assume = |name: &str, session: &str| {
        ana.assume_role().role_arn(role(name)).role_session_name(session).send()
    };
    let made = assume("app", "one").await.unwrap();
    let session = made.credentials().unwrap();
    let key = serde_json::json!({
        "accessKeyId": session.access_key_id(),
        "secretAccessKey": session.secret_access_key(),
        "sessionToken": session.session_token(),
    });
    let told = sts(&server, &key).get_caller_identity().send().await.unwrap();
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/one");
    assert_eq!(told.arn(), Some(arn.as_str()));

    let error = assume("nowhere", "one").await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(error.code(), Some("AccessDenied"));
    assert!(error.message().unwrap().contains("user/ana"), "{:?}", error.message());
    let wrong = assume("app", "not a name").await.unwrap_err();
    assert_eq!(wrong.code(), Some("ValidationError"));
    let mut stale = key.clone();
    stale["sessionToken"] = "none".into();
    let refused = sts(&server, &stale).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidClientTokenId"));
}
