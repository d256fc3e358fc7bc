//! Claims as the bytes that are sealed.
//!
//! The bytes are protobuf, fields in the order of their numbers and tags sorted by key, so that
//! the same claims are the same bytes on every node. Times are whole seconds: fractions are cut
//! when sealing. Tokens live for days at most, yet nodes of two versions run side by side: fields
//! are added, never renumbered. Little is said twice: unique ids are their 80 bits, an instance is
//! its region and number, and policies, ARNs and tags are packed (see `pack`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::wire::{Writer, read};
use super::{Claims, Packed};
use crate::clock::Timestamp;
use crate::identity::{
    AccountId, Arn, Federator, InstanceId, Path, RoleDelivery, RoleName, SessionName,
    SourceIdentity, Subject, UniqueId, UserName, WebIdentity, hex_id,
};
use crate::signing::chain::{Ancestor, read_id, write_id};
use crate::signing::pack::{minified, pack, unpacked};

/// The fields of claims.
mod field {
    pub(super) const ISSUED_AT: u64 = 1;
    /// In seconds.
    pub(super) const LIFETIME: u64 = 2;
    /// One of these is the subject.
    pub(super) const ROLE: u64 = 3;
    pub(super) const USER: u64 = 4;
    pub(super) const ROOT: u64 = 5;
    pub(super) const FEDERATED: u64 = 13;
    pub(super) const POLICY: u64 = 6;
    pub(super) const POLICY_ARN: u64 = 7;
    /// Keys and values by turns.
    pub(super) const TAG: u64 = 8;
    /// Bit n says that the nth tag is transitive.
    pub(super) const TRANSITIVE: u64 = 9;
    pub(super) const SOURCE_IDENTITY: u64 = 10;
    pub(super) const CHAIN_DEPTH: u64 = 11;
    pub(super) const INSTANCE: u64 = 12;
    /// Seconds before the issue.
    pub(super) const MFA_AGE: u64 = 14;
    pub(super) const WEB_IDENTITY: u64 = 15;
    /// The version of the metadata protocol.
    pub(super) const DELIVERY: u64 = 16;
    pub(super) const ANCESTOR: u64 = 20;
}

/// The fields of a role or user.
mod holder {
    /// Empty for `/`.
    pub(super) const PATH: u64 = 1;
    pub(super) const NAME: u64 = 2;
    pub(super) const ID: u64 = 3;
    /// Of a role's session; not there where it is the instance's id.
    pub(super) const SESSION: u64 = 4;
}

/// The fields of a federated user.
mod federated {
    pub(super) const NAME: u64 = 1;
    /// A user; not there for the account's root.
    pub(super) const BY: u64 = 2;
}

/// The fields of an instance.
mod instance {
    pub(super) const REGION: u64 = 1;
    pub(super) const NUMBER: u64 = 2;
    pub(super) const ARN: u64 = 3;
}

/// The fields of a web identity.
mod web {
    pub(super) const ISSUER: u64 = 1;
    pub(super) const SUBJECT: u64 = 2;
    pub(super) const AUDIENCE: u64 = 3;
}

const ROLE_ID: &str = "AROA";
const USER_ID: &str = "AIDA";

impl Packed<'_> {
    /// How many bytes the fields of what the caller chose take.
    pub(super) fn bytes(&self, account: AccountId) -> usize {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        self.write(account, &mut writer);
        self.write_web_identity(&mut writer);
        writer.len()
    }

    fn write(&self, account: AccountId, writer: &mut Writer<'_>) {
        if let Some(policy) = self.policy {
            writer.nested(field::POLICY, |writer| pack(writer.out(), &minified(policy)));
        }
        for arn in self.policy_arns {
            let own = arn.as_str().strip_prefix(&own_policies(account));
            let text = own.filter(|rest| rest.starts_with('/')).unwrap_or(arn.as_str());
            writer.nested(field::POLICY_ARN, |writer| pack(writer.out(), text));
        }
        let mut transitive = 0;
        for (index, (key, value)) in self.tags.iter().enumerate() {
            writer.nested(field::TAG, |writer| pack(writer.out(), key));
            writer.nested(field::TAG, |writer| pack(writer.out(), value));
            let bit = u64::from(self.transitive_tag_keys.contains(key));
            let place = u32::try_from(index).unwrap_or(u32::MAX);
            transitive |= bit.checked_shl(place).unwrap_or_default();
        }
        writer.number_if(field::TRANSITIVE, transitive);
    }

    fn write_web_identity(&self, writer: &mut Writer<'_>) {
        if let Some(identity) = self.web_identity {
            writer.nested(field::WEB_IDENTITY, |writer| {
                writer.bytes_if(web::ISSUER, identity.issuer.as_bytes());
                writer.bytes_if(web::SUBJECT, identity.subject.as_bytes());
                writer.bytes_if(web::AUDIENCE, identity.audience.as_bytes());
            });
        }
    }
}

/// How the ARNs of an account's own policies begin, up to their path.
fn own_policies(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:policy")
}

impl Claims {
    /// Appends the bytes to seal in a token of `account`; gives how many of them are the caller's choice.
    pub(in crate::signing) fn encode(&self, account: AccountId, out: &mut Vec<u8>) -> usize {
        let issued_at = self.issued_at.as_unix_seconds();
        let before = |time: Timestamp| issued_at.saturating_sub(time.as_unix_seconds());
        let lifetime = before(self.expires_at).saturating_neg();
        let packed = self.packed();
        let mut writer = Writer::new(out);
        writer.number_if(field::ISSUED_AT, issued_at.cast_unsigned());
        writer.number_if(field::LIFETIME, lifetime.cast_unsigned());
        self.write_subject(&mut writer);
        let start = writer.len();
        packed.write(account, &mut writer);
        let chosen = writer.len().saturating_sub(start);
        if let Some(source) = &self.source_identity {
            writer.bytes(field::SOURCE_IDENTITY, source.as_str().as_bytes());
        }
        writer.number_if(field::CHAIN_DEPTH, self.chain_depth.into());
        if let Some(arn) = &self.instance {
            writer.nested(field::INSTANCE, |writer| write_instance(writer, account, arn));
        }
        if let Some(at) = self.mfa_at {
            writer.signed(field::MFA_AGE, before(at));
        }
        let start = writer.len();
        packed.write_web_identity(&mut writer);
        let chosen = chosen.saturating_add(writer.len().saturating_sub(start));
        let delivery = match self.delivery {
            None => 0,
            Some(RoleDelivery::Version1) => 1,
            Some(RoleDelivery::Version2) => 2,
        };
        writer.number_if(field::DELIVERY, delivery);
        for ancestor in &self.ancestors {
            writer.nested(field::ANCESTOR, |writer| ancestor.write(writer));
        }
        chosen
    }

    fn write_subject(&self, writer: &mut Writer<'_>) {
        match &self.subject {
            Subject::Role { path, role, role_id, session } => {
                writer.nested(field::ROLE, |writer| {
                    write_path(writer, path);
                    writer.bytes_if(holder::NAME, role.as_str().as_bytes());
                    write_id(writer, holder::ID, ROLE_ID, role_id.as_str());
                    let instance = self.instance.as_ref().map(Arn::resource_name);
                    if instance != Some(session.as_str()) {
                        writer.bytes(holder::SESSION, session.as_str().as_bytes());
                    }
                })
            }
            Subject::User { path, name, id } => {
                writer.nested(field::USER, |writer| write_user(writer, path, name, id));
            }
            Subject::Root => writer.number(field::ROOT, 1),
            Subject::Federated { name, by } => writer.nested(field::FEDERATED, |writer| {
                writer.bytes_if(federated::NAME, name.as_str().as_bytes());
                if let Federator::User { name, id } = by {
                    let path = Path::default();
                    writer.nested(federated::BY, |writer| write_user(writer, &path, name, id));
                }
            }),
        }
    }

    /// Reads what `encode` wrote for a token of `account`; none for anything that a newer version may
    /// have written otherwise.
    pub(in crate::signing) fn decode(account: AccountId, bytes: &[u8]) -> Option<Self> {
        let mut read_claims = Reading::default();
        read(bytes, |tag, value| {
            match tag {
                field::ISSUED_AT => read_claims.issued_at = value.signed()?,
                field::LIFETIME => read_claims.lifetime = value.signed()?,
                field::ROLE | field::USER | field::FEDERATED => {
                    read_claims.subject = Some((tag, value.bytes()?));
                }
                field::ROOT => {
                    value.number()?;
                    read_claims.subject = Some((tag, &[]));
                }
                field::POLICY => read_claims.policy = Some(Arc::from(&*unpacked(value.bytes()?)?)),
                field::POLICY_ARN => {
                    read_claims.policy_arns.push(read_policy_arn(account, value.bytes()?)?);
                }
                field::TAG => read_claims.tag(&unpacked(value.bytes()?)?),
                field::TRANSITIVE => read_claims.transitive = value.number()?,
                field::SOURCE_IDENTITY => {
                    read_claims.source_identity = Some(SourceIdentity::parse(value.text()?).ok()?);
                }
                field::CHAIN_DEPTH => {
                    read_claims.chain_depth = u8::try_from(value.number()?).ok()?;
                }
                field::INSTANCE => {
                    read_claims.instance = Some(read_instance(account, value.bytes()?)?);
                }
                field::MFA_AGE => read_claims.mfa_age = Some(value.signed()?),
                field::WEB_IDENTITY => {
                    read_claims.web_identity = Some(read_web_identity(value.bytes()?)?);
                }
                field::DELIVERY => {
                    read_claims.delivery = match value.number()? {
                        0 => None,
                        1 => Some(RoleDelivery::Version1),
                        2 => Some(RoleDelivery::Version2),
                        _ => return None,
                    };
                }
                field::ANCESTOR => read_claims.ancestors.push(Ancestor::read(value.bytes()?)?),
                _ => {}
            }
            Some(())
        })?;
        read_claims.finish()
    }
}

/// What was read of claims so far.
#[derive(Default)]
struct Reading<'a> {
    issued_at: i64,
    lifetime: i64,
    /// Which it is, and its fields.
    subject: Option<(u64, &'a [u8])>,
    policy: Option<Arc<str>>,
    policy_arns: Vec<Arn>,
    tags: BTreeMap<Arc<str>, Arc<str>>,
    /// The key of a tag whose value comes next.
    tag_key: Option<Arc<str>>,
    transitive: u64,
    source_identity: Option<SourceIdentity>,
    chain_depth: u8,
    instance: Option<Arn>,
    mfa_age: Option<i64>,
    web_identity: Option<WebIdentity>,
    delivery: Option<RoleDelivery>,
    ancestors: Vec<Ancestor>,
}

impl Reading<'_> {
    /// Takes a tag's key, and the next time its value.
    fn tag(&mut self, text: &str) {
        match self.tag_key.take() {
            None => self.tag_key = Some(Arc::from(text)),
            Some(key) => {
                self.tags.insert(key, Arc::from(text));
            }
        }
    }

    fn finish(self) -> Option<Claims> {
        let subject = read_subject(self.subject?, self.instance.as_ref())?;
        let issued_at = Timestamp::from_unix_seconds(self.issued_at);
        let seconds = |seconds: i64| Some(Duration::from_secs(u64::try_from(seconds).ok()?));
        if self.tag_key.is_some() {
            return None;
        }
        let transitive = self.tags.keys().enumerate().filter(|(index, _)| {
            u32::try_from(*index)
                .ok()
                .and_then(|index| self.transitive.checked_shr(index))
                .is_some_and(|bits| bits & 1 == 1)
        });
        let transitive_tag_keys = transitive.map(|(_, key)| key.clone()).collect();
        Some(Claims {
            subject,
            issued_at,
            expires_at: issued_at.plus(seconds(self.lifetime)?),
            policy: self.policy,
            policy_arns: self.policy_arns,
            tags: self.tags,
            transitive_tag_keys,
            source_identity: self.source_identity,
            chain_depth: self.chain_depth,
            instance: self.instance,
            delivery: self.delivery,
            ancestors: self.ancestors,
            mfa_at: match self.mfa_age {
                Some(age) => Some(issued_at.minus(seconds(age)?)),
                None => None,
            },
            web_identity: self.web_identity,
        })
    }
}

fn write_path(writer: &mut Writer<'_>, path: &Path) {
    if path.as_str() != "/" {
        writer.bytes_if(holder::PATH, path.as_str().as_bytes());
    }
}

fn write_user(writer: &mut Writer<'_>, path: &Path, name: &UserName, id: &UniqueId) {
    write_path(writer, path);
    writer.bytes_if(holder::NAME, name.as_str().as_bytes());
    write_id(writer, holder::ID, USER_ID, id.as_str());
}

/// A role or user, or what of it there is.
#[derive(Default)]
struct Holder<'a> {
    path: &'a str,
    name: &'a str,
    id: &'a [u8],
    session: Option<&'a str>,
}

impl<'a> Holder<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut found = Self::default();
        read(bytes, |tag, value| {
            match tag {
                holder::PATH => found.path = value.text()?,
                holder::NAME => found.name = value.text()?,
                holder::ID => found.id = value.bytes()?,
                holder::SESSION => found.session = Some(value.text()?),
                _ => {}
            }
            Some(())
        })?;
        Some(found)
    }

    fn path(&self) -> Option<Path> {
        match self.path {
            "" => Some(Path::default()),
            text => Path::parse(text).ok(),
        }
    }

    fn id(&self, prefix: &str) -> Option<UniqueId> {
        UniqueId::parse(&read_id(prefix, self.id)?).ok()
    }
}

fn read_subject((kind, bytes): (u64, &[u8]), instance: Option<&Arn>) -> Option<Subject> {
    Some(match kind {
        field::ROLE => {
            let role = Holder::read(bytes)?;
            let session = match role.session {
                Some(session) => session,
                None => instance?.resource_name(),
            };
            Subject::Role {
                path: role.path()?,
                role: RoleName::parse(role.name).ok()?,
                role_id: role.id(ROLE_ID)?,
                session: SessionName::parse(session).ok()?,
            }
        }
        field::USER => {
            let user = Holder::read(bytes)?;
            let (path, id) = (user.path()?, user.id(USER_ID)?);
            Subject::User { path, name: UserName::parse(user.name).ok()?, id }
        }
        field::FEDERATED => {
            let (mut name, mut by) = ("", Federator::Root);
            read(bytes, |tag, value| {
                match tag {
                    federated::NAME => name = value.text()?,
                    federated::BY => {
                        let user = Holder::read(value.bytes()?)?;
                        let (name, id) = (UserName::parse(user.name).ok()?, user.id(USER_ID)?);
                        by = Federator::User { name, id };
                    }
                    _ => {}
                }
                Some(())
            })?;
            Subject::Federated { name: SessionName::parse(name).ok()?, by }
        }
        _ => Subject::Root,
    })
}

fn read_policy_arn(account: AccountId, bytes: &[u8]) -> Option<Arn> {
    let text = unpacked(bytes)?;
    let own = text.starts_with('/');
    Arn::parse(&if own { (own_policies(account) + &text).into() } else { text }).ok()
}

fn read_web_identity(bytes: &[u8]) -> Option<WebIdentity> {
    let (mut issuer, mut subject, mut audience) = ("", "", "");
    read(bytes, |tag, value| {
        match tag {
            web::ISSUER => issuer = value.text()?,
            web::SUBJECT => subject = value.text()?,
            web::AUDIENCE => audience = value.text()?,
            _ => {}
        }
        Some(())
    })?;
    Some(WebIdentity { issuer: issuer.into(), subject: subject.into(), audience: audience.into() })
}

/// An instance of the token's own account by its region and number, any other by its ARN.
fn write_instance(writer: &mut Writer<'_>, account: AccountId, arn: &Arn) {
    let digits = arn.resource_name().strip_prefix("i-").filter(|digits| digits.len() == 17);
    let bits = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let number = bits.and_then(|bits| bits.to_be_bytes().last_chunk::<9>().copied());
    let number = number.filter(|number| {
        let again = instance_of(account, arn.region(), *number);
        again.as_ref() == Some(arn)
    });
    match number {
        Some(number) => {
            writer.bytes_if(instance::REGION, arn.region().as_bytes());
            writer.bytes(instance::NUMBER, &number);
        }
        None => writer.bytes(instance::ARN, arn.as_str().as_bytes()),
    }
}

fn read_instance(account: AccountId, bytes: &[u8]) -> Option<Arn> {
    let (mut region, mut number, mut arn) = ("", [].as_slice(), None);
    read(bytes, |tag, value| {
        match tag {
            instance::REGION => region = value.text()?,
            instance::NUMBER => number = value.bytes()?,
            instance::ARN => arn = Some(value.text()?),
            _ => {}
        }
        Some(())
    })?;
    match arn {
        Some(arn) => Arn::parse(arn).ok(),
        None => instance_of(account, region, <[u8; 9]>::try_from(number).ok()?),
    }
}

fn instance_of(account: AccountId, region: &str, number: [u8; 9]) -> Option<Arn> {
    Some(Arn::instance(region, account, &InstanceId::parse(&hex_id("i-", number)).ok()?))
}
