//! What metadata promises to SDKs: exact statuses, exact documents, and nobody else's credentials.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, Uri};
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::edge::{Asker, Edge};
use super::hops::Hops;
use super::sources::Sources;
use super::token::Audience;
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::proto::v1::instance_metadata::RoleCredentials;
use crate::proto::v1::{
    Credentials, CredentialsRefusal, IdentityDocument, Instance, InstanceMetadata, MetadataOptions,
    MetadataUse,
};

const NOW: i64 = 1_764_000_000;
const ID: &str = "i-0123456789abcdef0";
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/Get-pics";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

struct Fixed(Found);

impl InstanceSource for Fixed {
    fn find(&self, _: &Serves, peer: IpAddr) -> Found {
        if peer.is_loopback() { self.0.clone() } else { Found::Nobody }
    }

    fn by_id(&self, id: &str) -> Found {
        if id == ID { self.0.clone() } else { Found::Nobody }
    }

    fn all(&self) -> Vec<Arc<Prepared>> {
        Vec::new()
    }

    fn stale(&self) -> Option<Duration> {
        Some(Duration::from_secs(7))
    }
}

pub(super) fn metadata() -> InstanceMetadata {
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    InstanceMetadata {
        account_id: "111111111111".to_owned(),
        instance: Some(Instance {
            instance_id: ID.to_owned(),
            region: "us-east-1".to_owned(),
            availability_zone: "us-east-1a".to_owned(),
            private_ip: "10.0.0.7".to_owned(),
            tags: [("team".to_owned(), "red".to_owned())].into(),
            metadata_options: Some(options()),
            ..Instance::default()
        }),
        instance_profile_arn: "arn:aws:iam::111111111111:instance-profile/Get-pics".to_owned(),
        instance_profile_id: "AIPAAAAAAAAAAAAAAAAAA".to_owned(),
        role_name: "Get-pics".to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/Get-pics".to_owned(),
        role_credentials: Some(RoleCredentials::Credentials(Credentials {
            access_key_id: "ASIAAAAAAAAAAAAAAAAA".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            expires_at: time(NOW + 3600),
        })),
        updated_at: time(NOW),
        identity_document: Some(IdentityDocument {
            document: "{}".to_owned(),
            signature: "c2ln".to_owned(),
            pkcs7: "Y21z".to_owned(),
        }),
        ..InstanceMetadata::default()
    }
}

fn options() -> MetadataOptions {
    MetadataOptions { http_put_response_hop_limit: 2, ..MetadataOptions::default() }
}

/// The same instance with other options.
fn with(change: impl FnOnce(&mut MetadataOptions)) -> InstanceMetadata {
    let mut metadata = metadata();
    let instance = metadata.instance.as_mut().unwrap();
    change(instance.metadata_options.as_mut().unwrap());
    metadata
}

fn edge_of(found: impl FnOnce(&UsageBook) -> Found) -> Edge {
    let book = Arc::new(UsageBook::default());
    Edge {
        source: Arc::new(Fixed(found(&book))),
        key: Arc::new(TokenKey::generate().unwrap()),
        clock: Clock::manual(Timestamp::from_unix_seconds(NOW)),
        book,
    }
}

pub(super) fn edge(metadata: InstanceMetadata) -> Edge {
    edge_of(|book| Found::Instance(Prepared::new(&metadata, book)))
}

fn asker() -> Asker {
    let peer = [127, 0, 0, 1].into();
    let (serves, hops) = (Arc::new(Serves::BySourceAddress), Hops::default());
    Asker { serves, peer, admitted: None, hops }
}

impl Edge {
    fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        self.ask_as(&asker(), method, path, headers)
    }

    fn ask_as(
        &self,
        asker: &Asker,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let uri: Uri = path.parse().unwrap();
        let response = self.respond(asker, &method, &uri, &map);
        assert_eq!(response.headers()["x-locum-stale-seconds"], "7");
        let status = response.status().as_u16();
        let body = futures_util::FutureExt::now_or_never(response.into_body().collect());
        let body = body.unwrap().unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn token(&self) -> String {
        let (status, token) = self.ask(Method::PUT, "/latest/api/token", &[(TTL, "60")]);
        assert_eq!(status, 200);
        token
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(Method::GET, path, &[(TOKEN, &self.token())])
    }

    fn uses(&self) -> Vec<(MetadataUse, u64)> {
        let taken = self.book.take();
        let seen = taken.into_iter().flat_map(|(_, usage)| usage.seen);
        seen.map(|seen| (MetadataUse::try_from(seen.r#use).unwrap(), seen.count)).collect()
    }
}

/// Protects SDKs: what they ask for is where they ask for it, with and without a slash at the end.
#[test]
fn credentials_are_where_sdks_look_for_them() {
    let edge = edge(metadata());
    let role = edge.get("/latest/meta-data/iam/security-credentials/");
    assert_eq!(role, (200, "Get-pics".to_owned()));
    let (status, body) = edge.get(CREDENTIALS);
    assert_eq!(status, 200);
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["Code"], "Success");
    assert_eq!(document["AccessKeyId"], "ASIAAAAAAAAAAAAAAAAA");
    assert_eq!(document["Token"], "token");
    assert_eq!(document["Expiration"], "2025-11-24T17:00:00Z");
    let extended = "/latest/meta-data/iam/security-credentials-extended/";
    assert_eq!(edge.get(extended), (200, "Get-pics".to_owned()));
    let (_, body) = edge.get(&format!("{extended}Get-pics"));
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["AccountId"], "111111111111");
    for path in [
        "/latest/meta-data/placement/availability-zone/",
        "/2021-03-23/meta-data/placement/availability-zone",
        "/1.0//meta-data/placement//availability%2Dzone//",
        "//latest//meta-data/placement/availability-zone",
    ] {
        assert_eq!(edge.get(path), (200, "us-east-1a".to_owned()), "{path}");
    }
}

/// Protects tools that walk the tree: every entry of a listing is there, and folders end in a slash.
#[test]
fn every_listed_entry_is_there() {
    let edge = edge(with(|options| options.instance_metadata_tags = true));
    assert_eq!(edge.get("/").1.lines().count(), 26);
    assert_eq!(edge.get("/latest/").1, "dynamic\nmeta-data");
    let mut folders = vec!["/latest/dynamic/".to_owned(), "/latest/meta-data/".to_owned()];
    let mut leaves = 0;
    while let Some(folder) = folders.pop() {
        let (status, listing) = edge.get(&folder);
        assert_eq!(status, 200, "{folder}");
        assert_eq!(edge.get(folder.trim_end_matches('/')).1, listing, "{folder}");
        for entry in listing.lines() {
            let path = format!("{folder}{entry}");
            if entry.ends_with('/') {
                folders.push(path);
            } else {
                let (status, body) = edge.get(&path);
                assert!(status == 200 && !body.is_empty(), "{path}");
                assert_eq!(edge.get(&format!("{path}/")).1, body, "{path}");
                leaves += 1;
            }
        }
    }
    assert!(leaves > 14, "{leaves}");
    assert_eq!(edge.get("/latest/meta-data/tags/instance/team").1, "red");
    assert_eq!(edge.get("/latest/meta-data/local-hostname").1, "ip-10-0-0-7.ec2.internal");
    let hidden = self::edge(metadata()).get("/latest/meta-data/tags/instance/");
    assert_eq!(hidden.0, 404);
}

/// Protects the statuses that SDKs decide by.
#[test]
fn statuses_are_those_of_ec2() {
    let edge = edge(metadata());
    let put = |path: &str, headers: &[(&str, &str)]| edge.ask(Method::PUT, path, headers).0;
    for bad in ["0", "21601", "", "x", "-1", "1.5"] {
        assert_eq!(put("/latest/api/token", &[(TTL, bad)]), 400, "{bad}");
    }
    assert_eq!(put("/latest/api/token", &[]), 400);
    assert_eq!(put("/latest/api/token", &[(TTL, "60"), (TTL, "61")]), 400);
    assert_eq!(put("/latest/api/token", &[(TTL, "60"), ("x-forwarded-for", "1.2.3.4")]), 403);
    assert_eq!(put("/2021-03-23/api/token", &[(TTL, "60")]), 403);
    assert_eq!(put("/latest/meta-data/", &[]), 405);
    assert_eq!(edge.ask(Method::POST, "/latest/meta-data/", &[]).0, 405);
    assert_eq!(edge.ask(Method::OPTIONS, "/latest/api/token", &[]).0, 405);
    assert_eq!(edge.ask(Method::GET, "/latest/api/token", &[]).0, 405);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[]).0, 401);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[(TOKEN, "x")]).0, 401);
    let token = edge.token();
    assert_eq!(edge.ask(Method::HEAD, CREDENTIALS, &[(TOKEN, &token)]).0, 200);
    let twice = edge.ask(Method::GET, CREDENTIALS, &[(TOKEN, &token), (TOKEN, &token)]);
    assert_eq!(twice.0, 401);
    for path in [
        "/latest/meta-data/iam/security-credentials/Other",
        "/latest/meta-data/iam/security-credentials-extended/Other",
        "/latest/user-data",
        "/latest/nothing",
        "/1999-01-01/meta-data/",
        "/latest/meta-data/../../etc/passwd",
    ] {
        let (status, body) = edge.get(path);
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("<title>404 - Not Found</title>"), "{body}");
    }
}

/// Protects instances whose metadata is off: nothing is told, whatever is asked.
#[test]
fn disabled_metadata_answers_403_to_everything() {
    let edge = edge(with(|options| options.http_endpoint_disabled = true));
    for (method, path) in [
        (Method::PUT, "/latest/api/token"),
        (Method::GET, "/"),
        (Method::GET, CREDENTIALS),
        (Method::POST, "/latest/meta-data/"),
    ] {
        assert_eq!(edge.ask(method, path, &[(TTL, "60")]).0, 403, "{path}");
    }
}

/// Protects tokens from going further than the instance's hop limit: it holds for the whole connection.
#[test]
fn a_token_travels_as_far_as_the_instance_allows() {
    let edge = edge(metadata());
    let asker = asker();
    edge.ask_as(&asker, Method::GET, "/", &[]);
    assert_eq!(asker.hops.get(), 0);
    edge.ask_as(&asker, Method::PUT, "/latest/api/token", &[(TTL, "60")]);
    assert_eq!(asker.hops.get(), 2);
    asker.hops.limit(64);
    assert_eq!(asker.hops.get(), 2);
}

/// Protects instances from each other: a token works for its instance and its purpose, and until its end.
#[test]
fn a_token_is_its_instances_and_ends() {
    let key = TokenKey::generate().unwrap();
    let at = Timestamp::from_unix_seconds;
    let audience = Audience::Metadata;
    let token = key.issue(audience, ID, at(NOW + 60)).unwrap();
    let valid = |key: &TokenKey, audience, instance, now| {
        key.is_valid(audience, token.as_bytes(), instance, at(now))
    };
    assert!(valid(&key, audience, ID, NOW + 59));
    assert!(!valid(&key, audience, ID, NOW + 60));
    assert!(!valid(&key, audience, "i-00000000000000000", NOW));
    assert!(!valid(&key, Audience::Container, ID, NOW));
    assert!(!valid(&TokenKey::generate().unwrap(), audience, ID, NOW));
}

/// Protects version 1 clients where it is admitted, and policies that tell the versions apart.
#[test]
fn version_1_is_answered_where_it_is_admitted() {
    let mut open = with(|options| options.http_tokens_optional = true);
    open.version_1_session_token = "token-1".to_owned();
    let edge = edge(open);
    let told = |answer: (u16, String)| -> serde_json::Value {
        assert_eq!(answer.0, 200);
        serde_json::from_str(&answer.1).unwrap()
    };
    assert_eq!(told(edge.ask(Method::GET, CREDENTIALS, &[]))["Token"], "token-1");
    assert_eq!(told(edge.get(CREDENTIALS))["Token"], "token");
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[(TOKEN, "x")]).0, 401);
}

/// Protects applications from credentials that have ended, and tells why there are none.
#[test]
fn ended_and_refused_credentials_are_not_handed_out() {
    let ends_at = |metadata: &mut InstanceMetadata, seconds| {
        if let Some(RoleCredentials::Credentials(credentials)) = &mut metadata.role_credentials {
            credentials.expires_at = Some(prost_types::Timestamp { seconds, nanos: 0 });
        }
    };
    let mut ended = metadata();
    ends_at(&mut ended, NOW);
    assert_eq!(edge(ended.clone()).get(CREDENTIALS).0, 503);
    let (code, message) = ("AssumeRoleUnauthorizedAccess".to_owned(), "no".to_owned());
    let refusal = CredentialsRefusal { code, message };
    ended.renewal_refusal = Some(refusal.clone());
    let (status, body) = edge(ended.clone()).get(CREDENTIALS);
    assert!(status == 200 && body.contains("AssumeRoleUnauthorizedAccess"));
    ends_at(&mut ended, NOW + 1);
    assert!(edge(ended).get(CREDENTIALS).1.contains("Success"), "the last good set, to its end");
    let mut refused = metadata();
    refused.role_credentials = Some(RoleCredentials::Refusal(refusal));
    let (status, body) = edge(refused).get(CREDENTIALS);
    assert!(status == 200 && body.contains("AssumeRoleUnauthorizedAccess"));
    let none = InstanceMetadata { instance: metadata().instance, ..InstanceMetadata::default() };
    for path in ["/latest/meta-data/iam/", "/latest/meta-data/iam/info", CREDENTIALS] {
        assert_eq!(edge(none.clone()).get(path).0, 404, "{path}");
    }
}

/// Protects tools that read the state of a profile.
#[test]
fn info_tells_the_profile_as_it_is() {
    let info = |metadata: InstanceMetadata| -> serde_json::Value {
        serde_json::from_str(&edge(metadata).get("/latest/meta-data/iam/info").1).unwrap()
    };
    assert_eq!(info(metadata())["Code"], "Success");
    let mut gone = metadata();
    gone.instance_profile_arn.clear();
    assert_eq!(info(gone)["Code"], "InstanceProfileNotFound");
    let mut empty = metadata();
    empty.role_name.clear();
    empty.role_credentials = None;
    let told = info(empty.clone());
    assert_eq!(told["Code"], "Success");
    assert!(told["Message"].as_str().unwrap().contains("does not contain a role"));
    assert_eq!(edge(empty).get("/latest/meta-data/iam/security-credentials/").0, 404);
}

/// Protects everyone else: an address without an instance learns nothing, and before anything is known
/// SDKs are asked to come again.
#[test]
fn a_stranger_learns_nothing() {
    let stranger = Asker { peer: [10, 9, 9, 9].into(), ..asker() };
    assert_eq!(edge(metadata()).ask_as(&stranger, Method::GET, "/", &[]).0, 404);
    let early = edge_of(|_| Found::NotReady);
    assert_eq!(early.ask(Method::PUT, "/latest/api/token", &[(TTL, "60")]).0, 503);
    assert_eq!(early.ask(Method::GET, CREDENTIALS, &[]).0, 503);
}

/// Protects containers from each other: only the bearer of a workload's own token gets its credentials.
#[test]
fn containers_get_credentials_for_their_token() {
    let edge = edge(metadata());
    let path = "/v1/credentials";
    let end = Timestamp::from_unix_seconds(NOW + 60);
    let issue = |audience| format!("{ID}.{}", edge.key.issue(audience, ID, end).unwrap());
    let good = issue(Audience::Container);
    let get = |token: &str| edge.ask(Method::GET, path, &[("authorization", token)]);
    let (status, body) = get(&good);
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &document["Token"]), (200, &"token".into()));
    assert_eq!(document["RoleArn"], "arn:aws:iam::111111111111:role/Get-pics");
    let other = good.replace("i-0", "i-1");
    for bad in ["", "x", ".", &other, &issue(Audience::Metadata), &good[..good.len() - 1]] {
        assert_eq!(get(bad).0, 401, "{bad}");
    }
    assert_eq!(edge.ask(Method::GET, path, &[]).0, 401);
    assert_eq!(edge.ask(Method::PUT, path, &[("authorization", &good)]).0, 405);
    let forwarded = [("authorization", good.as_str()), ("x-forwarded-for", "1.2.3.4")];
    assert_eq!(edge.ask(Method::GET, path, &forwarded).0, 403);
    assert_eq!(edge.ask(Method::GET, "/v2/credentials/any", &forwarded[..1]).0, 200);
    let mut bare = metadata();
    bare.role_credentials = None;
    let bare = self::edge(bare);
    let token = format!("{ID}.{}", bare.key.issue(Audience::Container, ID, end).unwrap());
    assert_eq!(bare.ask(Method::GET, path, &[("authorization", &token)]).0, 503);
}

/// Protects the doctor's word: each request is counted as what it was.
#[test]
fn requests_are_counted_as_what_they_were() {
    let edge = edge(with(|options| options.http_tokens_optional = true));
    let token = edge.token();
    edge.ask(Method::GET, "/latest/", &[(TOKEN, &token), ("host", "169.254.169.254")]);
    edge.ask(Method::GET, "/latest/", &[(TOKEN, "x")]);
    edge.ask(Method::GET, "/latest/meta-data/iam/security-credentials/Other", &[(TOKEN, &token)]);
    edge.ask(Method::PUT, "/latest/api/token", &[(TTL, "1"), ("x-forwarded-for", "1.2.3.4")]);
    edge.ask(Method::GET, "/latest/", &[("host", "evil.example"), ("user-agent", "curl/8")]);
    edge.token();
    edge.ask(Method::GET, "/latest/", &[]);
    edge.ask(Method::GET, "http://169.254.169.254/latest/", &[]);
    use MetadataUse as Use;
    let expected = [
        (Use::Version1, 3),
        (Use::Version2, 2),
        (Use::TokenIssued, 2),
        (Use::BadToken, 1),
        (Use::Forwarded, 1),
        (Use::WrongRole, 1),
        (Use::Suspicious, 3),
        (Use::FellBack, 1),
    ];
    assert_eq!(edge.uses(), expected);
    assert_eq!(edge.uses(), [], "told once");
}

/// Protects counts from an outage: what could not be delivered is counted again.
#[test]
fn an_undelivered_report_is_not_lost() {
    let edge = edge(with(|options| options.http_tokens_optional = true));
    edge.ask(Method::GET, "/latest/", &[("user-agent", "curl/8")]);
    let taken = edge.book.take();
    let (account, usage) = &taken[0];
    assert_eq!(usage.version_1_clients[0].user_agent, "curl/8");
    edge.ask(Method::GET, "/latest/", &[("user-agent", "curl/8")]);
    edge.book.put_back(account, usage);
    let again = &edge.book.take()[0].1;
    assert_eq!((again.seen[0].count, again.version_1_clients[0].count), (2, 2));
}

/// Protects quiet workloads: a source that asks too much is told to wait.
#[tokio::test]
async fn a_noisy_source_is_told_to_wait() {
    let edge = edge(metadata());
    let sources = Sources::new(Limits { requests_per_second: 1, connections: 9 });
    let admitted = sources.admit([127, 0, 0, 1].into()).await.map(Arc::new);
    let noisy = Asker { admitted, ..asker() };
    let ask = || edge.ask_as(&noisy, Method::PUT, "/latest/api/token", &[(TTL, "60")]).0;
    assert_eq!([ask(), ask(), ask()], [200, 200, 503]);
}

proptest! {
    /// Protects SDKs: no path whatever gives a success with nothing in it.
    #[test]
    fn no_path_gives_an_empty_success(path in "(/[a-z0-9.%-]{0,12}){0,6}") {
        let (status, body) = edge(metadata()).get(&format!("/{path}"));
        prop_assert!(status != 200 || !body.is_empty());
    }
}
