//! Every use case once over gRPC in one account, and once over the Query API in another that is like it.

use std::collections::BTreeSet;

use locum::clock::Clock;
use serde_json::{Value, json};

use super::api::references::Kind;
use super::api::wire::{Grpc, Query};
use super::forms::{ONE_EDGE, TWICE};
use super::house::{Account, House, Reply, UseCase, by_grpc, by_query, use_cases, with};
use super::pairs::{BAD, CODES, EC2_CODES, IN_OWN_WORDS, REFUSED};
use super::substance::is_of;
use super::support::totp;

const BY_GRPC: &str = "444444444441";
const BY_QUERY: &str = "444444444442";

/// What was compared.
#[derive(Default)]
struct Report {
    plays: usize,
    done: BTreeSet<String>,
    refused: BTreeSet<String>,
    values: usize,
    events: usize,
    refusals: usize,
    messages: usize,
    /// The lines of `ONE_EDGE` that were of use.
    told_once: BTreeSet<usize>,
    wrong: Vec<String>,
}

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Admin,
    /// Whoever is denied everything.
    Denied,
}

struct Play {
    grpc: Account,
    query: Account,
    callers: [(Grpc, Query); 2],
    step: usize,
    report: Report,
}

/// The stages in which an operation is played: what there is to take away is taken away once before the same is given
/// again.
fn stages(name: &str) -> &'static [u8] {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    match name {
        "GetSessionToken" | "GetFederationToken" => &[1],
        "SetDefaultPolicyVersion" => &[2],
        "DeleteRolePolicy" | "DeleteUserPolicy" | "DeleteGroupPolicy" => &[2, 5],
        "DeleteRolePermissionsBoundary" | "DeleteUserPermissionsBoundary" => &[2, 5],
        // What they name is there once.
        "DisassociateIamInstanceProfile" => &[2],
        "RemoveRoleFromInstanceProfile" => &[5],
        "DeletePolicyVersion" | "DeleteAccessKey" | "TerminateInstances" => &[6],
        // Whose ARN the user has from then on is another one.
        "UpdateUser" | "UpdateGroup" => &[6],
        // An account has one.
        "CreateAccountAlias" => &[8],
        _ if begins(&["Get", "List", "Describe", "Simulate", "Decode"]) => &[0, 4],
        _ if begins(&["Create", "Run", "Assume"]) => &[1],
        _ if begins(&["Detach", "Remove", "Untag", "Deactivate"]) => &[2, 5],
        _ if begins(&["Delete"]) => &[7],
        _ => &[3],
    }
}

/// Names of things that are there, and whose place those of nobody can take.
fn can_lack(use_case: &UseCase, kind: Kind) -> bool {
    let made = [Kind::New, Kind::ProviderUrl, Kind::Policy, Kind::Trust];
    let puts = kind == Kind::InlinePolicy && use_case.name().starts_with("Put");
    !made.contains(&kind) && !puts
}

impl Play {
    async fn new(house: &House) -> Self {
        let mut grpc = house.account(BY_GRPC).await;
        let mut query = house.account(BY_QUERY).await;
        let deny = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*"},
        ]});
        let denied = [grpc.user("denied", &deny).await, query.user("denied", &deny).await];
        let callers = [
            (house.grpc(&grpc.estate.admin), house.query(&query.estate.admin)),
            (house.grpc(&denied[0]), house.query(&denied[1])),
        ];
        let alike = (grpc.events().await, query.events().await);
        assert_eq!(alike.0, alike.1, "the accounts are alike");
        Self { grpc, query, callers, step: 0, report: Report::default() }
    }

    async fn play(&mut self, use_case: &UseCase, first: bool) {
        self.step += 1;
        if first {
            self.refusals(use_case).await;
        }
        let step = self.step;
        let named = |account: &Account, kind| named(account, kind, step);
        let mut message = use_case.message(|kind| named(&self.grpc, kind));
        let mut form = use_case.form(|kind| named(&self.query, kind));
        if let Some(ahead) = match use_case.name() {
            "EnableMFADevice" => Some(2),
            "ResyncMFADevice" => Some(5),
            _ => None,
        } {
            let now = Clock::System.now().as_unix_seconds() / 30 + ahead;
            for (field, step) in [("uthenticationCode1", now), ("uthenticationCode2", now + 1)] {
                message[format!("a{field}")] = json!(totp(&self.grpc.estate.seed, step));
                let code = totp(&self.query.estate.seed, step);
                form = with(&form, &format!("A{field}"), &code);
            }
        }
        self.report.plays += 1;
        let (grpc, query) = self.compare(use_case, "", Caller::Admin, (message, form)).await;
        let told = format!("{} {}: {}", use_case.name(), query.code, query.message);
        if grpc.is_ok() && query.is_ok() {
            self.report.done.insert(use_case.name().to_owned());
        } else {
            self.report.refused.insert(told);
        }
    }

    /// What is not there, who may not, and what no value is.
    async fn refusals(&mut self, use_case: &UseCase) {
        let step = self.step;
        let usual = |account: &Account, kind| named(account, kind, step);
        let requests = (
            use_case.message(|kind| usual(&self.grpc, kind)),
            use_case.form(|kind| usual(&self.query, kind)),
        );
        self.compare(use_case, "denied", Caller::Denied, requests).await;
        for lacking in use_case.kinds().into_iter().filter(|kind| can_lack(use_case, *kind)) {
            let named = |account: &Account, kind| match kind == lacking {
                true => account.estate.nobodys(kind).swap_remove(0),
                false => usual(account, kind),
            };
            let requests = (
                use_case.message(|kind| named(&self.grpc, kind)),
                use_case.form(|kind| named(&self.query, kind)),
            );
            let what = format!("without {lacking:?}");
            self.compare(use_case, &what, Caller::Admin, requests).await;
        }
        for bad in BAD.iter().filter(|bad| use_case.takes(bad)) {
            let (message, _) = use_case.spoilt(bad, |kind| usual(&self.grpc, kind));
            let (_, form) = use_case.spoilt(bad, |kind| usual(&self.query, kind));
            let what = format!("with {}", bad.what);
            let replies = self.compare(use_case, &what, Caller::Admin, (message, form)).await;
            if replies.0.is_ok() && replies.1.is_ok() {
                self.report.wrong.push(format!("{} {what} is done", use_case.name()));
            }
        }
    }

    async fn compare(
        &mut self,
        use_case: &UseCase,
        what: &str,
        caller: Caller,
        (message, form): (Value, String),
    ) -> (Reply, Reply) {
        let name = use_case.name();
        let (grpc, query) = &mut self.callers[usize::from(caller == Caller::Denied)];
        let replies = (by_grpc(grpc, use_case, &message).await, by_query(query, use_case, &form));
        let events = (self.grpc.events().await, self.query.events().await);
        let mut wrong = Vec::new();
        if !same_code(use_case.service(), name, &replies.0.code, &replies.1.code) {
            wrong.push(format!("gRPC {:?} and Query {:?}", replies.0, replies.1));
        } else if replies.1.is_ok() {
            self.values(name, &replies, &mut wrong);
        } else {
            self.report.refusals += 1;
            let words = [(&self.grpc, &replies.0), (&self.query, &replies.1)];
            let words = words.map(|(account, reply)| plain(&account.scrubbed(&reply.message)));
            let own = IN_OWN_WORDS.contains(&replies.0.code.as_str());
            self.report.messages += usize::from(!own);
            if !own && words[0] != words[1] {
                wrong.push(format!("gRPC says `{}`\n    Query says `{}`", words[0], words[1]));
            }
        }
        if events.0 != events.1 {
            wrong.push(format!("gRPC records {:#?}\n    Query records {:#?}", events.0, events.1));
        }
        self.report.events += events.0.len();
        let told = wrong.into_iter().map(|wrong| format!("{name} {what}: {wrong}"));
        self.report.wrong.extend(told);
        replies
    }

    /// Compares what the answers say, field by field.
    fn values(&mut self, name: &str, (grpc, query): &(Reply, Reply), wrong: &mut Vec<String>) {
        let fields: BTreeSet<&String> =
            grpc.substance.keys().chain(query.substance.keys()).collect();
        for field in fields {
            let twice = TWICE.iter().any(|(of, two)| is_of(of, name) && two == field);
            let shown = |account: &Account, reply: &Reply| -> Vec<String> {
                let values = reply.substance.get(field).into_iter().flatten();
                let mut values: Vec<_> = values.map(|value| account.scrubbed(value)).collect();
                values.sort_unstable();
                if twice {
                    values.dedup();
                }
                values
            };
            let (one, other) = (shown(&self.grpc, grpc), shown(&self.query, query));
            let told_once = |(of, one, _): &(&str, &str, &str)| is_of(of, name) && one == field;
            if one == other {
                self.report.values += one.len();
            } else if let Some(line) = ONE_EDGE.iter().position(told_once)
                && (one.is_empty() || other.is_empty())
            {
                self.report.told_once.insert(line);
            } else {
                wrong.push(format!("{field}: gRPC {one:?}, Query {other:?}"));
            }
        }
    }

    /// Takes away in both accounts what stands in the way of deleting what the estate has.
    async fn clear(&mut self) {
        for account in [&self.grpc, &self.query] {
            let name = |kind| account.estate.name(kind);
            let root = &account.root;
            let request = json!({
                "instanceProfileName": name(Kind::SpareProfile), "roleName": name(Kind::Role),
            });
            root.made("RemoveRoleFromInstanceProfile", request).await;
            let user = json!({"userName": name(Kind::User)});
            let keys = root.made("ListAccessKeys", user.clone()).await["accessKeys"].clone();
            for key in keys.as_array().into_iter().flatten() {
                let mut request = user.clone();
                request["accessKeyId"] = key["accessKeyId"].clone();
                root.made("DeleteAccessKey", request).await;
            }
            let policy = json!({"policyArn": name(Kind::PolicyArn)});
            let versions = root.made("ListPolicyVersions", policy.clone()).await;
            let entities = root.made("ListEntitiesForPolicy", policy.clone()).await;
            for owner in entities["bounded"].as_array().into_iter().flatten() {
                root.made("DeletePermissionsBoundary", json!({"owner": owner})).await;
            }
            for version in versions["versions"].as_array().unwrap() {
                if version.get("isDefault").is_none() {
                    let mut request = policy.clone();
                    request["version"] = version["version"].clone();
                    root.made("DeletePolicyVersion", request).await;
                }
            }
        }
        for account in [&mut self.grpc, &mut self.query] {
            account.events().await;
        }
    }
}

/// What requests name: of the estate, or new in this step.
fn named(account: &Account, kind: Kind, step: usize) -> String {
    let new = format!("edges-{step}-{}", account.estate.account);
    match kind {
        Kind::New => new,
        Kind::ProviderUrl => format!("https://{new}.example.com"),
        kind => account.estate.name(kind).to_owned(),
    }
}

/// A message as gRPC tells it: AWS's are sentences.
fn plain(message: &str) -> String {
    let mut letters = message.trim_end_matches('.').chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Whether both codes are the same refusal: by name, or by the table where AWS's service has a name of its own for it.
fn same_code(service: &str, name: &str, grpc: &str, query: &str) -> bool {
    let of_ec2 = EC2_CODES.contains(&(grpc, query));
    let own = CODES.iter().any(|(of, one, other)| (*of, *one, *other) == (name, grpc, query));
    grpc == query || (service == "ec2" && of_ec2) || own
}

/// Protects whoever changes from one edge to the other, and whoever reads the log: a use case is judged alike, answered
/// alike, refused alike and recorded alike, whichever edge it came in at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_use_case_is_one_over_both_edges() {
    let (use_cases, unknown) = use_cases();
    assert!(unknown.is_empty(), "give these a place in pairs.rs:\n{}", unknown.join("\n"));
    let house = House::new();
    let mut play = Play::new(&house).await;
    for stage in 0..=8 {
        if stage == 7 {
            play.clear().await;
        }
        for use_case in &use_cases {
            let stages = stages(use_case.name());
            if stages.contains(&stage) {
                play.play(use_case, stages[0] == stage).await;
            }
        }
    }
    let Report { plays, done, refused, values, events, refusals, messages, told_once, mut wrong } =
        play.report;
    println!(
        "{} use cases of both edges, {} played {plays} times: {} done, {values} values and {events} events \
         compared; {refusals} refusals compared, {messages} of them with their words; refused: {refused:?}",
        use_cases.len(),
        use_cases.len(),
        done.len(),
    );
    for (line, (of, field, _)) in ONE_EDGE.iter().enumerate() {
        if !told_once.contains(&line) {
            wrong.push(format!("{field} of {of} is told by one edge for no reason"));
        }
    }
    for use_case in use_cases.iter().filter(|use_case| !done.contains(use_case.name())) {
        if !REFUSED.iter().any(|(name, _)| *name == use_case.name()) {
            wrong.push(format!("{} was never done", use_case.name()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
