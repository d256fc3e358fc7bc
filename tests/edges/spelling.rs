//! Names are the same in any case, and so is what is decided of them: whoever is denied something, or allowed one thing
//! alone, is answered alike however they spell its name.
//!
//! Nothing is done: the callers have a permissions boundary that allows neither IAM nor STS nor passing a role, whose
//! refusal is told in other words than an explicit deny and than a missing allow.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::api::operation::{Edge, Operation, of_grpc, of_query};
use super::api::references::Kind;
use super::api::wire::{Answer, Grpc, Query};
use super::house::{Account, House};

const ACCOUNT: &str = "444444444443";

/// Kinds that name an entity.
const NAMES: [Kind; 8] = [
    Kind::Agent,
    Kind::Group,
    Kind::InlinePolicy,
    Kind::Profile,
    Kind::Role,
    Kind::ServiceLinkedRole,
    Kind::SpareProfile,
    Kind::User,
];
/// Kinds that name one by its ARN.
const ARNS: [Kind; 6] = [
    Kind::PolicyArn,
    Kind::ProfileArn,
    Kind::ProviderArn,
    Kind::RoleArn,
    Kind::Serial,
    Kind::UserArn,
];

/// Fields that hold what a question is about, which is a text and need not be there.
const ABOUT: [&str; 5] =
    ["resource", "resources", "ResourceArns.member.1", "CallerArn", "ResourcePolicy"];

/// How an administrator is told that there is nothing of a name. ARNs are no names: in another case they are others.
const NOT_THERE: [&str; 5] =
    ["NoSuchEntity", "InvalidParameterValue", "ValidationError", "AccessDenied", "InvalidInput"];

const NEW: &str = "judged on what is to be made";
const TOKEN: &str = "the stranger's token is refused first";
const NOTHING: &str = "judged on nothing in particular";

/// Operations that are not judged on what they name, and why.
const NOT_JUDGED: &[(&str, &str)] = &[
    ("AssumeRoleWithWebIdentity", TOKEN),
    ("Authorize", NOTHING),
    ("CreateRole", NEW),
    ("CreateUser", NEW),
    ("GetFederationToken", "judged on the session that is to be"),
    ("GetSessionToken", NOTHING),
    ("ListSessions", NOTHING),
    ("SimulateCustomPolicy", NOTHING),
];

/// What a refusal is told by.
const EXPLICIT: &str = "with an explicit deny in an identity-based policy";
const BOUNDARY: &str = "no permissions boundary allows";

/// Somebody's keys for both edges.
struct Caller {
    grpc: Grpc,
    query: Query,
}

impl Caller {
    fn new(house: &House, key: &Value) -> Self {
        Self { grpc: house.grpc(key), query: house.query(key) }
    }

    async fn ask(&mut self, operation: &Operation, values: &BTreeMap<usize, Value>) -> Answer {
        match &operation.edge {
            Edge::Grpc(method) => self.grpc.call(method, &operation.message(values)).await,
            Edge::Query(service) => self.query.call(service, &operation.form(values)),
        }
    }
}

/// Who may do everything, and for each ARN who is denied it and who is allowed it alone.
struct Callers {
    admin: Caller,
    fenced: BTreeMap<String, [Caller; 2]>,
}

fn swapped(name: &str) -> String {
    let swap = |c: char| match c {
        c if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
        c => c.to_ascii_lowercase(),
    };
    // Of an ARN, the name at its end.
    let begin = if name.starts_with("arn:") { name.rfind('/').map_or(0, |at| at + 1) } else { 0 };
    let (kept, name) = name.split_at(begin);
    kept.to_owned() + &name.chars().map(swap).collect::<String>()
}

/// The ARN of what a kind names, which it is judged on.
fn arn(account: &Account, kind: Kind) -> Option<String> {
    let name = |kind| account.estate.name(kind);
    let iam = |rest: String| Some(format!("arn:aws:iam::{ACCOUNT}:{rest}"));
    match kind {
        Kind::User | Kind::UserArn => Some(name(Kind::UserArn).to_owned()),
        Kind::Role | Kind::RoleArn => Some(name(Kind::RoleArn).to_owned()),
        Kind::Profile | Kind::ProfileArn => Some(name(Kind::ProfileArn).to_owned()),
        Kind::PolicyArn | Kind::ProviderArn | Kind::Serial => Some(name(kind).to_owned()),
        Kind::Group => iam(format!("group/{}", name(kind))),
        Kind::SpareProfile => iam(format!("instance-profile/{}", name(kind))),
        Kind::ServiceLinkedRole => {
            iam(format!("role/aws-service-role/autoscaling.amazonaws.com/{}", name(kind)))
        }
        Kind::Agent => Some(format!("arn:aws:locum::{ACCOUNT}:agent/{}", name(kind))),
        _ => None,
    }
}

impl Callers {
    async fn new(house: &House, account: &Account) -> Self {
        let fence = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": ["ec2:*", "s3:*"], "Resource": "*",
        }});
        let request = json!({"policyName": "fence", "policy": fence.to_string()});
        let fence = account.root.made("CreatePolicy", request).await["policy"]["arn"].clone();
        let arns: BTreeSet<String> =
            NAMES.iter().chain(&ARNS).filter_map(|kind| arn(account, *kind)).collect();
        let mut fenced = BTreeMap::new();
        for (number, arn) in arns.into_iter().enumerate() {
            let denied = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "*", "Resource": arn},
            ]});
            let allowed = json!({"Version": "2012-10-17", "Statement": {
                "Effect": "Allow", "Action": "*", "Resource": arn,
            }});
            let mut keys = Vec::new();
            for (kind, policy) in [("denied", denied), ("allowed", allowed)] {
                let name = format!("{kind}-{number}");
                keys.push(account.user(&name, &policy).await);
                let request = json!({"owner": {"userName": name}, "policyArn": fence});
                account.root.made("PutPermissionsBoundary", request).await;
            }
            fenced.insert(arn, [&keys[0], &keys[1]].map(|key| Caller::new(house, key)));
        }
        Self { admin: Caller::new(house, &account.estate.admin), fenced }
    }
}

#[derive(Default)]
struct Report {
    operations: BTreeSet<String>,
    judged: BTreeSet<String>,
    names: usize,
    decisions: usize,
    others: usize,
    wrong: Vec<String>,
}

impl Report {
    /// Asks for the same with the name at `at` in one case and in the other.
    async fn compare(
        &mut self,
        account: &Account,
        callers: &mut Callers,
        operation: &Operation,
        at: usize,
    ) {
        let mut targets = BTreeSet::new();
        let named = |_: usize, kind: Kind| {
            targets.extend(arn(account, kind));
            // The role in it is passed.
            if [Kind::Profile, Kind::ProfileArn].contains(&kind) {
                targets.extend(arn(account, Kind::Role));
            }
            match kind {
                Kind::New => format!("spelling-{ACCOUNT}"),
                Kind::ProviderUrl => "https://spelling.example.com".to_owned(),
                // A page of a list begins with the first.
                Kind::Cursor | Kind::Token => String::new(),
                kind => account.estate.name(kind).to_owned(),
            }
        };
        let values = operation.values(Some(at), named, &json!([]));
        let mut other = values.clone();
        other.insert(at, json!(swapped(values[&at].as_str().unwrap())));
        let edge = if matches!(operation.edge, Edge::Grpc(_)) { "gRPC" } else { "Query" };
        let of_edge = format!("{edge} {}", operation.name);
        let what = format!("{of_edge}.{}", operation.places[at].name());
        self.operations.insert(of_edge.clone());
        self.names += 1;
        let is_name = operation.places[at].kind().is_some_and(|kind| NAMES.contains(&kind));
        for target in targets {
            for (caller, who) in
                callers.fenced.get_mut(&target).unwrap().iter_mut().zip(["denied", "allowed"])
            {
                let one = told(&caller.ask(operation, &values).await);
                let two = told(&caller.ask(operation, &other).await);
                self.decisions += 1;
                let hit = if who == "denied" { EXPLICIT } else { BOUNDARY };
                if one.contains(hit) {
                    self.judged.insert(of_edge.clone());
                }
                if one == two {
                    continue;
                }
                let answer = callers.admin.ask(operation, &other).await;
                if !is_name && NOT_THERE.contains(&answer.code.as_str()) {
                    self.others += 1;
                    continue;
                }
                let told =
                    format!("{what}, {who} {target}:\n    {one}\n    {two}\n    {}", answer.code);
                self.wrong.push(told);
            }
        }
        if is_name && reads(operation) {
            let codes = [&values, &other].map(|values| values.clone());
            let mut told = Vec::new();
            for values in &codes {
                told.push(callers.admin.ask(operation, values).await.code);
            }
            if told != ["OK", "OK"] {
                self.wrong.push(format!("{what} is read with {told:?}"));
            }
        }
    }
}

fn reads(operation: &Operation) -> bool {
    ["Get", "List"].iter().any(|begin| operation.name.starts_with(begin))
}

/// A refusal, or that it was none.
fn told(answer: &Answer) -> String {
    let message = match answer.text.split_once("<Message>") {
        Some((_, rest)) => rest.split("</Message>").next().unwrap_or_default(),
        None => answer.text.lines().next().unwrap_or_default(),
    };
    let message = message.split(" Encoded authorization").next().unwrap_or_default();
    format!("{} {message}", answer.code)
}

/// Whether it is for the account's people and tells an end.
fn is_asked(operation: &Operation) -> bool {
    match &operation.edge {
        Edge::Grpc(method) => {
            let service = method.parent_service().name().to_owned();
            !method.is_server_streaming() && service != "MetadataService"
        }
        Edge::Query(_) => true,
    }
}

/// Protects whoever denies by name, and whoever allows by name: a policy that names an entity holds for every request
/// that means it, however the request spells its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_in_another_case_is_decided_alike() {
    let house = House::new();
    let account = house.account(ACCOUNT).await;
    let mut callers = Callers::new(&house, &account).await;
    let mut report = Report::default();
    let (calls, operations) = (of_grpc().0, of_query().0);
    for operation in calls.iter().chain(&operations).filter(|operation| is_asked(operation)) {
        for (at, place) in operation.places.iter().enumerate() {
            let kind = place.kind().filter(|kind| NAMES.contains(kind) || ARNS.contains(kind));
            let name = place.name();
            let is_about = ABOUT.contains(&name.rsplit_once('.').map_or(&*name, |(_, last)| last));
            if kind.is_some() && !is_about && !ABOUT.contains(&name.as_str()) {
                report.compare(&account, &mut callers, operation, at).await;
            }
        }
    }
    let Report { operations, judged, names, decisions, others, mut wrong } = report;
    println!(
        "{} operations that name an entity, {names} names, {decisions} pairs of decisions; \
         {others} of them by ARNs that are others in another case",
        operations.len(),
    );
    for operation in operations.difference(&judged) {
        if !NOT_JUDGED.iter().any(|(name, _)| operation.ends_with(&format!(" {name}"))) {
            wrong.push(format!("{operation} is not judged on what it names"));
        }
    }
    for owner in [Kind::User, Kind::Role, Kind::Group] {
        wrong.extend(kept_twice(&account, owner).await);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Puts an inline policy again under its name in another case, which has to take its place.
async fn kept_twice(account: &Account, kind: Kind) -> Option<String> {
    let (field, call, entity) = match kind {
        Kind::User => ("userName", "GetUser", "user"),
        Kind::Role => ("roleName", "GetRole", "role"),
        _ => ("groupName", "GetGroup", "group"),
    };
    let name = swapped(account.estate.name(kind));
    let owner = json!({field: name});
    let policy = account.estate.name(Kind::Policy);
    let request = json!({
        "owner": owner, "policyName": swapped(account.estate.name(Kind::InlinePolicy)),
        "policy": policy,
    });
    account.root.made("PutInlinePolicy", request).await;
    let shown = account.root.made(call, owner).await;
    let kept = shown[entity]["inlinePolicies"].as_array().map_or(0, Vec::len);
    (kept != 1).then(|| format!("{call} shows {kept} inline policies"))
}
