//! What a decision costs: a role with 3 policies of 5 statements, and one with 100 statements under
//! conditions; beside one HMAC of ring, which is what verifying the request's signature costs at least.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use locum::identity::{Path, Principal, UniqueId, UserName};
use locum::policy::{Context, Named, Policies, Policy, PolicyKind, Request, Verdict, decide};
use ring::hmac;

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

fn decisions(c: &mut Criterion) {
    let principal = Principal::User {
        account: "111111111111".parse().expect("an account"),
        path: Path::default(),
        name: UserName::parse("ana").expect("a name"),
        id: UniqueId::parse("AIDAAAAAAAAAAAAAAAAAA").expect("an id"),
    };
    let mut context = Context::for_principal(&principal);
    context.insert("aws:SourceIp", "10.1.2.3".to_owned());
    let mut group = c.benchmark_group("policy");
    for (name, count, statements, conditions, bucket) in [
        ("3 policies of 5 statements", 3, 5, false, 4),
        ("100 statements with conditions", 1, 100, true, 99),
    ] {
        let policies: Vec<_> = (0..count).map(|_| policy(statements, conditions)).collect();
        let resource = format!("arn:aws:s3:::bucket-{bucket}/photo.jpg");
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
        group.bench_function(name, |b| b.iter(|| decide(black_box(&request), &policies)));
    }
    group.bench_function("ring HMAC-SHA256, new key, 256 bytes", |b| {
        b.iter(|| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[7; 32]));
            hmac::sign(&key, black_box(&[0; 256]))
        });
    });
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
