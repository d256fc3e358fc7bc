//! One account's user, roles, profiles and instances.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use tokio::sync::Mutex;

use super::{TAG, Wanted, answered, done, key, token};
use crate::client::{Credentials, SignedChannel};
use crate::identity::AccountId;
use crate::load::LoadError;
use crate::load::driver::by_name;
use crate::load::population::{Churned, Machine, Tenant};
use crate::proto::v1;
use crate::proto::v1::iam_service_client::IamServiceClient;
use crate::proto::v1::instance_service_client::InstanceServiceClient;

/// What codes say that something was made before.
const EXISTS: [&str; 1] = ["EntityAlreadyExists"];
/// A profile has one role: a second is refused with this code, the same one too.
const HAS_A_ROLE: [&str; 2] = ["EntityAlreadyExists", "LimitExceeded"];
/// Instances that are shown at once.
const PAGE: u32 = 1000;

const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ASK_FOR_VERDICTS: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"locum:Authorize","Resource":"*"},
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::load/*"}]}"#;

/// An account that is being prepared.
struct Preparing<'a> {
    wanted: &'a Wanted,
    admin: &'a [SignedChannel],
    account: AccountId,
    /// Generation of tokens and number of the account; none in the caller's own, where nothing has a token.
    made: Option<(usize, usize)>,
}

/// Names of what is made in an account.
pub(super) struct Names {
    pub(super) user: String,
    /// The first, the second of a chain, and that of instances.
    pub(super) roles: [String; 3],
    pub(super) profiles: [String; 2],
}

impl Names {
    pub(super) fn of(prefix: &str) -> Self {
        let name = |what: &str| format!("{prefix}-{what}");
        Self {
            user: name("user"),
            roles: [name("first"), name("second"), name("instance")],
            profiles: [name("profile-a"), name("profile-b")],
        }
    }
}

/// Prepares an account that was made for this.
pub(super) async fn prepare_made(
    wanted: &Wanted,
    root: &[SignedChannel],
    account: AccountId,
    generation: usize,
    number: usize,
) -> Result<Tenant, LoadError> {
    let made = Some((generation, number));
    Preparing { wanted, admin: root, account, made }.prepare().await
}

/// Prepares the caller's own account.
pub(super) async fn prepare_own(
    wanted: &Wanted,
    admin: &[SignedChannel],
    account: AccountId,
) -> Result<Tenant, LoadError> {
    super::remove::end_instances(&wanted.prefix, admin).await?;
    Preparing { wanted, admin, account, made: None }.prepare().await
}

impl Preparing<'_> {
    async fn prepare(&self) -> Result<Tenant, LoadError> {
        let names = Names::of(&self.wanted.prefix);
        let user_key = self.user(&names.user).await?;
        let user_arn = format!("arn:aws:iam::{}:user/{}", self.account, names.user);
        let [first, second, of_instances] = &names.roles;
        let role_arn = |name: &str| format!("arn:aws:iam::{}:role/{name}", self.account);
        self.role(first, &trusting(&user_arn)).await?;
        self.role(second, &trusting(&role_arn(first))).await?;
        let is_needed = self.wanted.machines + self.wanted.churned > 0;
        if is_needed {
            self.role(of_instances, TRUST_EC2).await?;
            for profile in &names.profiles {
                self.profile(profile, of_instances).await?;
            }
        }
        let [profile, _] = &names.profiles;
        let mut machines = Vec::with_capacity(self.wanted.machines);
        for at in 0..self.wanted.machines {
            let address = self.address(at);
            let (_, identity) = self.launch(profile, address, &format!("m{at}")).await?;
            let channels = self.channels(&identity);
            machines.push(Machine { channels, address, page: Mutex::new(None) });
        }
        let mut churned = Vec::with_capacity(self.wanted.churned);
        for at in 0..self.wanted.churned {
            let (instance, _) = self.launch(profile, None, &format!("c{at}")).await?;
            churned.push(Churned { instance, state: Mutex::default() });
        }
        Ok(Tenant {
            admin: self.admin.iter().cloned().collect(),
            user: self.channels(&user_key),
            user_key,
            first_role: role_arn(first),
            second_role: role_arn(second),
            profiles: names.profiles,
            machines: machines.into(),
            churned: churned.into(),
            session: Mutex::new(None),
        })
    }

    fn token(&self, what: &str) -> String {
        let Some((generation, number)) = self.made else { return String::new() };
        token(&self.wanted.prefix, generation, number, what)
    }

    /// A name without the prefix.
    fn short<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(&self.wanted.prefix).unwrap_or(name)
    }

    fn channels(&self, credentials: &Credentials) -> Box<[SignedChannel]> {
        self.admin.iter().map(|channel| channel.signed_by(credentials.clone())).collect()
    }

    /// A channel; which one, by number of the account.
    fn channel(&self) -> Result<SignedChannel, LoadError> {
        let number = self.made.map_or(0, |(_, number)| number) as u64;
        let channel = crate::load::population::one_of(self.admin, number);
        channel.cloned().ok_or_else(|| LoadError::field("connections", "is none"))
    }

    fn iam(&self) -> Result<IamServiceClient<SignedChannel>, LoadError> {
        Ok(IamServiceClient::new(self.channel()?))
    }

    fn address(&self, machine: usize) -> Option<IpAddr> {
        let first = self.wanted.first_address?;
        let number = self.made.map_or(0, |(_, number)| number);
        let offset = number.checked_mul(self.wanted.machines)?.checked_add(machine)?;
        let address = first.checked_add(u32::try_from(offset).ok()?)?;
        Some(Ipv4Addr::from(address).into())
    }

    async fn user(&self, name: &str) -> Result<Credentials, LoadError> {
        let mut iam = self.iam()?;
        let request = v1::CreateUserRequest {
            user_name: name.to_owned(),
            idempotency_token: self.token("user"),
            ..Default::default()
        };
        done("CreateUser", iam.create_user(request).await, &EXISTS)?;
        let owner = v1::policy_owner::Owner::UserName(name.to_owned());
        let request = v1::PutInlinePolicyRequest {
            owner: Some(v1::PolicyOwner { owner: Some(owner) }),
            policy_name: "load".to_owned(),
            policy: ASK_FOR_VERDICTS.to_owned(),
            idempotency_token: self.token("policy"),
        };
        answered("PutInlinePolicy", iam.put_inline_policy(request).await)?;
        if self.made.is_none() {
            super::remove::delete_keys(&mut iam, name).await?;
        }
        let request = v1::CreateAccessKeyRequest {
            user_name: name.to_owned(),
            idempotency_token: self.token("key"),
        };
        let what = "CreateAccessKey";
        let answer = answered(what, iam.create_access_key(request).await)?.access_key;
        answer
            .map(key)
            .ok_or_else(|| LoadError::Setup { what: what.to_owned(), reason: "no key".to_owned() })
    }

    async fn role(&self, name: &str, trust: &str) -> Result<(), LoadError> {
        let request = v1::CreateRoleRequest {
            role_name: name.to_owned(),
            trust_policy: trust.to_owned(),
            idempotency_token: self.token(self.short(name)),
            ..Default::default()
        };
        done("CreateRole", self.iam()?.create_role(request).await, &EXISTS)
    }

    async fn profile(&self, name: &str, role: &str) -> Result<(), LoadError> {
        let mut iam = self.iam()?;
        let short = self.short(name);
        let request = v1::CreateInstanceProfileRequest {
            instance_profile_name: name.to_owned(),
            idempotency_token: self.token(short),
            ..Default::default()
        };
        done("CreateInstanceProfile", iam.create_instance_profile(request).await, &EXISTS)?;
        let request = v1::AddRoleToInstanceProfileRequest {
            instance_profile_name: name.to_owned(),
            role_name: role.to_owned(),
            idempotency_token: self.token(&format!("{short}-role")),
        };
        let answer = iam.add_role_to_instance_profile(request).await;
        done("AddRoleToInstanceProfile", answer, &HAS_A_ROLE)
    }

    /// Its id and its identity.
    async fn launch(
        &self,
        profile: &str,
        address: Option<IpAddr>,
        what: &str,
    ) -> Result<(String, Credentials), LoadError> {
        let request = v1::LaunchInstanceRequest {
            private_ip: address.map(|address| address.to_string()).unwrap_or_default(),
            tags: HashMap::from([(TAG.to_owned(), self.wanted.prefix.clone())]),
            instance_profile: Some(by_name(profile)),
            idempotency_token: self.token(what),
            ..Default::default()
        };
        let name = "LaunchInstance";
        let answer = InstanceServiceClient::new(self.channel()?).launch_instance(request).await;
        let answer = answered(name, answer)?;
        let found = answer.instance.zip(answer.identity_key);
        let (instance, identity) = found.ok_or_else(|| LoadError::Setup {
            what: name.to_owned(),
            reason: "no instance".to_owned(),
        })?;
        Ok((instance.instance_id, key(identity)))
    }
}

fn trusting(arn: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{arn}"}},"Action":"sts:AssumeRole"}}}}"#
    )
}

/// Running instances with the tag of a prefix.
pub(super) async fn tagged(
    prefix: &str,
    channel: &SignedChannel,
) -> Result<Vec<String>, LoadError> {
    let mut instances = InstanceServiceClient::new(channel.clone());
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            v1::DescribeInstancesRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = answered("DescribeInstances", instances.describe_instances(request).await)?;
        let ours = page.instances.into_iter().filter(|instance| {
            let tag = instance.tags.get(TAG).is_some_and(|tag| tag == prefix);
            tag && instance.state() == v1::InstanceState::Running
        });
        found.extend(ours.map(|instance| instance.instance_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}
