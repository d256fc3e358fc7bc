//! Policies that people have, played: `tests/policy/played/*.json` holds policies with the actions, keys and operators of
//! published ones, and for each statement one call that it allows and one that it refuses. Both are made over both
//! edges, with the policy as it is and without the statement, so that it is the statement that decides.
//!
//! In the data `{region}` and `{office}` stand for the region and the address of the caller unless a call says `where` they
//! are others; `on` is what is there before the call; `beside` are statements that the calls need besides. Statements
//! about what Locum has not say what it `lacks`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use locum::aws;
use serde_json::{Value, json};

use super::api::wire::{Answer, Grpc, Query, method};
use super::house::{Account, House, with};

const ACCOUNT: &str = "444444444444";
/// Who calls.
const CALLER: &str = "pat";
/// The group whose policy they have, which has more room than a user.
const GROUP: &str = "played";
/// What stands in policies for what depends on the installation, unless a call says otherwise.
const USUAL: [(&str, &str); 4] = [
    ("account", ACCOUNT),
    ("region", "us-east-1"),
    ("office", "127.0.0.1/32"),
    ("who", "arn:aws:iam::*:role/metadata-admins"),
];
/// Fields of a launch that gRPC has not: there, nothing is said of the network.
const QUERY_ALONE: [&str; 2] = ["subnet", "key"];
/// Codes of a refusal by policy.
const DENIED: [&str; 2] = ["AccessDenied", "UnauthorizedOperation"];

struct Stage {
    account: Account,
    grpc: Grpc,
    query: Query,
    /// Roles that are there, each in a profile of its name.
    roles: BTreeSet<String>,
    made: usize,
    calls: usize,
}

/// What is there before a call.
#[derive(Default)]
struct There {
    instance: String,
    association: String,
    profile: String,
}

/// A call on both edges.
struct Request {
    /// None where gRPC cannot ask for it.
    message: Option<(&'static str, Value)>,
    service: &'static str,
    form: String,
}

/// A statement about nothing here: without any, a policy is none.
fn filler() -> Value {
    json!({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
}

/// The field of a call as text, or nothing.
fn text<'a>(call: &'a Value, field: &str) -> &'a str {
    call[field].as_str().unwrap_or_default()
}

impl Stage {
    async fn new(house: &House) -> Self {
        let account = house.account(ACCOUNT).await;
        let key =
            account.user(CALLER, &json!({"Version": "2012-10-17", "Statement": filler()})).await;
        account.root.made("CreateGroup", json!({"groupName": GROUP})).await;
        let request = json!({"groupName": GROUP, "userName": CALLER});
        account.root.made("AddUserToGroup", request).await;
        let (grpc, query) = (house.grpc(&key), house.query(&key));
        Self { account, grpc, query, roles: BTreeSet::new(), made: 0, calls: 0 }
    }

    async fn root(&self, name: &str, request: Value) -> Value {
        self.account.root.made(name, request).await
    }

    fn new_name(&mut self) -> String {
        self.made += 1;
        format!("played-{}", self.made)
    }

    /// Sees to it that a role is there, in a profile of its name.
    async fn role(&mut self, name: &str) {
        if name.is_empty() || !self.roles.insert(name.to_owned()) {
            return;
        }
        let trust = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }});
        self.root("CreateRole", json!({"roleName": name, "trustPolicy": trust.to_string()})).await;
        self.root("CreateInstanceProfile", json!({"instanceProfileName": name})).await;
        let request = json!({"instanceProfileName": name, "roleName": name});
        self.root("AddRoleToInstanceProfile", request).await;
    }

    /// Makes what a call is on.
    async fn prepare(&mut self, call: &Value) -> There {
        self.role(text(call, "role")).await;
        let Some(on) = call.get("on") else { return There::default() };
        let tags = on.get("tags").cloned().unwrap_or(json!({}));
        if !is_of_ec2(call) {
            let profile = self.new_name();
            let request = json!({"instanceProfileName": profile, "tags": tags});
            self.root("CreateInstanceProfile", request).await;
            return There { profile, ..There::default() };
        }
        let mut request = json!({"tags": tags});
        let role = text(on, "role");
        if !role.is_empty() {
            self.role(role).await;
            request["instanceProfile"] = json!({"name": role});
        }
        let launched = self.root("LaunchInstance", request).await;
        let instance = &launched["instance"];
        There {
            instance: text(instance, "instanceId").to_owned(),
            association: text(&instance["association"], "associationId").to_owned(),
            profile: String::new(),
        }
    }

    /// Makes a call over one edge, as the user with this policy; none where the edge cannot ask for it.
    async fn play(&mut self, by_grpc: bool, call: &Value, statements: &[Value]) -> Option<Answer> {
        let there = self.prepare(call).await;
        let new = self.new_name();
        let request = request(call, &there, &new);
        if by_grpc && request.message.is_none() {
            return None;
        }
        let filler = filler();
        let statements: Vec<_> = statements.iter().chain([&filler]).collect();
        let mut policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        for (name, value) in USUAL {
            let value = call["where"][name].as_str().unwrap_or(value);
            policy = policy.replace(&format!("{{{name}}}"), value);
        }
        let owner = json!({"groupName": GROUP});
        let put = json!({"owner": owner, "policyName": "own", "policy": policy});
        self.root("PutInlinePolicy", put).await;
        self.calls += 1;
        let Request { message, service, form } = request;
        Some(match message.filter(|_| by_grpc) {
            Some((name, message)) => self.grpc.call(&method(name), &message).await,
            None => self.query.call(service, &form),
        })
    }
}

/// Parameters of a request, those that say something.
struct Form(String);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0 = with(&self.0, name, value);
        }
    }

    fn add_tags(&mut self, begin: &str, tags: &Value) {
        for (index, (key, value)) in tags.as_object().into_iter().flatten().enumerate() {
            self.add(&format!("{begin}{}.Key", index + 1), key);
            self.add(&format!("{begin}{}.Value", index + 1), value.as_str().unwrap_or_default());
        }
    }
}

fn is_of_ec2(call: &Value) -> bool {
    let operations = aws::operations();
    let found = operations.iter().find(|operation| operation.name == text(call, "call"));
    found.unwrap_or_else(|| panic!("{call} is no operation")).service == "ec2"
}

fn request(call: &Value, there: &There, new: &str) -> Request {
    let name = text(call, "call");
    let (service, version) =
        if is_of_ec2(call) { ("ec2", "2016-11-15") } else { ("iam", "2010-05-08") };
    let mut form = Form(format!("Action={name}&Version={version}"));
    let message = match name {
        "RunInstances" => launch(call, &mut form),
        _ if service == "ec2" => Some(of_instance(call, there, &mut form)),
        _ => Some(of_profile(call, there, new, &mut form)),
    };
    Request { message, service, form: form.0 }
}

fn launch(call: &Value, form: &mut Form) -> Option<(&'static str, Value)> {
    let (image, tags) = (text(call, "image"), &call["tags"]);
    let hops = call["hops"].as_u64().unwrap_or_default();
    form.add("ImageId", image);
    form.add("MinCount", "1");
    form.add("MaxCount", "1");
    form.add("InstanceType", text(call, "type"));
    form.add("SubnetId", text(call, "subnet"));
    form.add("KeyName", text(call, "key"));
    form.add("MetadataOptions.HttpTokens", text(call, "tokens"));
    if hops > 0 {
        form.add("MetadataOptions.HttpPutResponseHopLimit", &hops.to_string());
    }
    if tags.is_object() {
        form.add("TagSpecification.1.ResourceType", "instance");
        form.add_tags("TagSpecification.1.Tag.", tags);
    }
    let mut message = json!({
        "imageId": image, "instanceType": text(call, "type"), "httpPutResponseHopLimit": hops,
        "httpTokensOptional": text(call, "tokens") == "optional",
    });
    if tags.is_object() {
        message["tags"] = tags.clone();
    }
    let asks = QUERY_ALONE.iter().all(|field| call.get(field).is_none());
    asks.then_some(("LaunchInstance", message))
}

fn of_instance(call: &Value, there: &There, form: &mut Form) -> (&'static str, Value) {
    let There { instance, association, .. } = there;
    let (role, tokens) = (text(call, "role"), text(call, "tokens"));
    let profile = json!({"name": role});
    form.add("IamInstanceProfile.Name", role);
    match text(call, "call") {
        "TerminateInstances" => {
            form.add("InstanceId.1", instance);
            ("TerminateInstance", json!({"instanceId": instance}))
        }
        "DescribeInstances" => ("DescribeInstances", json!({})),
        "AssociateIamInstanceProfile" => {
            form.add("InstanceId", instance);
            let message = json!({"instanceId": instance, "instanceProfile": profile});
            ("AssociateInstanceProfile", message)
        }
        "ReplaceIamInstanceProfileAssociation" => {
            form.add("AssociationId", association);
            let message = json!({"associationId": association, "instanceProfile": profile});
            ("ReplaceInstanceProfileAssociation", message)
        }
        "DisassociateIamInstanceProfile" => {
            form.add("AssociationId", association);
            ("DisassociateInstanceProfile", json!({"associationId": association}))
        }
        "DescribeIamInstanceProfileAssociations" => {
            ("DescribeInstanceProfileAssociations", json!({}))
        }
        "ModifyInstanceMetadataOptions" => {
            form.add("InstanceId", instance);
            form.add("HttpTokens", tokens);
            let optional = tokens == "optional";
            let message = json!({"instanceId": instance, "httpTokensOptional": optional});
            ("ModifyInstanceMetadataOptions", message)
        }
        other => panic!("the data has a call {other}, which is not known here"),
    }
}

fn of_profile(call: &Value, there: &There, new: &str, form: &mut Form) -> (&'static str, Value) {
    let (profile, role, tags) = (&there.profile, text(call, "role"), &call["tags"]);
    let named = json!({"instanceProfileName": profile});
    form.add("InstanceProfileName", profile);
    form.add("RoleName", role);
    form.add_tags("Tags.member.", tags);
    match text(call, "call") {
        "CreateInstanceProfile" => {
            form.add("InstanceProfileName", new);
            ("CreateInstanceProfile", json!({"instanceProfileName": new, "tags": tags}))
        }
        "TagInstanceProfile" => ("TagEntity", json!({"owner": named, "tags": tags})),
        "AddRoleToInstanceProfile" => {
            let message = json!({"instanceProfileName": profile, "roleName": role});
            ("AddRoleToInstanceProfile", message)
        }
        "DeleteInstanceProfile" => ("DeleteInstanceProfile", named),
        "GetInstanceProfile" => ("GetInstanceProfile", named),
        "ListInstanceProfiles" => ("ListInstanceProfiles", json!({})),
        "ListUsers" => ("ListUsers", json!({})),
        other => panic!("the data has a call {other}, which is not known here"),
    }
}

/// Every source with its policies.
fn sources() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/played");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        serde_json::from_str::<Vec<Value>>(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });
    read.collect()
}

/// Whether what the data says is lacking is an operation that is there.
fn is_there(lacking: &str) -> bool {
    let Some((service, rest)) = lacking.split_once(':') else { return false };
    let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut operations = aws::operations().into_iter();
    operations.any(|operation| operation.service == service && operation.name == name)
}

#[derive(Default)]
struct Report {
    played: usize,
    query_alone: usize,
    listed: Vec<String>,
    wrong: Vec<String>,
}

impl Report {
    /// Plays the two calls of one statement, with it and without it.
    async fn judge(&mut self, stage: &mut Stage, policy: &Value, at: usize, told: &str) {
        let statements = policy["statements"].as_array().unwrap();
        let entry = &statements[at];
        let beside = policy["beside"].as_array().cloned().unwrap_or_default();
        let of = |without: Option<usize>| -> Vec<Value> {
            let kept = statements.iter().enumerate().filter(|(index, _)| Some(*index) != without);
            kept.map(|(_, entry)| entry["statement"].clone()).chain(beside.clone()).collect()
        };
        let (whole, without) = (of(None), of(Some(at)));
        let denies = entry["statement"]["Effect"] == "Deny";
        let (allowed, refused) = (&entry["allows"], &entry["refuses"]);
        // What it decides: a call that is refused without it, or one that is done without it.
        let decided = if denies { refused } else { allowed };
        let questions = [
            ("allows", allowed, &whole, true),
            ("refuses", refused, &whole, false),
            ("decides", decided, &without, denies),
        ];
        for by_grpc in [true, false] {
            let edge = if by_grpc { "gRPC" } else { "Query" };
            for (what, call, statements, done) in &questions {
                let Some(answer) = stage.play(by_grpc, call, statements).await else {
                    self.query_alone += 1;
                    continue;
                };
                let as_said = if *done {
                    answer.is_ok()
                } else {
                    DENIED.contains(&answer.code.as_str())
                        && (!denies || answer.text.contains("explicit deny") || *what == "decides")
                };
                if !as_said {
                    let line = answer.text.lines().last().unwrap_or_default();
                    let first = answer.text.lines().next().unwrap_or_default();
                    let shown = if by_grpc { first } else { line };
                    self.wrong.push(format!("{told}, {what} over {edge}: {call}\n    {shown}"));
                }
            }
        }
        self.played += 1;
    }
}

/// Protects whoever brings the policies that they have: what their statements allow and refuse in AWS, they allow and
/// refuse here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_policies_decide_as_they_say() {
    let house = House::new();
    let mut stage = Stage::new(&house).await;
    let mut report = Report::default();
    let (sources, mut policies) = (sources(), 0);
    for source in &sources {
        for policy in source["policies"].as_array().unwrap() {
            policies += 1;
            for (at, entry) in policy["statements"].as_array().unwrap().iter().enumerate() {
                let what = [text(source, "source"), text(policy, "what"), text(entry, "says")];
                let told = what.join(": ");
                assert!(what.iter().all(|part| !part.is_empty()), "{told} says too little");
                match entry["lacks"].as_array() {
                    Some(lacking) => {
                        let lacking: Vec<_> = lacking.iter().filter_map(Value::as_str).collect();
                        let there = lacking.iter().find(|lacking| is_there(lacking));
                        report.wrong.extend(there.map(|there| format!("{told}: {there} is there")));
                        report.listed.push(format!("{told}: {}", lacking.join(", ")));
                    }
                    None => report.judge(&mut stage, policy, at, &told).await,
                }
            }
        }
    }
    let Report { played, query_alone, listed, wrong } = report;
    println!(
        "{} sources, {policies} policies: {played} statements played in {} calls, {query_alone} of them over Query \
         alone, as they name a subnet; {} statements are about what Locum lacks:\n{}",
        sources.len(),
        stage.calls,
        listed.len(),
        listed.join("\n"),
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
