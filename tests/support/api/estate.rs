//! One of everything that an account can have, and what names it; and names of the same form of what nobody has.

use std::collections::BTreeMap;

use locum::clock::Clock;
use serde_json::{Value, json};

use super::references::Kind;
use super::wire::Grpc;
use crate::support::totp;

/// How the names of the account begin that is not to be seen, those of the one that looks, and those of nobody:
/// of one length, and the first and the last on one side of the second in a sorted list.
pub(crate) const THEIRS: &str = "theirs";
pub(crate) const OWNERS: &str = "owners";
pub(crate) const NOBODY: &str = "unborn";
/// The role that shuts others out by its trust policy, with a name as long as that of the other one.
pub(crate) const SHUT: &str = "shut";
/// An account that is not there.
pub(crate) const NO_ACCOUNT: &str = "404404404404";

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
/// A key set with one key, which nothing is signed with.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// An account with one of everything.
pub(crate) struct Estate {
    pub(crate) account: String,
    pub(crate) stem: &'static str,
    /// Keys of its root, its administrator, a role's session that may do everything, an agent and an instance.
    pub(crate) root: Value,
    pub(crate) admin: Value,
    pub(crate) session: Value,
    pub(crate) agent: Value,
    pub(crate) instance: Value,
    /// The seed of its MFA device.
    pub(crate) seed: String,
    /// What names its things.
    pub(crate) names: BTreeMap<Kind, String>,
    /// What only its own people may read anywhere: ids, and secrets that were handed out.
    pub(crate) private: Vec<String>,
}

impl Estate {
    /// Makes the account and all that is in it.
    pub(crate) async fn furnish(
        endpoint: &str,
        operator: &Value,
        account: &str,
        stem: &'static str,
    ) -> Self {
        let operator = Grpc::new(endpoint, operator);
        let request = json!({"accountId": account, "name": format!("{stem}-account")});
        let root = operator.made("CreateAccount", request).await["rootKey"].clone();
        let grpc = Grpc::new(endpoint, &root);
        let (seed, private) = (String::new(), Vec::new());
        let mut furnisher = Furnisher { grpc, account, stem, seed, private };
        let admin = furnisher.admin().await;
        furnisher.users_and_policies().await;
        let (agent, instance, mut names) = furnisher.machines().await;
        if stem == THEIRS {
            furnisher.close(&operator).await;
        }
        let session = furnisher.sessions(&admin, &agent, &mut names).await;
        names.extend(furnisher.given_names());
        furnisher.ids(&mut names).await;
        for key in [&root, &admin, &session, &agent, &instance] {
            furnisher.keep(key);
        }
        let Furnisher { seed, private, .. } = furnisher;
        let account = account.to_owned();
        Self { account, stem, root, admin, session, agent, instance, seed, names, private }
    }

    pub(crate) fn name(&self, kind: Kind) -> &str {
        self.names.get(&kind).unwrap_or_else(|| panic!("{kind:?} is not furnished"))
    }

    /// Names of the same form as the one of `kind`, of what nobody has: in this account, and in one that is not
    /// there.
    pub(crate) fn nobodys(&self, kind: Kind) -> Vec<String> {
        let name = self.name(kind);
        let mut found = Vec::new();
        if name.contains(self.stem) {
            found.push(name.replace(self.stem, NOBODY));
        }
        if name.contains(&self.account) {
            found.push(name.replace(&self.account, NO_ACCOUNT));
        }
        match kind {
            // The first record is the operator's.
            Kind::Sequence => found.push("1".to_owned()),
            _ if found.is_empty() => found.push(turned(name)),
            _ => {}
        }
        found
    }
}

/// An id of the same form: its last characters give way to those after them.
fn turned(id: &str) -> String {
    let hexadecimal = ["i-", "iip-", "task/"].iter().any(|prefix| id.starts_with(prefix));
    let next = |c: char| match (c, hexadecimal) {
        ('9', true) => 'a',
        ('f', true) => '0',
        ('z', false) => 'a',
        ('Z', false) => 'A',
        ('7' | '9', false) => '2',
        (c, _) if c.is_ascii_alphanumeric() => char::from(c as u8 + 1),
        (c, _) => c,
    };
    let (kept, last) = id.split_at(id.len().saturating_sub(12));
    kept.chars().chain(last.chars().map(next)).collect()
}

struct Furnisher<'a> {
    grpc: Grpc,
    account: &'a str,
    stem: &'static str,
    seed: String,
    private: Vec<String>,
}

impl Furnisher<'_> {
    /// Has something made, with a token that tells whose it was.
    async fn make(&self, name: &str, mut request: Value) -> Value {
        request["idempotencyToken"] = json!(format!("{}-{name}", self.stem));
        self.grpc.made(name, request).await
    }

    /// As `make`, where one of the kind was made before.
    async fn more(&self, name: &str, request: Value) -> Value {
        self.grpc.made(name, request).await
    }

    fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.stem)
    }

    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:iam::{}:{rest}", self.account)
    }

    fn trust(&self, principal: &str) -> String {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"AWS": principal, "Service": "ec2.amazonaws.com"},
        }]})
        .to_string()
    }

    fn keep(&mut self, key: &Value) {
        for field in ["accessKeyId", "secretAccessKey", "sessionToken"] {
            self.private.extend(key[field].as_str().map(str::to_owned));
        }
    }

    async fn admin(&mut self) -> Value {
        let name = self.named("admin");
        self.more("CreateUser", json!({"userName": name})).await;
        let owner = json!({"userName": name});
        let request = json!({"owner": owner, "policyName": "all", "policy": ALLOW_ALL});
        self.more("PutInlinePolicy", request).await;
        self.more("CreateAccessKey", json!({"userName": name})).await["accessKey"].clone()
    }

    async fn users_and_policies(&mut self) {
        let (user, role, group) = (self.named("user"), self.named("role"), self.named("group"));
        let tags = json!({"team": self.named("team")});
        let path = format!("/{}/", self.stem);
        let policy = self.arn(&format!("policy/{}", self.named("policy")));
        let request =
            json!({"policyName": self.named("policy"), "policy": ALLOW_ALL, "tags": tags});
        self.make("CreatePolicy", request).await;
        for _ in 0..2 {
            let request = json!({"policyArn": policy, "policy": ALLOW_ALL, "defaultKept": true});
            self.more("CreatePolicyVersion", request).await;
        }
        self.make("CreateUser", json!({"userName": user, "path": path, "tags": tags})).await;
        self.make("CreateGroup", json!({"groupName": group})).await;
        self.make("AddUserToGroup", json!({"groupName": group, "userName": user})).await;
        let trust = self.trust(&self.arn("root"));
        let request = json!({"roleName": role, "trustPolicy": trust, "tags": tags});
        self.make("CreateRole", request).await;
        let request = json!({"roleName": self.named("broad"), "trustPolicy": trust});
        self.more("CreateRole", request).await;
        for owner in
            [json!({"userName": user}), json!({"roleName": role}), json!({"groupName": group})]
        {
            let request =
                json!({"owner": owner, "policyName": self.named("inline"), "policy": ALLOW_ALL});
            self.more("PutInlinePolicy", request).await;
            self.more("AttachPolicy", json!({"owner": owner, "policyArn": policy})).await;
        }
        let broad = json!({"roleName": self.named("broad")});
        let request = json!({"owner": broad, "policyName": "all", "policy": ALLOW_ALL});
        self.more("PutInlinePolicy", request).await;
        let request = json!({"owner": {"userName": user}, "policyArn": policy});
        self.make("PutPermissionsBoundary", request).await;
        let request = json!({"virtualMfaDeviceName": self.named("mfa")});
        let device = self.make("CreateVirtualMfaDevice", request).await;
        let seed = device["base32StringSeed"].as_str().unwrap();
        self.seed = seed.to_owned();
        let step = Clock::System.now().as_unix_seconds() / 30;
        let request = json!({
            "userName": user, "serialNumber": self.arn(&format!("mfa/{}", self.named("mfa"))),
            "authenticationCode1": totp(seed, step - 1), "authenticationCode2": totp(seed, step),
        });
        self.make("EnableMfaDevice", request).await;
        self.private.push(seed.to_owned());
        let url = format!("https://{}.example.com", self.stem);
        let request = json!({"url": url, "clientIds": ["app"], "jwks": KEYS});
        self.make("CreateOpenIdConnectProvider", request).await;
        self.make("CreateAccountAlias", json!({"accountAlias": self.alias()})).await;
    }

    /// Aliases are unique in the installation.
    fn alias(&self) -> String {
        match self.stem {
            THEIRS => self.named("alias"),
            stem => format!("{stem}-{}", self.account),
        }
    }

    /// An agent, an instance with a role, one without; and their names.
    async fn machines(&mut self) -> (Value, Value, BTreeMap<Kind, String>) {
        for profile in ["profile", "spare"] {
            let request = json!({"instanceProfileName": self.named(profile)});
            self.more("CreateInstanceProfile", request).await;
        }
        let profile = self.named("profile");
        let request = json!({"instanceProfileName": profile, "roleName": self.named("role")});
        self.make("AddRoleToInstanceProfile", request).await;
        let agent = self.make("CreateAgent", json!({"agentName": self.named("agent")})).await;
        let mut request = json!({
            "instanceProfile": {"name": profile}, "agentName": self.named("agent"),
            "tags": {"team": self.named("team")},
        });
        if self.stem == THEIRS {
            request["privateIp"] = json!(ADDRESS);
        }
        let launched = self.make("LaunchInstance", request).await;
        let request = json!({"instanceProfile": {"name": profile}});
        let other = self.more("LaunchInstance", request).await;
        let spare = self.more("LaunchInstance", json!({})).await;
        let association = &launched["instance"]["association"]["associationId"];
        let pace = json!({"intervalSeconds": "1800", "lifetimeSeconds": "7200"});
        let request = json!({"associationId": association, "pace": pace});
        self.make("PutRotationSettings", request).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = BTreeMap::from([
            (Kind::Instance, text(&launched["instance"]["instanceId"])),
            (Kind::SpareInstance, text(&spare["instance"]["instanceId"])),
            (Kind::Association, text(association)),
            (Kind::SpareAssociation, text(&other["instance"]["association"]["associationId"])),
            (Kind::Address, ADDRESS.to_owned()),
        ]);
        self.private.extend(names.values().filter(|name| *name != ADDRESS).cloned());
        (agent["accessKey"].clone(), launched["identityKey"].clone(), names)
    }

    /// Sessions of a role, which something is refused, and revoked; a key, a service-linked role and a task.
    async fn sessions(
        &mut self,
        admin: &Value,
        agent: &Value,
        names: &mut BTreeMap<Kind, String>,
    ) -> Value {
        let admin = self.grpc.signed_by(admin);
        let role = |name: &str| self.arn(&format!("role/{}", self.named(name)));
        let request = json!({"roleArn": role("broad"), "roleSessionName": self.named("session")});
        let session = admin.made("AssumeRole", request).await["credentials"].clone();
        let request = json!({"roleArn": role("role"), "roleSessionName": self.named("session")});
        let other = admin.made("AssumeRole", request).await["credentials"].clone();
        let user = json!({"userName": self.named("user")});
        let key = self.make("CreateAccessKey", user).await["accessKey"].clone();
        let request = json!({"serviceName": "ecs.amazonaws.com"});
        self.make("CreateServiceLinkedRole", request).await;
        let linked = "AWSServiceRoleForECS";
        let task = self.more("DeleteServiceLinkedRole", json!({"roleName": linked})).await;
        let request =
            json!({"serviceName": "autoscaling.amazonaws.com", "customSuffix": self.stem});
        let linked = self.more("CreateServiceLinkedRole", request).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        // An agent may not.
        let sealed = self.grpc.signed_by(agent).refused("ListUsers", json!({})).await.sealed;
        names.insert(Kind::Sealed, sealed.unwrap());
        names.insert(Kind::AccessKey, text(&key["accessKeyId"]));
        names.insert(Kind::SessionKey, text(&other["accessKeyId"]));
        names.insert(Kind::DeletionTask, text(&task["deletionTaskId"]));
        names.insert(Kind::ServiceLinkedRole, text(&linked["role"]["roleName"]));
        self.keep(&key);
        self.keep(&other);
        let request = json!({"accessKeyId": other["accessKeyId"]});
        self.make("RevokeSession", request).await;
        session
    }

    fn given_names(&self) -> BTreeMap<Kind, String> {
        let role = self.arn(&format!("role/{}", self.named("role")));
        let user = self.arn(&format!("user/{0}/{0}-user", self.stem));
        // A role of one's own is for one's own administrator.
        let trusted = if self.stem == THEIRS { user.clone() } else { self.arn("root") };
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "iam:GetRole", "Resource": role,
        }]});
        let of_resource = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": user}, "Action": "iam:GetRole", "Resource": role,
        }]});
        BTreeMap::from([
            (Kind::Account, self.account.to_owned()),
            (Kind::Agent, self.named("agent")),
            (Kind::Alias, self.alias()),
            (Kind::Cursor, self.named("user")),
            (Kind::Group, self.named("group")),
            (Kind::InlinePolicy, self.named("inline")),
            (Kind::New, self.named("user")),
            (Kind::Path, format!("/{}/", self.stem)),
            (Kind::Policy, policy.to_string()),
            (Kind::PolicyArn, self.arn(&format!("policy/{}", self.named("policy")))),
            (Kind::Profile, self.named("profile")),
            (Kind::ProfileArn, self.arn(&format!("instance-profile/{}", self.named("profile")))),
            (Kind::ProviderArn, self.arn(&format!("oidc-provider/{}.example.com", self.stem))),
            (Kind::ProviderUrl, format!("https://{}.example.com", self.stem)),
            (Kind::ResourcePolicy, of_resource.to_string()),
            (Kind::Role, self.named("role")),
            (Kind::RoleArn, role),
            (Kind::Serial, self.arn(&format!("mfa/{}", self.named("mfa")))),
            (Kind::SpareProfile, self.named("spare")),
            (Kind::Trust, self.trust(&trusted)),
            (Kind::User, self.named("user")),
            (Kind::UserArn, user),
        ])
    }

    /// Shuts others out explicitly: by a guardrail, and by the trust policy of a role. Who is shut out must not
    /// learn of either.
    async fn close(&self, operator: &Grpc) {
        let others = json!({"StringNotEquals": {"aws:PrincipalAccount": self.account}});
        let services = ["iam:*", "sts:*", "ec2:*", "locum:*", "s3:*"];
        let rail = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": services, "Resource": "*", "Condition": others},
        ]});
        let request = json!({
            "kind": "GUARDRAIL_KIND_RESOURCE_CONTROL", "accountId": self.account,
            "name": self.named("rail"), "policy": rail.to_string(),
        });
        operator.made("PutGuardrail", request).await;
        let shut = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.arn("root")}, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": others},
        ]});
        let request = json!({"roleName": self.named(SHUT), "trustPolicy": shut.to_string()});
        self.more("CreateRole", request).await;
    }

    /// The ids that were drawn for the account's things, and something of its log and its refusals.
    async fn ids(&mut self, names: &mut BTreeMap<Kind, String>) {
        let found = self.grpc.made("ListUsers", json!({})).await["users"].clone();
        let roles = self.grpc.made("ListRoles", json!({})).await["roles"].clone();
        let profiles = self.grpc.made("ListInstanceProfiles", json!({})).await;
        let ids = |list: &Value, name: &str| -> Vec<String> {
            let all = list.as_array().unwrap().iter();
            all.map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
        };
        self.private.extend(ids(&found, "userId"));
        self.private.extend(ids(&roles, "roleId"));
        self.private.extend(ids(&profiles["instanceProfiles"], "instanceProfileId"));
        let events = self.grpc.made("ReadEvents", json!({"limit": 1000})).await;
        let newest = events["events"].as_array().unwrap().last().unwrap()["sequence"].clone();
        names.insert(Kind::Sequence, newest.as_str().unwrap().to_owned());
    }
}

/// The address of the instance that is not to be seen.
const ADDRESS: &str = "10.9.8.7";
