//! What metadata promises to SDKs: exact statuses, exact documents, and nobody else's credentials.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::server::Edge;
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::proto::v1::instance_metadata::RoleCredentials;
use crate::proto::v1::{Credentials, CredentialsRefusal, Instance};

const NOW: i64 = 1_764_000_000;
const ID: &str = "i-0123456789abcdef0";
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/Get-pics";

struct Fixed(Arc<InstanceMetadata>);

impl InstanceSource for Fixed {
    fn find(&self, peer: IpAddr) -> Option<Arc<InstanceMetadata>> {
        peer.is_loopback().then(|| self.0.clone())
    }
}

fn metadata() -> InstanceMetadata {
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    InstanceMetadata {
        account_id: "111111111111".to_owned(),
        instance: Some(Instance {
            instance_id: ID.to_owned(),
            region: "us-east-1".to_owned(),
            availability_zone: "us-east-1a".to_owned(),
            ..Instance::default()
        }),
        instance_profile_arn: "arn:aws:iam::111111111111:instance-profile/Get-pics".to_owned(),
        instance_profile_id: "AIPAAAAAAAAAAAAAAAAAA".to_owned(),
        role_name: "Get-pics".to_owned(),
        role_credentials: Some(RoleCredentials::Credentials(Credentials {
            access_key_id: "ASIAAAAAAAAAAAAAAAAA".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            expires_at: time(NOW + 3600),
        })),
        updated_at: time(NOW),
        ..InstanceMetadata::default()
    }
}

fn edge(metadata: InstanceMetadata) -> Edge {
    Edge {
        source: Arc::new(Fixed(Arc::new(metadata))),
        key: TokenKey::generate().unwrap(),
        clock: Clock::manual(Timestamp::from_unix_seconds(NOW)),
    }
}

impl Edge {
    fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let response = self.respond([127, 0, 0, 1].into(), &method, path, &map);
        let status = response.status().as_u16();
        let body = futures_util::FutureExt::now_or_never(response.into_body().collect());
        let body = body.unwrap().unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn token(&self) -> String {
        let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
        let (status, token) = self.ask(Method::PUT, "/latest/api/token", &ttl);
        assert_eq!(status, 200);
        token
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(Method::GET, path, &[("x-aws-ec2-metadata-token", &self.token())])
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
    for path in [
        "/latest/meta-data/placement/availability-zone/",
        "/2021-03-23/meta-data/placement/availability-zone",
    ] {
        assert_eq!(edge.get(path), (200, "us-east-1a".to_owned()), "{path}");
    }
    assert!(edge.get("/latest/meta-data/").1.lines().any(|line| line == "iam/"));
    assert_eq!(edge.get("/").0, 200);
}

/// Protects the statuses that SDKs decide by.
#[test]
fn statuses_are_those_of_ec2() {
    let edge = edge(metadata());
    let ttl = "x-aws-ec2-metadata-token-ttl-seconds";
    let put = |path: &str, headers: &[(&str, &str)]| edge.ask(Method::PUT, path, headers).0;
    for bad in ["0", "21601", "", "x", "-1"] {
        assert_eq!(put("/latest/api/token", &[(ttl, bad)]), 400, "{bad}");
    }
    assert_eq!(put("/latest/api/token", &[]), 400);
    assert_eq!(put("/latest/api/token", &[(ttl, "60"), ("x-forwarded-for", "1.2.3.4")]), 403);
    assert_eq!(put("/2021-03-23/api/token", &[(ttl, "60")]), 403);
    assert_eq!(put("/latest/meta-data/", &[]), 405);
    assert_eq!(edge.ask(Method::POST, "/latest/meta-data/", &[]).0, 405);
    assert_eq!(edge.ask(Method::GET, "/latest/api/token", &[]).0, 405);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[]).0, 401);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[("x-aws-ec2-metadata-token", "x")]).0, 401);
    for path in [
        "/latest/meta-data/iam/security-credentials/Other",
        "/latest/meta-data/iam/security-credentials-extended/",
        "/latest/nothing",
        "/1999-01-01/meta-data/",
    ] {
        assert_eq!(edge.get(path).0, 404, "{path}");
    }
}

/// Protects instances from each other: a token works for its instance alone, and until its end.
#[test]
fn a_token_is_its_instances_and_ends() {
    let key = TokenKey::generate().unwrap();
    let at = Timestamp::from_unix_seconds;
    let token = key.issue(ID, at(NOW + 60)).unwrap();
    assert!(key.is_valid(&token, ID, at(NOW + 59)));
    assert!(!key.is_valid(&token, ID, at(NOW + 60)));
    assert!(!key.is_valid(&token, "i-00000000000000000", at(NOW)));
    assert!(!TokenKey::generate().unwrap().is_valid(&token, ID, at(NOW)));
}

/// Protects version 1 clients where it is admitted, and instances where it is not.
#[test]
fn version_1_is_answered_where_it_is_admitted() {
    let mut open = metadata();
    open.instance.as_mut().unwrap().http_tokens_optional = true;
    let edge = edge(open);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[]).0, 200);
    assert_eq!(edge.ask(Method::GET, CREDENTIALS, &[("x-aws-ec2-metadata-token", "x")]).0, 401);
}

/// Protects applications from credentials that have ended, and tells why there are none.
#[test]
fn ended_and_refused_credentials_are_not_handed_out() {
    let mut ended = metadata();
    if let Some(RoleCredentials::Credentials(credentials)) = &mut ended.role_credentials {
        credentials.expires_at = Some(prost_types::Timestamp { seconds: NOW, nanos: 0 });
    }
    assert_eq!(edge(ended).get(CREDENTIALS).0, 404);
    let mut refused = metadata();
    let (code, message) = ("AssumeRoleUnauthorizedAccess".to_owned(), "no".to_owned());
    refused.role_credentials = Some(RoleCredentials::Refusal(CredentialsRefusal { code, message }));
    let (status, body) = edge(refused).get(CREDENTIALS);
    assert!(status == 200 && body.contains("AssumeRoleUnauthorizedAccess"));
    let none = InstanceMetadata { instance: metadata().instance, ..InstanceMetadata::default() };
    assert_eq!(edge(none).get("/latest/meta-data/iam/").0, 404);
}

/// Protects everyone else: an address without an instance learns nothing.
#[test]
fn a_stranger_learns_nothing() {
    let edge = edge(metadata());
    let response = edge.respond([10, 9, 9, 9].into(), &Method::GET, "/", &HeaderMap::new());
    assert_eq!(response.status().as_u16(), 404);
}

proptest! {
    /// Protects SDKs: no path whatever gives a success with nothing in it.
    #[test]
    fn no_path_gives_an_empty_success(path in "(/[a-z0-9.-]{0,12}){0,6}") {
        let (status, body) = edge(metadata()).get(&path);
        prop_assert!(status != 200 || !body.is_empty());
    }
}
