//! What an account may share, and what two accounts may have alike: roles that admit another account, names,
//! idempotency tokens. And streams, which go on for as long as somebody listens.

use serde_json::{Value, json};

use super::World;
use super::api::estate::{Estate, THEIRS};
use super::api::references::Kind;
use super::api::wire::{Answers, Grpc, method};

const FIRST: &str = "333333333335";
const SECOND: &str = "333333333336";

/// Protects cross-account access, and those who are not admitted: a role whose trust policy names an account is
/// assumed from there, and from elsewhere it looks as if it were not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_there_for_those_whom_it_admits() {
    let world = World::new().await;
    let (first, second) = (world.estate(FIRST).await, world.estate(SECOND).await);
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": FIRST}, "Action": "sts:AssumeRole",
    }});
    let open = json!({"roleName": format!("{THEIRS}-open"), "trustPolicy": trust.to_string()});
    let root = world.grpc(&world.theirs.root);
    root.made("CreateRole", open).await;
    // The operator let nobody in so far.
    let rail = json!({
        "kind": "GUARDRAIL_KIND_RESOURCE_CONTROL", "accountId": world.theirs.account,
        "name": format!("{THEIRS}-rail"),
    });
    world.grpc(&world.operator).made("DeleteGuardrail", rail).await;
    let assume = |name: &str| {
        let arn = format!("arn:aws:iam::{}:role/{name}", world.theirs.account);
        json!({"roleArn": arn, "roleSessionName": "guest"})
    };
    let open = format!("{THEIRS}-open");
    let admitted = world.grpc(&first.admin).made("AssumeRole", assume(&open)).await;
    assert!(admitted["arn"].as_str().unwrap().ends_with(&format!("assumed-role/{open}/guest")));
    let stranger = world.grpc(&second.admin);
    let refused = stranger.refused("AssumeRole", assume(&open)).await.text;
    let absent = stranger.refused("AssumeRole", assume("absent-role")).await.text;
    let told = |text: &str| text.lines().next().unwrap().to_owned();
    assert_eq!(told(&refused).replace(&open, "absent-role"), told(&absent));
}

/// Protects an account from what others happen to call alike: names are each account's own, and so are the
/// answers that a retry gets, access keys above all.
#[tokio::test(flavor = "multi_thread")]
async fn names_and_retries_are_each_accounts_own() {
    let world = World::new().await;
    let first = world.estate(FIRST).await;
    let admin = world.grpc(&first.admin);
    let theirs = world.theirs.name(Kind::User);
    for (name, new_name) in [("one", theirs), ("two", "nobodys-user")] {
        admin.made("CreateUser", json!({"userName": name})).await;
        admin.made("UpdateUser", json!({"userName": name, "newUserName": new_name})).await;
        admin.made("CreateGroup", json!({"groupName": name})).await;
        admin.made("UpdateGroup", json!({"groupName": name, "newGroupName": new_name})).await;
    }
    // Byte for byte what the other account asked for.
    let token = format!("{THEIRS}-CreateAccessKey");
    let request = json!({"userName": theirs, "idempotencyToken": token});
    let key = admin.made("CreateAccessKey", request).await["accessKey"].clone();
    let id = key["accessKeyId"].as_str().unwrap();
    assert!(!world.theirs.private.iter().any(|private| private == id));
    let identity = world.grpc(&key).made("GetCallerIdentity", json!({})).await;
    assert_eq!(identity["accountId"], first.account);
}

/// Protects everyone's credentials from one tenant's demand: renewing those of all accounts is the operator's.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_renews_its_own_credentials_alone() {
    let world = World::new().await;
    let first = world.estate(FIRST).await;
    let all = json!({"allAccounts": true});
    for key in [&first.root, &first.admin, &first.session] {
        let refused = world.grpc(key).refused("RotateCredentials", all.clone()).await;
        assert_eq!(refused.code, "AccessDenied", "{}", refused.text);
    }
    world.grpc(&first.admin).made("RotateCredentials", json!({})).await;
    world.grpc(&world.operator).made("RotateCredentials", all).await;
}

/// What a stream delivers up to a message that holds `end`.
async fn up_to(answers: &mut Answers, end: &str) -> String {
    let mut delivered = String::new();
    while !delivered.contains(end) {
        let bytes = answers.stream.message().await.unwrap().unwrap();
        delivered += &answers.shown(&bytes).to_string();
    }
    delivered
}

async fn follow(grpc: &Grpc, name: &str, request: Value) -> Answers {
    grpc.open(&method(name), &request).await.unwrap()
}

/// Starts an instance on the account's agent, renews the account's credentials, and names the instance.
async fn act(world: &World, estate: &Estate) -> String {
    let root = world.grpc(&estate.root);
    let request = json!({
        "agentName": estate.name(Kind::Agent),
        "instanceProfile": {"name": estate.name(Kind::Profile)},
    });
    let launched = root.made("LaunchInstance", request).await;
    root.made("RotateCredentials", json!({})).await;
    launched["instance"]["instanceId"].as_str().unwrap().to_owned()
}

/// Protects accounts from listeners: a stream of events, of an agent's instances or of what made grants void tells
/// of one's own account, while another account is as busy.
#[tokio::test(flavor = "multi_thread")]
async fn streams_tell_of_ones_own_account() {
    let world = World::new().await;
    let first = world.estate(FIRST).await;
    let (admin, agent) = (world.grpc(&first.admin), world.grpc(&first.agent));
    let mut events = follow(&admin, "FollowEvents", json!({})).await;
    let mut instances = follow(&agent, "WatchInstances", json!({"batched": true})).await;
    let mut voided = follow(&admin, "FollowInvalidations", json!({})).await;
    let before = act(&world, &world.theirs).await;
    let shut = json!({"userName": world.theirs.name(Kind::User), "active": false,
        "accessKeyId": world.theirs.name(Kind::AccessKey)});
    world.grpc(&world.theirs.root).made("UpdateAccessKey", shut).await;
    let own = act(&world, &first).await;
    let request = json!({"userName": first.name(Kind::User), "active": false,
        "accessKeyId": first.name(Kind::AccessKey)});
    world.grpc(&first.root).made("UpdateAccessKey", request).await;
    let delivered = [
        up_to(&mut events, &own).await,
        up_to(&mut instances, &own).await,
        up_to(&mut voided, &first.account).await,
    ];
    for delivered in delivered {
        let private = world.theirs.private.iter().chain([&before, &world.theirs.account]);
        for name in private {
            assert!(!delivered.contains(name.as_str()), "{name} in {delivered}");
        }
        assert!(!delivered.contains(THEIRS), "{delivered}");
    }
}
