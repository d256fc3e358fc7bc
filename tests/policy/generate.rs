//! Makes cases out of bytes: valid policies and requests from small vocabularies, so that they meet often
//! enough to be allowed, denied and passed over. The bytes come from proptest or from a fuzzer.

use serde_json::{Map, Value, json};

/// Decisions, one byte each; the first of each choice when the bytes are used up.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count.max(1)
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Once in `count` times.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// A text, or a list of one to three.
    fn one_or_many(&mut self, mut item: impl FnMut(&mut Self) -> Value) -> Value {
        match self.below(4) {
            0 | 1 => item(self),
            count => Value::Array((1..count + 1).map(|_| item(self)).collect()),
        }
    }
}

const PRINCIPALS: [&str; 14] = [
    "arn:aws:iam::111111111111:user/ana",
    "arn:aws:sts::111111111111:assumed-role/work/one",
    "arn:aws:iam::111111111111:user/ana",
    "arn:aws:sts::111111111111:assumed-role/work/one",
    "arn:aws:sts::111111111111:assumed-role/work/two",
    "arn:aws:iam::111111111111:user/team/bob",
    "arn:aws:iam::111111111111:root",
    "arn:aws:sts::111111111111:federated-user/fred",
    "arn:aws:iam::222222222222:user/ana",
    "arn:aws:sts::222222222222:assumed-role/work/one",
    "arn:aws:sts::111111111111:assumed-role/linked/one",
    "ec2.amazonaws.com",
    "anonymous",
    "arn:aws:iam::111111111111:saml-provider/corp",
];

const AWS_NAMES: [&str; 13] = [
    "111111111111",
    "arn:aws:iam::111111111111:root",
    "arn:aws:iam::111111111111:user/ana",
    "arn:aws:iam::111111111111:role/work",
    "arn:aws:sts::111111111111:assumed-role/work/one",
    "*",
    "arn:aws:iam::111111111111:user/team/bob",
    "arn:aws:iam::222222222222:root",
    "arn:aws:iam::222222222222:user/ana",
    "arn:aws:iam::222222222222:role/work",
    "arn:aws:sts::111111111111:assumed-role/work/two",
    "arn:aws:sts::111111111111:federated-user/fred",
    "arn:aws:iam::111111111111:role/aws-service-role/x/linked",
];

/// Actions with resources of theirs.
const TARGETS: [(&str, &str); 8] = [
    ("s3:GetObject", "arn:aws:s3:::photos/ana/x.jpg"),
    ("s3:GetObject", "arn:aws:s3:::photos/ana/x.jpg"),
    ("s3:ListAllMyBuckets", "*"),
    ("sts:AssumeRole", "arn:aws:iam::111111111111:role/work"),
    ("sts:TagSession", "arn:aws:iam::222222222222:role/team/work"),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111111111111:key/k1"),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:222222222222:line:a"),
    ("sts:GetCallerIdentity", "*"),
];

const ACTION_PATTERNS: [&str; 14] = [
    "*",
    "s3:*",
    "s3:Get*",
    "sts:*",
    "S3:GETOBJECT",
    "sts:assumerole",
    "kms:*crypt",
    "*:Get*",
    "*:*e*",
    "sts:?*Session",
    "sqs:Send?essage",
    "s3:Put*",
    "ec2:*",
    "iam:PassRole",
];

const RESOURCE_PATTERNS: [&str; 20] = [
    "*",
    "arn:aws:s3:::photos/*",
    "arn:aws:s3:*:*:*",
    "arn:aws:iam::*:role/*",
    "arn:aws:s3:::photos/${aws:username}/*",
    "arn:aws:s3",
    "arn:aws:s3:*/x.jpg",
    "arn:aws:sqs:*:a",
    "arn:aws:s3:::*ana/?.jp?",
    "arn:aws:kms:*:1*1:key/*",
    "arn:aws:kms:eu-west-?:*1:key/k1",
    "arn:aws:s3:::photos/${aws:PrincipalTag/team, 'ana'}/x${*}jpg",
    "arn:aws:s3:::PHOTOS/*",
    "arn:aws:sqs:eu-*:*:line:*",
    "arn:aws:sqs:eu-west-1:222222222222:*:?",
    "arn:aws:iam::222222222222:role/team/work",
    "arn:aws:iam::111111111111:role/work",
    "arn:aws:kms:*:k1",
    "arn:aws:kms:*",
    "arn:aws:kms:*:${aws:PrincipalAccount}:*",
];

/// A condition key, values that requests have, operators that suit it, and values of policies.
struct Key {
    name: &'static str,
    given: &'static [&'static str],
    operators: &'static [&'static str],
    expected: &'static [&'static str],
}

const STRINGS: &[&str] = &[
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "stringequals",
];
const TEXTS: &[&str] = &["ana", "a*", "red", "${aws:username}", "R?d", "${k:gone, 'red'}", "", "*"];
const ARNS: &[&str] = &[
    "arn:aws:*:*:*:*",
    "arn:aws:iam::111111111111:*",
    "arn:aws:iam::1*:user/${aws:username}",
    "arn:aws:sns:*:topic*",
    "arn:aws:sns:eu-*:*:topic:*",
    "*",
];

const KEYS: [Key; 9] = [
    Key { name: "aws:username", given: &["ana", "Red"], operators: STRINGS, expected: TEXTS },
    Key {
        name: "aws:PrincipalTag/team",
        given: &["red", "RED", "ana", ""],
        operators: STRINGS,
        expected: TEXTS,
    },
    Key {
        name: "aws:TagKeys",
        given: &["red", "ana", "", "blue"],
        operators: STRINGS,
        expected: TEXTS,
    },
    Key {
        name: "aws:SourceIp",
        given: &["10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "somewhere"],
        operators: &["IpAddress", "NotIpAddress"],
        expected: &[
            "10.0.0.0/8",
            "0.0.0.0/0",
            "10.1.2.3",
            "2001:DB8::/32",
            "::ffff:10.1.0.0/112",
            "::/0",
        ],
    },
    Key {
        name: "s3:max-keys",
        given: &["10", "10.5", "-3", "many", "1e1", "9007199254740993"],
        operators: &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        expected: &["10", "10.0", "11", "-3", "9007199254740992"],
    },
    Key {
        name: "aws:CurrentTime",
        given: &["2026-11-25T08:00:00Z", "1790000000", "2024-02-29T23:59:59Z", "soon"],
        operators: &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        expected: &["2026-11-25T08:00:00Z", "2026-11-25", "1709251199", "2100-01-01T00:00:00Z"],
    },
    Key {
        name: "aws:SecureTransport",
        given: &["true", "false", "True", "maybe"],
        operators: &["Bool", "Null"],
        expected: &["true", "false"],
    },
    Key {
        name: "k:bytes",
        given: &["aGk=", "aGkh", "?"],
        operators: &["BinaryEquals"],
        expected: &["aGk=", "aGkh"],
    },
    Key {
        name: "aws:SourceArn",
        given: &["arn:aws:iam::111111111111:user/ana", "arn:aws:sns:eu-west-1:1:topic:a", "ana"],
        operators: &["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"],
        expected: ARNS,
    },
];

/// What kinds of policies differ in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attached to the caller, without a Principal element.
    OfCaller,
    /// Names principals, and may leave the resource out, which is its own.
    OfResource,
    /// Names principals and resources.
    ResourceControl,
}

impl Kind {
    /// The kind of the policies in a field of a case.
    pub(crate) fn of_field(field: &str) -> Self {
        match field {
            "resourcePolicy" => Self::OfResource,
            "resourceControlPolicies" => Self::ResourceControl,
            _ => Self::OfCaller,
        }
    }
}

/// A case with all kinds of policies, each there now and then.
pub(crate) fn case(choices: &mut Choices<'_>) -> Value {
    let principal = choices.of(&PRINCIPALS);
    let (action, resource) = choices.of(&TARGETS);
    let mut case = Map::new();
    let mut put = |field: &str, value: Value| {
        case.insert(field.to_owned(), value);
    };
    put("principal", json!(principal));
    put("action", json!(action));
    put("resource", json!(resource));
    put("context", context(choices, principal));
    if choices.once_in(3) {
        put("resourceAccount", json!(choices.of(&["111111111111", "222222222222", ""])));
    }
    if !choices.once_in(5) {
        put("identityPolicies", list(choices, action, Kind::OfCaller));
    }
    if choices.below(2) == 1 {
        put("resourcePolicy", document(choices, action, Kind::OfResource));
    }
    for field in ["permissionBoundaries", "sessionPolicies", "endpointPolicies"] {
        if choices.once_in(5) {
            put(field, list(choices, action, Kind::OfCaller));
        }
    }
    for field in ["serviceControlPolicies", "resourceControlPolicies"] {
        if choices.once_in(5) {
            put(field, levels(choices, action, Kind::of_field(field)));
        }
    }
    Value::Object(case)
}

/// A statement that allows.
pub(crate) fn allowing_statement(choices: &mut Choices<'_>, action: &str, kind: Kind) -> Value {
    let mut statement = statement(choices, action, kind);
    statement["Effect"] = json!("Allow");
    statement
}

fn context(choices: &mut Choices<'_>, principal: &str) -> Value {
    let mut context = Map::new();
    for key in &KEYS {
        // The user's name is known of users; a case may say otherwise.
        let rarely = key.name == "aws:username";
        if rarely && !choices.once_in(4) || choices.once_in(3) {
            continue;
        }
        let value = match (key.name, choices.below(8)) {
            ("aws:TagKeys", count) => {
                json!((0..count % 4).map(|_| choices.of(key.given)).collect::<Vec<_>>())
            }
            (_, 7) => json!([choices.of(key.given), choices.of(key.given)]),
            _ => json!(choices.of(key.given)),
        };
        let name = if choices.once_in(4) { key.name.to_uppercase() } else { key.name.to_owned() };
        context.insert(name, value);
    }
    if principal.contains("assumed-role/linked/") {
        let role = "arn:aws:iam::111111111111:role/aws-service-role/x/linked";
        context.insert("aws:PrincipalArn".to_owned(), json!(role));
    }
    Value::Object(context)
}

fn list(choices: &mut Choices<'_>, action: &str, kind: Kind) -> Value {
    let count = 1 + choices.below(3);
    let item = |number: usize| {
        let document = document(choices, action, kind);
        match choices.below(2) {
            0 => json!({"name": format!("p{number}"), "policy": document}),
            _ => document,
        }
    };
    Value::Array((0..count).map(item).collect())
}

fn levels(choices: &mut Choices<'_>, action: &str, kind: Kind) -> Value {
    let count = 1 + choices.below(2);
    let level = |number: usize| {
        let mut policies = match choices.once_in(8) {
            true => json!([]),
            false => list(choices, action, kind),
        };
        // As in most organizations, one policy of a level allows all.
        if let (Some(policies), true) = (policies.as_array_mut(), choices.below(3) > 0) {
            let mut all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            if kind == Kind::ResourceControl {
                all["Principal"] = json!("*");
            }
            policies.push(json!({"name": "FullAWSAccess", "policy": {"Statement": all}}));
        }
        json!({"orgIdentifier": format!("level{number}"), "policies": policies})
    };
    Value::Array((0..count).map(level).collect())
}

fn document(choices: &mut Choices<'_>, action: &str, kind: Kind) -> Value {
    let mut document = Map::new();
    match choices.below(6) {
        0 => {}
        1 => {
            document.insert("Version".to_owned(), json!("2008-10-17"));
        }
        _ => {
            document.insert("Version".to_owned(), json!("2012-10-17"));
        }
    }
    let statements = choices.one_or_many(|choices| statement(choices, action, kind));
    document.insert("Statement".to_owned(), statements);
    Value::Object(document)
}

fn statement(choices: &mut Choices<'_>, action: &str, kind: Kind) -> Value {
    let mut statement = Map::new();
    let deny = choices.once_in(6);
    statement.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
    let not = |choices: &mut Choices<'_>, element: &str| match choices.once_in(7) {
        true => format!("Not{element}"),
        false => element.to_owned(),
    };
    let element = not(choices, "Action");
    let actions = choices.one_or_many(|choices| match choices.below(3) {
        0 => json!(action),
        1 => json!("*"),
        _ => json!(choices.of(&ACTION_PATTERNS)),
    });
    statement.insert(element, actions);
    if kind != Kind::OfResource || !choices.once_in(3) {
        let element = not(choices, "Resource");
        let resources = choices.one_or_many(|choices| match choices.below(3) {
            0 => json!("*"),
            _ => json!(choices.of(&RESOURCE_PATTERNS)),
        });
        statement.insert(element, resources);
    }
    if kind != Kind::OfCaller {
        let element = not(choices, "Principal");
        statement.insert(element, principals(choices));
    }
    if choices.below(2) == 1 {
        statement.insert("Condition".to_owned(), conditions(choices));
    }
    Value::Object(statement)
}

fn principals(choices: &mut Choices<'_>) -> Value {
    match choices.below(8) {
        0 => json!("*"),
        1 => {
            json!({"Service": choices.one_or_many(|c| json!(c.of(&["ec2.amazonaws.com", "ecs.amazonaws.com"])))})
        }
        2 => {
            json!({"Federated": "arn:aws:iam::111111111111:saml-provider/corp", "AWS": choices.of(&AWS_NAMES)})
        }
        3 => json!({"CanonicalUser": "79a59df900b949e5", "AWS": [choices.of(&AWS_NAMES)]}),
        _ => json!({"AWS": choices.one_or_many(|choices| json!(choices.of(&AWS_NAMES)))}),
    }
}

fn conditions(choices: &mut Choices<'_>) -> Value {
    let mut block = Map::new();
    for _ in 0..1 + choices.below(2) {
        let key = &KEYS[choices.below(KEYS.len())];
        let mut operator = choices.of(key.operators).to_owned();
        if operator != "Null" {
            let set = choices.below(if key.name == "aws:TagKeys" { 3 } else { 8 });
            operator = match set {
                1 => format!("ForAnyValue:{operator}"),
                2 => format!("ForAllValues:{operator}"),
                _ => operator,
            };
            if choices.once_in(4) {
                operator.push_str("IfExists");
            }
        }
        let values = match choices.once_in(16) {
            true => json!([]),
            false => choices.one_or_many(|choices| json!(choices.of(key.expected))),
        };
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        keys[key.name] = values;
    }
    Value::Object(block)
}
