//! What a decision costs: a role with 3 policies of 5 statements, one with 100 statements under
//! conditions, and wildcards made to be slow; how much it allocates; beside Cedar on policies that say the
//! same, and one HMAC of ring, which is what verifying the request's signature costs at least.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;
use std::str::FromStr as _;

use cedar_policy::{Authorizer, Entities, EntityUid, PolicySet};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use locum::identity::{Path, Principal, UniqueId, UserName};
use locum::policy::{Context, Named, Policies, Policy, PolicyKind, Request, Verdict, decide};
use ring::hmac;

type Group<'a> = BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// A set of policies and the request that its last statement allows.
struct Set {
    name: &'static str,
    policies: usize,
    statements: usize,
    conditions: bool,
    bucket: usize,
}

const SETS: [Set; 2] = [
    Set { name: "3x5 statements", policies: 3, statements: 5, conditions: false, bucket: 4 },
    Set { name: "100 with conditions", policies: 1, statements: 100, conditions: true, bucket: 99 },
];

/// Statements under conditions, and a text of characters that do not match: the target's shapes.
fn policy(statements: usize, conditions: bool) -> Policy {
    let condition = r#","Condition":{"StringEquals":{"aws:username":"ana"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#;
    let statement = |number: usize| {
        format!(
            r#"{{"Effect":"Allow","Action":["s3:Get*","s3:List{number}*"],"Resource":"arn:aws:s3:::bucket-{number}/*"{}}}"#,
            if conditions { condition } else { "" }
        )
    };
    let statements: Vec<_> = (0..statements).map(statement).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    Policy::parse(&text, PolicyKind::Identity).expect("a policy")
}

/// The same in Cedar, whose ARNs and action names are strings of the context.
fn cedar_policies(set: &Set) -> PolicySet {
    let condition =
        r#" && context.username == "ana" && context.sourceIp.isInRange(ip("10.0.0.0/8"))"#;
    let condition = if set.conditions { condition } else { "" };
    let mut text = String::new();
    for number in (0..set.policies).flat_map(|_| 0..set.statements) {
        text.push_str(&format!(
            r#"permit(principal == User::"ana", action == Action::"call", resource) when {{
                (context.action like "s3:Get*" || context.action like "s3:List{number}*")
                && context.arn like "arn:aws:s3:::bucket-{number}/*"{condition} }};"#
        ));
    }
    PolicySet::from_str(&text).expect("a policy set")
}

fn ana() -> Principal {
    Principal::User {
        account: "111111111111".parse().expect("an account"),
        path: Path::default(),
        name: UserName::parse("ana").expect("a name"),
        id: UniqueId::parse("AIDAAAAAAAAAAAAAAAAAA").expect("an id"),
    }
}

fn locum(group: &mut Group<'_>, set: &Set) {
    let principal = ana();
    let mut context = Context::for_principal(&principal);
    context.insert("aws:SourceIp", "10.1.2.3".to_owned());
    let policies: Vec<_> =
        (0..set.policies).map(|_| policy(set.statements, set.conditions)).collect();
    let resource = format!("arn:aws:s3:::bucket-{}/photo.jpg", set.bucket);
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource: &resource,
        resource_account: None,
        context: &context,
    };
    let named = policies.iter().map(|policy| Named { name: "p", policy }).collect();
    let policies = Policies { identity: named, ..Policies::default() };
    assert_eq!(decide(&request, &policies).verdict(), Verdict::Allow);
    let refused = Request { resource: "arn:aws:s3:::elsewhere/photo.jpg", ..request };
    assert_eq!(decide(&refused, &policies).verdict(), Verdict::ImplicitDeny);
    let allocated = allocation_counter::measure(|| {
        black_box(decide(black_box(&request), &policies));
    });
    println!("{}: {} allocations a decision", set.name, allocated.count_total);
    group.bench_function(format!("{}, allowed", set.name), |b| {
        b.iter(|| decide(black_box(&request), &policies));
    });
    group.bench_function(format!("{}, refused", set.name), |b| {
        b.iter(|| decide(black_box(&refused), &policies));
    });
}

fn cedar(group: &mut Group<'_>, set: &Set) {
    let policies = cedar_policies(set);
    let uid = |text: &str| EntityUid::from_str(text).expect("an entity");
    let context = format!(
        r#"{{"action":"s3:GetObject","arn":"arn:aws:s3:::bucket-{}/photo.jpg","username":"ana","sourceIp":{{"__extn":{{"fn":"ip","arg":"10.1.2.3"}}}}}}"#,
        set.bucket
    );
    let context = cedar_policy::Context::from_json_str(&context, None).expect("a context");
    let (who, what, on) = (uid(r#"User::"ana""#), uid(r#"Action::"call""#), uid(r#"Thing::"x""#));
    let request = cedar_policy::Request::new(who, what, on, context, None).expect("a request");
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    let decide = || authorizer.is_authorized(black_box(&request), &policies, &entities);
    assert_eq!(decide().decision(), cedar_policy::Decision::Allow);
    let allocated = allocation_counter::measure(|| {
        black_box(decide());
    });
    println!("Cedar, {}: {} allocations a decision", set.name, allocated.count_total);
    group.bench_function(format!("Cedar, {}, allowed", set.name), |b| b.iter(decide));
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    for set in &SETS {
        locum(&mut group, set);
        cedar(&mut group, set);
    }
    group.bench_function("ring HMAC-SHA256, new key, 256 bytes", |b| {
        b.iter(|| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[7; 32]));
            hmac::sign(&key, black_box(&[0; 256]))
        });
    });
    group.finish();
}

/// Patterns that make matchers which try again go quadratic or worse, on texts that just fail them.
fn pathological(c: &mut Criterion) {
    let mut group = c.benchmark_group("wildcards");
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
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(format!("{name} on {bytes} bytes"), |b| {
                b.iter(|| decide(black_box(&request), &policies));
            });
        }
    }
    group.finish();
}

fn pattern_of_ones() -> String {
    "*".to_owned() + &"a?".repeat(30) + "b*"
}

criterion_group!(benches, decisions, pathological);
criterion_main!(benches);
