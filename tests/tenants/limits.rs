//! Quotas as those who reach them meet them, over both edges: what the table "What is answered" of `docs/tenants.md`
//! says, and that other accounts are not concerned.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::api::wire::{Answer, Grpc, Query, method};
use super::support::Server;

const LIMITED: &str = "222222222222";
const OTHER: &str = "333333333333";
/// What the limited account may do in a second, and how long it then waits for one more at most.
const RATE: u32 = 2;
const INTERVAL: Duration = Duration::from_millis(500);
/// Calls after which one must have been refused, in a row and without a pause.
const BURST: usize = 50;

/// A server with two accounts, by the keys of their roots.
struct House {
    server: Server,
    _folder: TempDir,
    operator: Grpc,
    limited: Value,
    other: Value,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        let endpoint = server.dev["endpoint"].as_str().unwrap();
        let operator = Grpc::new(endpoint, &server.json("operator.json"));
        let [mut limited, mut other] = [Value::Null, Value::Null];
        for (account, key) in [(LIMITED, &mut limited), (OTHER, &mut other)] {
            let request = json!({"accountId": account, "name": format!("of-{account}")});
            *key = operator.made("CreateAccount", request).await["rootKey"].clone();
        }
        Self { server, _folder: folder, operator, limited, other }
    }

    async fn limit(&self, quota: &str, value: u32) {
        let request = json!({"accountId": LIMITED, "quota": quota, "value": value});
        self.operator.made("PutQuota", request).await;
    }

    async fn lift(&self, quota: &str) {
        self.operator.made("DeleteQuota", json!({"accountId": LIMITED, "quota": quota})).await;
    }

    fn grpc(&self) -> [Grpc; 2] {
        [&self.limited, &self.other].map(|key| self.operator.signed_by(key))
    }

    fn query(&self) -> [Query; 2] {
        let endpoint = self.server.dev["aws"].as_str().unwrap();
        [&self.limited, &self.other].map(|key| Query::new(endpoint, key))
    }
}

/// The code of a refusal and the quota that it names.
fn refused_by(status: &Status) -> (Code, String, String) {
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.reason, info.metadata["quota"].clone())
}

/// Status, code and `Retry-After` of a refusal.
fn head_of(answer: &Answer) -> (u16, &str, Option<u64>) {
    let head: Vec<String> = serde_json::from_str(answer.text.lines().next().unwrap()).unwrap();
    let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
    let hint = head.iter().find_map(|line| line.strip_prefix("retry-after: "));
    (status, &answer.code, hint.map(|seconds| seconds.parse().unwrap()))
}

/// Protects whoever is throttled over gRPC, and their neighbours: the refusal names the quota and from when on it
/// goes on, which holds to the millisecond; other accounts go on meanwhile, and so does what another rate counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_refused_with_a_hint_that_holds() {
    let house = House::new().await;
    let [limited, other] = house.grpc();
    for (quota, name) in
        [("RequestsPerSecond", "GetCallerIdentity"), ("SessionsPerSecond", "GetSessionToken")]
    {
        house.limit(quota, RATE).await;
        let (call, mut refused) = (method(name), None);
        for _ in 0..BURST {
            refused = limited.messages(&call, &json!({})).await.err();
            if refused.is_some() {
                break;
            }
        }
        let status = refused.unwrap_or_else(|| panic!("{BURST} of {name} were done"));
        let wanted = (Code::ResourceExhausted, "Throttling".to_owned(), quota.to_owned());
        assert_eq!(refused_by(&status), wanted, "{status}");
        assert!(status.get_details_quota_failure().is_none(), "that would be a full quota");
        let hint = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!(hint > Duration::ZERO && hint <= INTERVAL, "{quota}: {hint:?}");
        other.made(name, json!({})).await;
        if quota == "SessionsPerSecond" {
            limited.made("GetCallerIdentity", json!({})).await;
        }
        tokio::time::sleep(hint).await;
        limited.made(name, json!({})).await;
        house.lift(quota).await;
    }
}

/// Protects AWS's clients that are throttled, and their neighbours: each service's own code and status, which SDKs
/// back off at, and a `Retry-After` in whole seconds after which the request is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_refused_in_the_words_of_each_service() {
    let house = House::new().await;
    let [mut limited, mut other] = house.query();
    let sts = (400, "Throttling", Some(1));
    let ec2 = (503, "RequestLimitExceeded", Some(1));
    for (quota, service, form, wanted) in [
        ("RequestsPerSecond", "sts", "Action=GetCallerIdentity&Version=2011-06-15", sts),
        ("SessionsPerSecond", "sts", "Action=GetSessionToken&Version=2011-06-15", sts),
        ("RequestsPerSecond", "ec2", "Action=DescribeInstances&Version=2016-11-15", ec2),
    ] {
        house.limit(quota, RATE).await;
        let refused = (0..BURST).map(|_| limited.call(service, form)).find(|a| !a.is_ok());
        let refused = refused.unwrap_or_else(|| panic!("{BURST} of {form} were done"));
        assert_eq!(head_of(&refused), wanted, "{}", refused.text);
        let neighbour = other.call(service, form);
        assert!(neighbour.is_ok(), "{}", neighbour.text);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let again = limited.call(service, form);
        assert!(again.is_ok(), "{quota}: {}", again.text);
        house.lift(quota).await;
    }
}

/// Protects whoever reaches a quota of resources: both edges name it in their own way and give no hint to wait,
/// which would not help; what is given back can be used again; another account has its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_told_by_its_name() {
    const RUN: &str = "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=1";
    const USER: &str = "Action=CreateUser&Version=2010-05-08&UserName=ana";
    let house = House::new().await;
    house.limit("InstancesPerAccount", 1).await;
    house.limit("UsersPerAccount", 0).await;
    let ([limited, other], [mut query, mut others]) = (house.grpc(), house.query());
    let first = query.call("ec2", RUN);
    assert!(first.is_ok(), "{}", first.text);
    for (service, form, wanted) in [
        ("ec2", RUN, (400, "InstanceLimitExceeded", None)),
        ("iam", USER, (409, "LimitExceeded", None)),
    ] {
        assert_eq!(head_of(&query.call(service, form)), wanted);
        assert!(others.call(service, form).is_ok());
    }
    for (quota, max, name, request) in [
        ("InstancesPerAccount", 1, "LaunchInstance", json!({})),
        ("UsersPerAccount", 0, "CreateUser", json!({"userName": "eve"})),
    ] {
        let status = limited.messages(&method(name), &request).await.unwrap_err();
        let wanted = (Code::ResourceExhausted, "LimitExceeded".to_owned(), quota.to_owned());
        assert_eq!(refused_by(&status), wanted, "{status}");
        assert_eq!(status.message(), format!("cannot exceed quota for {quota}: {max}"));
        let violations = status.get_details_quota_failure().unwrap().violations;
        assert_eq!(violations.iter().map(|v| &*v.subject).collect::<Vec<_>>(), [quota]);
        assert!(status.get_details_retry_info().is_none(), "waiting does not help");
        other.made(name, request).await;
    }
    let (_, id) = first.text.split_once("<instanceId>").unwrap();
    let id = id.split('<').next().unwrap();
    let end = format!("Action=TerminateInstances&Version=2016-11-15&InstanceId.1={id}");
    assert!(query.call("ec2", &end).is_ok());
    let again = query.call("ec2", RUN);
    assert!(again.is_ok(), "{}", again.text);
}
