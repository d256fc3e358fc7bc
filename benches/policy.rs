//! What a decision costs: a role with 3 policies of 5 statements, two with 100 statements under
//! conditions, and wildcards made to be slow; how much it allocates; beside Cedar on policies that say the
//! same, and one HMAC of ring, which is what verifying the request's signature costs at least.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/fixed.rs"]
mod fixed;

use std::hint::black_box;
use std::str::FromStr as _;

use cedar_policy::{Authorizer, Entities, EntityUid, PolicySet};
use criterion::{Criterion, Throughput, criterion_group};
use locum::identity::{Path, Principal, UniqueId, UserName};
use locum::policy::{Context, Named, Policies, Policy, PolicyKind, Request, Verdict, decide};
use ring::hmac;

/// Calls of a pattern where a fixed amount of work is asked for, times its factor.
const FIXED_CALLS: u32 = 1000;

/// A set of policies, whose last statement alone allows the request.
struct Set {
    name: &'static str,
    policies: usize,
    statements: usize,
    shape: Shape,
    /// Decisions where a fixed amount of work is asked for, times its factor: about as much time for each set.
    fixed_calls: u32,
}

/// What tells the statements of a set apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Their resources.
    Resources,
    /// Their resources; each has conditions, which hold.
    ResourcesUnderConditions,
    /// The last of three conditions, so that all conditions of all statements are looked at.
    Conditions,
}

const SETS: [Set; 3] = [
    Set {
        name: "3x5 statements",
        policies: 3,
        statements: 5,
        shape: Shape::Resources,
        fixed_calls: 5000,
    },
    Set {
        name: "100 with conditions",
        policies: 1,
        statements: 100,
        shape: Shape::ResourcesUnderConditions,
        fixed_calls: 1500,
    },
    Set {
        name: "300 conditions",
        policies: 1,
        statements: 100,
        shape: Shape::Conditions,
        fixed_calls: 250,
    },
];

impl Set {
    /// Statement by statement, the bucket and the team that it is about.
    fn subject(&self, number: usize) -> (String, String) {
        match self.shape {
            Shape::Conditions => ("bucket-0".to_owned(), format!("team-{number}")),
            _ => (format!("bucket-{number}"), "team-0".to_owned()),
        }
    }

    /// What the last statement allows.
    fn allowed(&self) -> (String, String) {
        self.subject(self.statements - 1)
    }

    /// What no statement allows, though all but one thing about it is right.
    fn refused(&self) -> (String, String) {
        let (bucket, _) = self.allowed();
        match self.shape {
            Shape::Conditions => (bucket, "none".to_owned()),
            _ => ("elsewhere".to_owned(), "team-0".to_owned()),
        }
    }

    fn policy(&self) -> Policy {
        let statement = |number: usize| {
            let (bucket, team) = self.subject(number);
            let conditions = format!(
                r#","Condition":{{"IpAddress":{{"aws:SourceIp":"10.0.0.0/8"}},"DateLessThan":{{"aws:CurrentTime":"2030-01-01T00:00:00Z"}},"StringEquals":{{"aws:PrincipalTag/team":"{team}"}}}}"#
            );
            let conditions = if self.shape == Shape::Resources { "" } else { &conditions };
            format!(
                r#"{{"Effect":"Allow","Action":["s3:Get*","s3:List{number}*"],"Resource":"arn:aws:s3:::{bucket}/*"{conditions}}}"#
            )
        };
        let statements: Vec<_> = (0..self.statements).map(statement).collect();
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        Policy::parse(&text, PolicyKind::Identity).expect("a policy")
    }

    /// The same in Cedar, whose ARNs and action names are strings of the context.
    fn cedar(&self) -> PolicySet {
        let mut text = String::new();
        for number in (0..self.policies).flat_map(|_| 0..self.statements) {
            let (bucket, team) = self.subject(number);
            let conditions = format!(
                r#" && context.sourceIp.isInRange(ip("10.0.0.0/8")) && context.now < 1893456000 && context.team == "{team}""#
            );
            let conditions = if self.shape == Shape::Resources { "" } else { &conditions };
            text.push_str(&format!(
                r#"permit(principal == User::"ana", action == Action::"call", resource) when {{
                    (context.action like "s3:Get*" || context.action like "s3:List{number}*")
                    && context.arn like "arn:aws:s3:::{bucket}/*"{conditions} }};"#
            ));
        }
        PolicySet::from_str(&text).expect("a policy set")
    }
}

fn ana() -> Principal {
    Principal::User {
        account: "111111111111".parse().expect("an account"),
        path: Path::default(),
        name: UserName::parse("ana").expect("a name"),
        id: UniqueId::parse("AIDAAAAAAAAAAAAAAAAAA").expect("an id"),
    }
}

/// Has the decisions on a set measured, by name.
fn locum(set: &Set, mut measure: impl FnMut(&str, &mut dyn FnMut())) {
    let principal = ana();
    let policies: Vec<_> = (0..set.policies).map(|_| set.policy()).collect();
    let identity = policies.iter().map(|policy| Named { name: "p", policy }).collect();
    let policies = Policies { identity, ..Policies::default() };
    for ((bucket, team), verdict) in
        [(set.allowed(), Verdict::Allow), (set.refused(), Verdict::ImplicitDeny)]
    {
        let mut context = Context::for_principal(&principal);
        context.insert("aws:SourceIp", "10.1.2.3".to_owned());
        context.insert("aws:CurrentTime", "2026-11-25T08:00:00Z".to_owned());
        context.insert("aws:PrincipalTag/team", team);
        let resource = format!("arn:aws:s3:::{bucket}/photo.jpg");
        let request = Request {
            principal: &principal,
            action: "s3:GetObject",
            resource: &resource,
            resource_account: None,
            context: &context,
        };
        assert_eq!(decide(&request, &policies).verdict(), verdict);
        let name = format!("{}, {verdict:?}", set.name);
        let mut decide = || {
            black_box(decide(black_box(&request), &policies));
        };
        let allocated = allocation_counter::measure(decide);
        println!("{name}: {} allocations a decision", allocated.count_total);
        measure(&name, &mut decide);
    }
}

/// The same of Cedar.
fn cedar(set: &Set, mut measure: impl FnMut(&str, &mut dyn FnMut())) {
    use cedar_policy::Decision::{Allow, Deny};
    let policies = set.cedar();
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    let uid = |text: &str| EntityUid::from_str(text).expect("an entity");
    for ((bucket, team), decision) in [(set.allowed(), Allow), (set.refused(), Deny)] {
        let context = format!(
            r#"{{"action":"s3:GetObject","arn":"arn:aws:s3:::{bucket}/photo.jpg","team":"{team}","now":1795590000,"sourceIp":{{"__extn":{{"fn":"ip","arg":"10.1.2.3"}}}}}}"#
        );
        let context = cedar_policy::Context::from_json_str(&context, None).expect("a context");
        let (who, what) = (uid(r#"User::"ana""#), uid(r#"Action::"call""#));
        let on = uid(r#"Thing::"x""#);
        let request = cedar_policy::Request::new(who, what, on, context, None).expect("a request");
        let decide = || authorizer.is_authorized(black_box(&request), &policies, &entities);
        assert_eq!(decide().decision(), decision);
        let mut decide = || {
            black_box(decide());
        };
        let allocated = allocation_counter::measure(decide);
        let name = format!("Cedar, {}, {decision:?}", set.name);
        println!("{name}: {} allocations a decision", allocated.count_total);
        measure(&name, &mut decide);
    }
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    let mut measure = |name: &str, mut decide: &mut dyn FnMut()| {
        group.bench_function(name, |b| b.iter(&mut decide));
    };
    for set in &SETS {
        locum(set, &mut measure);
        cedar(set, &mut measure);
    }
    group.bench_function("ring HMAC-SHA256, new key, 256 bytes", |b| {
        b.iter(|| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[7; 32]));
            hmac::sign(&key, black_box(&[0; 256]))
        });
    });
    group.finish();
}

/// Has patterns measured that make matchers which try again go quadratic or worse, on texts of some bytes that just
/// fail them.
fn patterns(mut measure: impl FnMut(&str, u64, &mut dyn FnMut())) {
    let principal = ana();
    let context = Context::for_principal(&principal);
    for (name, pattern) in [("a*a*a*...b", "a*".repeat(30) + "b"), ("*a?a?...b", pattern_of_ones())]
    {
        for bytes in [500, 1000, 2000] {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::{pattern}"}}}}"#
            );
            let policy = Policy::parse(&text, PolicyKind::Identity).expect("a policy");
            let resource = format!("arn:aws:s3:::{}", "a".repeat(bytes));
            let request = Request {
                principal: &principal,
                action: "s3:GetObject",
                resource: &resource,
                resource_account: None,
                context: &context,
            };
            let named = vec![Named { name: "p", policy: &policy }];
            let policies = Policies { identity: named, ..Policies::default() };
            assert_eq!(decide(&request, &policies).verdict(), Verdict::ImplicitDeny);
            measure(&format!("{name} on {bytes} bytes"), bytes as u64, &mut || {
                black_box(decide(black_box(&request), &policies));
            });
        }
    }
}

fn pathological(c: &mut Criterion) {
    let mut group = c.benchmark_group("wildcards");
    patterns(|name, bytes, mut decide| {
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(name, |b| b.iter(&mut decide));
    });
    group.finish();
}

fn pattern_of_ones() -> String {
    "*".to_owned() + &"a?".repeat(30) + "b*"
}

criterion_group!(benches, decisions, pathological);

fn main() {
    if fixed::factor().is_none() {
        benches();
        Criterion::default().configure_from_args().final_summary();
        return;
    }
    for set in &SETS {
        locum(set, |name, decide| {
            fixed::part(name, set.fixed_calls, decide);
        });
    }
    patterns(|name, _, decide| {
        // These take a tenth of the time of the others.
        let calls = if name.starts_with('a') { 10 * FIXED_CALLS } else { FIXED_CALLS };
        fixed::part(name, calls, decide);
    });
}
