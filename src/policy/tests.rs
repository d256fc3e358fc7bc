//! What the language promises: AWS's evaluation rules, operators and messages, exact places of mistakes,
//! and that no input makes it slow or panic.

use proptest::prelude::*;

use super::*;
use crate::identity::{AccountId, Arn, Path, Principal, RoleName, SessionName, UniqueId, UserName};

const A: &str = "111111111111";
const B: &str = "222222222222";

fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn user(of: &str) -> Principal {
    Principal::User {
        account: account(of),
        path: Path::default(),
        name: UserName::parse("ana").unwrap(),
        id: UniqueId::parse("AIDAAAAAAAAAAAAAAAAAA").unwrap(),
    }
}

fn session(of: &str) -> Principal {
    Principal::AssumedRole {
        account: account(of),
        path: Path::parse("/team/").unwrap(),
        role: RoleName::parse("abcd").unwrap(),
        role_id: UniqueId::parse("AROAAAAAAAAAAAAAAAAAA").unwrap(),
        session: SessionName::parse("one").unwrap(),
    }
}

fn identity(statement: &str) -> Policy {
    parse(statement, PolicyKind::Identity)
}

fn parse(statement: &str, kind: PolicyKind) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    Policy::parse(&text, kind).unwrap()
}

const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const DENY_ALL: &str = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
const ALLOW_NONE: &str = r#"{"Effect":"Allow","Action":"x:None","Resource":"*"}"#;

fn named(policy: &Policy) -> Named<'_> {
    Named { name: "p", policy }
}

fn ask(principal: &Principal, owner: &str, policies: &Policies<'_>) -> Decision {
    let context = Context::for_principal(principal);
    let request = Request {
        principal,
        action: "sts:AssumeRole",
        resource: "arn:aws:iam::222222222222:role/efgh",
        resource_account: Some(account(owner)),
        context: &context,
    };
    decide(&request, policies)
}

/// Protects the table of the IAM User Guide on who has to allow what, for trust policies.
#[test]
fn a_role_is_assumed_when_each_side_that_has_to_allows() {
    use Verdict::{Allow, ImplicitDeny};
    let session_arn = format!("arn:aws:sts::{A}:assumed-role/abcd/one");
    let role_arn = format!("arn:aws:iam::{A}:role/team/abcd");
    let root = format!("arn:aws:iam::{A}:root");
    let other = format!("arn:aws:iam::{A}:role/other");
    // (trusted, role's account, caller allowed by its own policies, verdict, lacking)
    let table = [
        (&session_arn, A, false, Allow, PolicyKind::Resource),
        (&role_arn, A, false, Allow, PolicyKind::Resource),
        (&root, A, false, ImplicitDeny, PolicyKind::Identity),
        (&root, A, true, Allow, PolicyKind::Identity),
        (&other, A, true, ImplicitDeny, PolicyKind::Resource),
        (&role_arn, B, false, ImplicitDeny, PolicyKind::Identity),
        (&role_arn, B, true, Allow, PolicyKind::Identity),
        (&root, B, true, Allow, PolicyKind::Identity),
        (&other, B, true, ImplicitDeny, PolicyKind::Resource),
    ];
    for (trusted, owner, own, verdict, deciding) in table {
        let trust = parse(
            &format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"{trusted}"}},"Action":"sts:AssumeRole"}}"#
            ),
            PolicyKind::Trust,
        );
        let allow = identity(ALLOW_ALL);
        let policies = Policies {
            identity: if own { vec![named(&allow)] } else { vec![] },
            resource: Some(&trust),
            resource_must_allow: true,
            ..Policies::default()
        };
        let decision = ask(&session(A), owner, &policies);
        let case = format!("{trusted} in {owner}, own {own}");
        assert_eq!(decision.verdict(), verdict, "{case}");
        assert_eq!(decision.deciding(), deciding, "{case}");
    }
}

/// Protects that a role which does not exist is refused like one that trusts nobody.
#[test]
fn without_a_trust_policy_nobody_assumes_a_role() {
    let allow = identity(ALLOW_ALL);
    let policies = Policies {
        identity: vec![named(&allow)],
        resource_must_allow: true,
        ..Policies::default()
    };
    for owner in [A, B] {
        let decision = ask(&user(A), owner, &policies);
        assert_eq!(decision.verdict(), Verdict::ImplicitDeny);
        assert_eq!(decision.deciding(), PolicyKind::Resource);
    }
}

/// Protects deny by default, and that every limit limits.
#[test]
fn each_limit_has_to_allow_and_any_deny_wins() {
    let (allow, none, deny) = (identity(ALLOW_ALL), identity(ALLOW_NONE), identity(DENY_ALL));
    let granted = || Policies { identity: vec![named(&allow)], ..Policies::default() };
    let level = |policy| vec![Level { name: "root", policies: vec![named(policy)] }];
    let verdict = |policies: &Policies<'_>| {
        let decision = ask(&user(A), A, policies);
        (decision.verdict(), decision.deciding())
    };
    assert_eq!(verdict(&granted()), (Verdict::Allow, PolicyKind::Identity));
    assert_eq!(verdict(&Policies::default()), (Verdict::ImplicitDeny, PolicyKind::Identity));
    for (bound, expected) in [(&none, Verdict::ImplicitDeny), (&deny, Verdict::ExplicitDeny)] {
        let boundary = Policies { boundary: Some(vec![named(bound)]), ..granted() };
        assert_eq!(verdict(&boundary), (expected, PolicyKind::Boundary));
        let session = Policies { session: Some(vec![named(bound)]), ..granted() };
        assert_eq!(verdict(&session), (expected, PolicyKind::Session));
        let service = Policies { service_control: level(bound), ..granted() };
        assert_eq!(verdict(&service), (expected, PolicyKind::ServiceControl));
    }
    // AWS's RCPFullAWSAccess is implied: these only take away.
    let resource = |bound| Policies { resource_control: level(bound), ..granted() };
    assert_eq!(verdict(&resource(&none)), (Verdict::Allow, PolicyKind::Identity));
    let denied = (Verdict::ExplicitDeny, PolicyKind::ResourceControl);
    assert_eq!(verdict(&resource(&deny)), denied);
    let empty_session = Policies { session: Some(vec![]), ..granted() };
    assert_eq!(verdict(&empty_session), (Verdict::ImplicitDeny, PolicyKind::Session));
    let empty = vec![Level { name: "root", policies: vec![] }];
    let empty_level = Policies { service_control: empty, ..granted() };
    assert_eq!(verdict(&empty_level), (Verdict::ImplicitDeny, PolicyKind::ServiceControl));
}

/// Protects what AWS keeps for itself: nobody's own policies let them change it.
#[test]
fn what_is_reserved_cannot_be_changed() {
    let allow = identity(ALLOW_ALL);
    let policies = Policies { identity: vec![named(&allow)], ..Policies::default() };
    let verdict = |action, resource| {
        let (principal, context) = (&user(A), &Context::default());
        let resource_account = Some(account(A));
        decide(&Request { principal, action, resource, resource_account, context }, &policies)
            .verdict()
    };
    let sso = format!("arn:aws:iam::{A}:role/aws-reserved/sso.amazonaws.com/Admin");
    let own = format!("arn:aws:iam::{A}:role/Admin");
    let (managed, alias) =
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:kms:eu-west-1:1:alias");
    for (action, resource, expected) in [
        ("iam:DeletePolicy", managed, Verdict::ImplicitDeny),
        ("IAM:tagpolicy", managed, Verdict::ImplicitDeny),
        ("iam:GetPolicy", managed, Verdict::Allow),
        ("iam:PassRole", &sso, Verdict::ImplicitDeny),
        ("iam:GetRole", &sso, Verdict::Allow),
        ("iam:PassRole", &own, Verdict::Allow),
        ("kms:DeleteAlias", &format!("{alias}/aws/s3"), Verdict::ImplicitDeny),
        ("kms:DeleteAlias", &format!("{alias}/mine"), Verdict::Allow),
    ] {
        assert_eq!(verdict(action, resource), expected, "{action} on {resource}");
    }
}

/// Protects that a service is admitted by being named, itself or with everyone.
#[test]
fn services_have_to_be_named() {
    let trust = |principal: &str| {
        let text =
            format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#);
        parse(&text, PolicyKind::Trust)
    };
    for (principal, verdict) in [
        (r#"{"Service":"ec2.amazonaws.com"}"#, Verdict::Allow),
        (r#"{"Service":["lambda.amazonaws.com","ec2.amazonaws.com"]}"#, Verdict::Allow),
        (r#"{"Service":"lambda.amazonaws.com"}"#, Verdict::ImplicitDeny),
        (r#"{"AWS":"*"}"#, Verdict::Allow),
    ] {
        let trust = trust(principal);
        let policies =
            Policies { resource: Some(&trust), resource_must_allow: true, ..Policies::default() };
        assert_eq!(ask(&Principal::ec2(), A, &policies).verdict(), verdict, "{principal}");
    }
}

/// Protects that a trusted entity's successor of the same name is not trusted.
#[test]
fn bound_principals_are_their_ids() {
    let arn = format!("arn:aws:iam::{A}:role/team/abcd");
    let text = format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":["{arn}"]}},"Action":"sts:AssumeRole"}}"#
    );
    let trust = parse(&text, PolicyKind::Trust);
    let bind = |id: &'static str| trust.bind_principals(&move |_| Some(id.to_owned()));
    let verdict = |trust: &Policy| {
        let policies =
            Policies { resource: Some(trust), resource_must_allow: true, ..Policies::default() };
        ask(&session(A), A, &policies).verdict()
    };
    let bound = bind("AROAAAAAAAAAAAAAAAAAA");
    assert_eq!(verdict(&bound), Verdict::Allow);
    assert_eq!(verdict(&bind("AROABBBBBBBBBBBBBBBBB")), Verdict::ImplicitDeny);
    assert!(!bound.text().contains(&arn));
    assert_eq!(bound.principals_display(&|_| Some(arn.clone())), trust.text());
}

fn holds(condition: &str, context: &Context) -> bool {
    let statement =
        format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
    let policy = identity(&statement);
    let request = Request {
        principal: &user(A),
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/a",
        resource_account: None,
        context,
    };
    let policies = Policies { identity: vec![named(&policy)], ..Policies::default() };
    let decision = decide(&request, &policies);
    let mut asked = Context::of(policies.keys());
    asked.extend(context);
    let with_those_asked_about = decide(&Request { context: &asked, ..request }, &policies);
    assert_eq!(with_those_asked_about, decision, "no other key decides: {condition}");
    decision.verdict() == Verdict::Allow
}

/// Protects each operator, on present and on missing keys, and that a policy names the keys that decide.
#[test]
fn operators_compare_as_documented() {
    let mut context = Context::default();
    for (key, value) in [
        ("k:text", "Photos"),
        ("k:number", "10"),
        ("k:date", "2026-11-24T08:00:00Z"),
        ("k:bool", "true"),
        ("k:ip", "10.1.2.3"),
        ("k:ip6", "2001:db8::1"),
        ("k:arn", "arn:aws:iam::111111111111:role/team/abcd"),
        ("k:bytes", "aGk="),
        ("aws:username", "ana"),
    ] {
        context.insert(key, value.to_owned());
    }
    context.insert_multi("k:list", vec!["a".to_owned()]);
    context.insert_multi("k:many", vec!["a".to_owned(), "b".to_owned()]);
    for (condition, expected) in [
        (r#"{"StringEquals":{"K:Text":"Photos"}}"#, true),
        (r#"{"StringEquals":{"k:text":"photos"}}"#, false),
        (r#"{"StringNotEquals":{"k:text":["photos","Photos"]}}"#, false),
        (r#"{"StringNotEquals":{"k:gone":"x"}}"#, true),
        (r#"{"StringEqualsIgnoreCase":{"k:text":"pHOTOS"}}"#, true),
        (r#"{"StringLike":{"k:text":"Ph?t*"}}"#, true),
        (r#"{"StringEquals":{"k:text":"Ph*"}}"#, false),
        (r#"{"StringNotLike":{"k:text":"P*"}}"#, false),
        (r#"{"NumericLessThanEquals":{"k:number":10}}"#, true),
        (r#"{"NumericGreaterThan":{"k:number":"10"}}"#, false),
        (r#"{"NumericNotEquals":{"k:text":"1"}}"#, true),
        (r#"{"StringEquals":{"k:list":"a"}}"#, false),
        (r#"{"StringNotEqualsIfExists":{"k:list":"b"}}"#, false),
        (r#"{"Null":{"k:list":"false"}}"#, true),
        (r#"{"DateLessThan":{"k:date":"2026-11-25"}}"#, true),
        (r#"{"DateGreaterThan":{"k:date":"1700000000"}}"#, true),
        (r#"{"Bool":{"k:bool":true}}"#, true),
        (r#"{"BoolIfExists":{"k:gone":"true"}}"#, true),
        (r#"{"Bool":{"k:gone":"false"}}"#, false),
        (r#"{"BinaryEquals":{"k:bytes":"aGk="}}"#, true),
        (r#"{"IpAddress":{"k:ip":["192.168.0.0/16","10.0.0.0/8"]}}"#, true),
        (r#"{"NotIpAddress":{"k:ip":"10.1.2.3"}}"#, false),
        (r#"{"IpAddress":{"k:ip6":"2001:db8::/32"}}"#, true),
        (r#"{"IpAddress":{"k:ip":"0.0.0.0/0"}}"#, true),
        (r#"{"ArnLike":{"k:arn":"arn:aws:iam::*:role/team/*"}}"#, true),
        (r#"{"ArnEquals":{"k:arn":"arn:aws:iam::*:user/*"}}"#, false),
        (r#"{"ArnNotLike":{"k:arn":"arn:aws:iam::111111111111:role/*"}}"#, false),
        (r#"{"Null":{"k:gone":"true"}}"#, true),
        (r#"{"Null":{"k:text":"true"}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"k:many":["a","b","c"]}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"k:many":["a"]}}"#, false),
        (r#"{"ForAllValues:StringEquals":{"k:gone":["a"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"k:many":["b"]}}"#, true),
        (r#"{"ForAnyValue:StringEquals":{"k:gone":["b"]}}"#, false),
        (r#"{"ForAnyValue:StringNotEquals":{"k:many":["a"]}}"#, true),
        (r#"{"StringEquals":{"k:text":["x","Photos"],"k:number":"11"}}"#, false),
        (r#"{"StringLike":{"aws:username":"${aws:username}"}}"#, true),
        (r#"{"StringEquals":{"k:text":"${k:gone}"}}"#, false),
        (r#"{"StringEquals":{"k:text":"${k:gone, 'Photos'}"}}"#, true),
        (r#"{"StringLike":{"k:text":"${*}hotos"}}"#, false),
    ] {
        assert_eq!(holds(condition, &context), expected, "{condition}");
    }
}

/// Protects services that give condition keys: one value is one, unless it is said to be a list; an address shows as
/// people write it.
#[test]
fn keys_are_what_they_were_set_as() {
    let mut context = Context::default();
    context.insert_given("k:one", vec!["a".to_owned()], false);
    context.insert_given("k:list", vec!["a".to_owned()], true);
    context.insert_given("k:many", vec!["a".to_owned(), "b".to_owned()], false);
    context.insert_given("k:none", Vec::new(), false);
    let lists = ["k:one", "k:list", "k:many", "k:none", "k:gone"].map(|key| context.is_list(key));
    assert_eq!(lists, [false, true, true, true, false]);
    assert_eq!(context.get("k:many"), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert!(holds(r#"{"StringEquals":{"k:one":"a"}}"#, &context));
    assert!(!holds(r#"{"StringEquals":{"k:list":"a"}}"#, &context));
    let (mut one, mut list) = (Context::default(), Context::default());
    one.insert("k", "a".to_owned());
    list.insert_multi("k", vec!["a".to_owned()]);
    assert_ne!(one, list);
    const ADDRESS: Key = Key::known("aws:sourceip");
    for (given, shown) in [("::ffff:10.1.2.3", "10.1.2.3"), ("2001:db8::1", "2001:db8::1")] {
        context.set_address(ADDRESS, given.parse().unwrap());
        assert_eq!(context.get("aws:SourceIp"), Some(&[shown.to_owned()][..]));
    }
}

/// Protects that a variable's value is literal and does not reach into other resources.
#[test]
fn a_wildcard_in_a_variable_is_plain_text() {
    let policy = identity(
        r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::home/${k:dir}/*"}"#,
    );
    let allowed = |dir: &str, resource: &str| {
        let mut context = Context::default();
        context.insert("k:dir", dir.to_owned());
        let request = Request {
            principal: &user(A),
            action: "S3:getobject",
            resource,
            resource_account: None,
            context: &context,
        };
        let policies = Policies { identity: vec![named(&policy)], ..Policies::default() };
        decide(&request, &policies).verdict() == Verdict::Allow
    };
    assert!(allowed("ana", "arn:aws:s3:::home/ana/photo"));
    assert!(!allowed("*", "arn:aws:s3:::home/ana/photo"));
    assert!(!allowed("ana", "arn:aws:s3:::HOME/ana/photo"));
}

/// Protects that a mistake is told with its place, rule and a suggestion.
#[test]
fn mistakes_are_told_with_their_place() {
    let mistake = |text: &str, kind| Policy::parse(text, kind).unwrap_err().to_string();
    let cases = [
        (
            "{\n \"Statement\": [{\"Effekt\": 1}]}",
            PolicyKind::Identity,
            "$.Statement[0] (line 2, column 17): unknown element `Effekt`; did you mean `Effect`?",
        ),
        (
            "{\"Statement\":{\"Effect\":\"Allow\",\"Effect\":\"Deny\"}}",
            PolicyKind::Identity,
            "$.Statement (line 1, column 32): `Effect` is given twice",
        ),
        (
            "{\"Version\":\"2012\",\"Statement\":[]}",
            PolicyKind::Identity,
            "$.Version (line 1, column 12): must be \"2012-10-17\" or \"2008-10-17\"; did you mean `2012-10-17`?",
        ),
        ("not json", PolicyKind::Identity, "$ (line 1, column 4): expected a JSON value"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:Get","Resource":"*","Principal":"*"}}"#,
            PolicyKind::Identity,
            "$.Statement (line 1, column 77): Policy document should not specify a principal.",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/*"},"Action":"sts:AssumeRole"}}"#,
            PolicyKind::Trust,
            "$.Statement.Principal.AWS (line 1, column 51): Invalid principal in policy",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:Get"}}"#,
            PolicyKind::Trust,
            "$.Statement.Action (line 1, column 57): AssumeRole policy may only specify STS AssumeRole actions.; did you mean `sts:AssumeRole`?",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:Get","Resource":"*","Condition":{"StringEqals":{"a":"b"}}}}"#,
            PolicyKind::Identity,
            "$.Statement.Condition.StringEqals (line 1, column 78): `StringEqals` is no condition operator; did you mean `StringEquals`?",
        ),
    ];
    for (text, kind, expected) in cases {
        assert_eq!(mistake(text, kind), expected);
    }
}

/// Protects that what is read is JSON to every other reader too.
#[test]
fn numbers_are_those_of_json() {
    let read = |number: &str| {
        let condition = format!(r#"{{"StringEquals":{{"k:n":{number}}}}}"#);
        let statement =
            format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
        Policy::parse(&format!(r#"{{"Statement":{statement}}}"#), PolicyKind::Identity).is_ok()
    };
    for number in ["0", "-1", "10.5", "1e5", "1E+5", "-0.5e-2"] {
        assert!(read(number), "{number}");
    }
    for number in ["01", "-01", ".5", "5.", "1.e5", "1.E5", "-.5", "+1", "1e", "--1", "1e400"] {
        assert!(!read(number), "{number}");
    }
}

/// Protects the sentence that tells which side lacks the permission.
#[test]
fn refusals_say_which_policy_was_missing() {
    let decision = ask(&user(A), A, &Policies::default());
    let role = Arn::parse("arn:aws:iam::111111111111:role/Get-pics").unwrap();
    assert_eq!(
        decision.message("arn:aws:iam::111111111111:user/ana", "iam:PassRole", role.as_str()),
        "User: arn:aws:iam::111111111111:user/ana is not authorized to perform: iam:PassRole on \
         resource: arn:aws:iam::111111111111:role/Get-pics because no identity-based policy allows \
         the iam:PassRole action"
    );
}

fn naive(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            naive(rest, text) || text.split_first().is_some_and(|(_, t)| naive(pattern, t))
        }
        (Some(('?', rest)), Some((_, t))) => naive(rest, t),
        (Some((p, rest)), Some((c, t))) => p == c && naive(rest, t),
        _ => false,
    }
}

proptest! {
    /// Protects the quick matcher: it agrees with the obvious one.
    #[test]
    fn globs_match_like_the_obvious_matcher(pattern in "[ab?*]{0,8}", text in "[ab]{0,8}") {
        let obvious = naive(
            &pattern.chars().collect::<Vec<_>>(),
            &text.chars().collect::<Vec<_>>(),
        );
        prop_assert_eq!(super::pattern::Pattern::plain(&pattern).matches(&text, &Context::default()), obvious);
    }

    /// Protects the service from any text that is sent as a policy.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Policy::parse(&text, PolicyKind::Identity);
    }

    /// Protects the service from texts that nearly are policies.
    #[test]
    fn any_json_like_text_is_read_or_refused(text in r#"[\[\]{}:,"a\\u0-9 ]{0,60}"#) {
        let _ = Policy::parse(&format!(r#"{{"Statement":{text}}}"#), PolicyKind::Trust);
    }

    /// Protects deny by default: adding a deny never turns a refusal into an allow.
    #[test]
    fn a_deny_only_takes_away(allows in prop::collection::vec(0..3usize, 0..3)) {
        let pool = [identity(ALLOW_ALL), identity(ALLOW_NONE), identity(DENY_ALL)];
        let own: Vec<_> = allows.iter().map(|index| named(&pool[*index])).collect();
        let mut more = own.clone();
        more.push(named(&pool[2]));
        let before = ask(&user(A), A, &Policies { identity: own, ..Policies::default() });
        let after = ask(&user(A), A, &Policies { identity: more, ..Policies::default() });
        prop_assert_eq!(after.verdict(), Verdict::ExplicitDeny);
        prop_assert!(before.verdict() == Verdict::Allow || after.verdict() != Verdict::Allow);
    }
}
