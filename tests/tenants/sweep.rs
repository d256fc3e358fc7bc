//! Tries every reference of every operation with the name of what another account has and with names of what nobody
//! has, and compares what comes back.

use std::collections::{BTreeMap, BTreeSet};

use locum::clock::Clock;
use locum::signing::Secret;
use locum::signing::sigv4::{EMPTY_SHA256, PathStyle, Signable, Signer};
use serde_json::{Value, json};

use super::api::estate::{Estate, NOBODY, SHUT, THEIRS};
use super::api::operation::{Edge, Operation, Place};
use super::api::references::Kind;
use super::api::scrub::scrubbed;
use super::api::wire::{Answer, Grpc, Query, REGION, credentials, method};

/// Where the answers differ, and may.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "CreateAccountAlias",
    "accountalias",
    "aliases are unique in an installation, as AWS's are: who asks for one that is taken is told so",
)];
/// How a request is refused that is whole and names what is there: for a reason behind that.
const REACHED: &[&str] =
    &["DeleteConflict", "EntityAlreadyExists", "InvalidAuthenticationCode", "LimitExceeded"];

/// Operations that are refused with one's own names too, by their codes.
const REFUSED: &[(&str, &str)] = &[
    // For the operator alone.
    ("CreateAccount", "AccessDenied"),
    ("DeleteAccount", "AccessDenied"),
    ("DeleteGuardrail", "AccessDenied"),
    ("DeleteQuota", "AccessDenied"),
    ("DisableAccount", "AccessDenied"),
    ("EnableAccount", "AccessDenied"),
    ("ListAccounts", "AccessDenied"),
    ("ListKeyring", "AccessDenied"),
    ("PutAddressRanges", "AccessDenied"),
    ("PutGuardrail", "AccessDenied"),
    ("PutQuota", "AccessDenied"),
    ("ReloadKeyring", "AccessDenied"),
    ("RetireKeyringVersion", "AccessDenied"),
    ("RotateKeyring", "AccessDenied"),
    // For agents and instances, which try them too.
    ("GetInstanceMetadata", "PERMISSION_DENIED"),
    ("GetRoleCredentials", "PERMISSION_DENIED"),
    ("WatchInstances", "PERMISSION_DENIED"),
    // For those with keys of their own: users, not sessions of roles.
    ("GetFederationToken", "AccessDenied"),
    ("GetSessionToken", "AccessDenied"),
    // Whatever a stranger's token names, it is a stranger's; and these headers are no login token.
    ("AssumeRoleWithWebIdentity", "InvalidIdentityToken"),
    ("VerifyIdentityToken", "INVALID_ARGUMENT"),
    // Others took its place when they were tried.
    ("DeleteAccountAlias", "NoSuchEntity"),
];

/// What came of it.
#[derive(Default)]
pub(crate) struct Report {
    operations: usize,
    references: usize,
    comparisons: usize,
    /// Operations that succeed for their own account with the requests that were tried.
    pub(crate) done: Vec<String>,
    /// Those that are refused for a reason behind what the request names.
    reached: Vec<String>,
    /// Those of `REFUSED`.
    refused: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, caller: &str, other: Self) {
        let caller = if caller.is_empty() { String::new() } else { format!("{caller}: ") };
        self.operations += other.operations;
        self.references += other.references;
        self.comparisons += other.comparisons;
        self.done.extend(other.done);
        self.reached.extend(other.reached);
        self.refused.extend(other.refused);
        self.wrong.extend(other.wrong.into_iter().map(|wrong| format!("{caller}{wrong}")));
    }

    pub(crate) fn print(&self) {
        println!(
            "{} operations tried, {} references, {} comparisons; {} wrong",
            self.operations,
            self.references,
            self.comparisons,
            self.wrong.len()
        );
        println!(
            "with their own names {} succeed, {} are refused for reasons behind the names ({}), {} for others ({})",
            self.done.len(),
            self.reached.len(),
            once(&self.reached),
            self.refused.len(),
            once(&self.refused)
        );
    }
}

/// Each entry once.
fn once(entries: &[String]) -> String {
    let entries: BTreeSet<_> = entries.iter().map(String::as_str).collect();
    entries.into_iter().collect::<Vec<_>>().join(", ")
}

/// One caller of one account that tries everything.
pub(crate) struct Sweep<'a> {
    theirs: &'a Estate,
    own: &'a Estate,
    key: &'a Value,
    grpc: Grpc,
    query: Query,
    operations: Vec<&'a Operation>,
    /// How many names were made up.
    made_up: usize,
    pub(crate) report: Report,
}

/// Whether an operation shows what there is without a name.
pub(crate) fn lists(operation: &Operation) -> bool {
    let named = operation.places.iter().any(|place| {
        place.kind().is_some() && matches!(place.class, super::api::references::Class::Refers(_))
    });
    rank(operation) == 0 && !named && !streams(operation)
}

pub(crate) fn is_metadata(operation: &Operation) -> bool {
    match &operation.edge {
        Edge::Grpc(method) => method.parent_service().name() == "MetadataService",
        Edge::Query(_) => false,
    }
}

fn streams(operation: &Operation) -> bool {
    matches!(&operation.edge, Edge::Grpc(method) if method.is_server_streaming())
}

/// Reads first, then what adds, then what takes away, then what ends things.
pub(crate) fn rank(operation: &Operation) -> u8 {
    let begins = |words: &[&str]| words.iter().any(|word| operation.name.starts_with(word));
    match () {
        // Takes the place of the alias that there is.
        () if operation.name == "CreateAccountAlias" => 4,
        () if operation.name.ends_with("Token") && begins(&["GetSession", "GetFederation"]) => 2,
        () if begins(&["Get", "List", "Describe", "Read", "Simulate", "Validate", "Who"]) => 0,
        () if begins(&["Assume", "Untag", "Detach", "Remove", "Disassociate", "Revoke"]) => 2,
        // Before the association that they are of is gone.
        () if operation.name == "DeleteRotationSettings" => 1,
        () if begins(&["Delete", "Terminate", "Deactivate"]) => 3,
        () => 1,
    }
}

/// Whether trying it leaves the name with the one who tries.
fn plants(operation: &Operation, kind: Kind) -> bool {
    let kept = [Kind::New, Kind::ProviderUrl, Kind::Trust, Kind::Policy, Kind::ResourcePolicy];
    let puts = kind == Kind::InlinePolicy && operation.name.starts_with("Put");
    kept.contains(&kind) || puts || operation.name == "RevokeSession"
}

/// Whether something new is made whenever it is asked for.
fn makes(operation: &Operation) -> bool {
    operation.places.iter().any(|place| place.kind() == Some(Kind::New))
        || ["LaunchInstance", "RunInstances", "GetSessionToken"].contains(&operation.name.as_str())
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(
        theirs: &'a Estate,
        own: &'a Estate,
        key: &'a Value,
        (grpc, query): (Grpc, Query),
        operations: &'a [Operation],
    ) -> Self {
        let mut operations: Vec<_> = operations.iter().collect();
        operations.sort_by_key(|operation| rank(operation));
        Self { theirs, own, key, grpc, query, operations, made_up: 0, report: Report::default() }
    }

    /// Tries every reference of every operation, those last that leave the other's names in one's own account.
    pub(crate) async fn try_all(&mut self) {
        for planting in [false, true] {
            for operation in self.operations.clone() {
                for (at, place) in operation.places.iter().enumerate() {
                    if let Some(kind) = place.kind()
                        && plants(operation, kind) == planting
                    {
                        self.compare(operation, at, place, kind).await;
                    }
                }
                if !planting {
                    self.report.operations += 1;
                    if lists(operation) {
                        self.list(operation).await;
                    }
                }
            }
        }
    }

    /// Lists show nothing of the other account.
    async fn list(&mut self, operation: &Operation) {
        let answer = self.ask(operation, None, "", false).await;
        let seen = self.seen_of_theirs(&answer, "");
        self.report.wrong.extend(seen.map(|what| format!("{} shows {what}", operation.name)));
    }

    async fn compare(&mut self, operation: &Operation, at: usize, place: &Place, kind: Kind) {
        let mut asked = vec![self.their_name(operation, kind)];
        if kind == Kind::Token {
            asked.push(format!("{NOBODY}-{}", operation.name));
        } else if kind == Kind::Cursor {
            asked = self.cursors(operation);
        } else if kind == Kind::New && operation.name == "CreateAccountAlias" {
            asked.push(self.made_up());
        } else {
            asked.extend(self.theirs.nobodys(kind));
        }
        if kind == Kind::RoleArn {
            let shut = format!("role/{THEIRS}-{SHUT}");
            asked.push(asked[0].replace(&format!("role/{THEIRS}-role"), &shut));
        }
        let of_nobodys = kind == Kind::Token && !makes(operation);
        let what = format!("{}.{} ({kind:?})", operation.name, place.name());
        let (mut shown, mut differs) = (Vec::new(), false);
        for name in &asked {
            let answer = self.ask(operation, Some(at), name, of_nobodys).await;
            if !plants(operation, kind)
                && let Some(seen) = self.seen_of_theirs(&answer, name)
            {
                self.report.wrong.push(format!("{what} with {name} shows {seen}: {}", answer.text));
            }
            shown.push(scrubbed(&answer.asked_for, name, &self.theirs.account));
        }
        self.report.references += 1;
        for (name, text) in asked.iter().zip(&shown).skip(1) {
            self.report.comparisons += 1;
            if *text != shown[0] && !differs {
                differs = true;
                let told = format!("{what}: {} against {name}\n{}\n{text}", asked[0], shown[0]);
                if !is_exception(operation, place) {
                    self.report.wrong.push(told);
                }
            }
        }
        if is_exception(operation, place) && !differs && kind != Kind::Token {
            self.report.wrong.push(format!("{what} is an exception for no reason"));
        }
    }

    fn their_name(&self, operation: &Operation, kind: Kind) -> String {
        match kind {
            Kind::Token => format!("{THEIRS}-{}", operation.name),
            Kind::New if operation.name == "CreateAccountAlias" => {
                self.theirs.name(Kind::Alias).to_owned()
            }
            kind => self.theirs.name(kind).to_owned(),
        }
    }

    /// Where lists go on: after the other's things, and after nobody's.
    fn cursors(&self, operation: &Operation) -> Vec<String> {
        let kind = match operation.name.as_str() {
            "DescribeInstances" => Kind::Instance,
            name if name.contains("Associations") => Kind::Association,
            "ListSessions" => Kind::Sequence,
            name if name.contains("Policies") => Kind::PolicyArn,
            name if name.contains("MfaDevices") || name.contains("MFADevices") => Kind::Serial,
            name if name.contains("OpenIdConnect") => Kind::ProviderArn,
            "ListAccounts" => Kind::Account,
            _ => Kind::User,
        };
        let name = self.theirs.name(kind).to_owned();
        vec![name, self.theirs.nobodys(kind).swap_remove(0)]
    }

    /// Asks with the name at one place, with one's own names (or nobody's) at the others.
    async fn ask(
        &mut self,
        operation: &Operation,
        tried: Option<usize>,
        name: &str,
        of_nobodys: bool,
    ) -> Answer {
        let headers = self.signed_headers();
        let (own, new) = (self.own, self.made_up());
        let named = |at: usize, kind: Kind| match kind {
            _ if tried == Some(at) => name.to_owned(),
            Kind::New => new.clone(),
            Kind::ProviderUrl => format!("https://{new}.example.com"),
            kind if of_nobodys => own.nobodys(kind)[0].clone(),
            kind => own.name(kind).to_owned(),
        };
        let values = operation.values(tried, named, &headers);
        self.send(operation, &values).await
    }

    /// A name that was never given in the installation.
    fn made_up(&mut self) -> String {
        self.made_up += 1;
        let of_account = self.own.account.chars().last().unwrap_or_default();
        format!("unique-{of_account}{:03}", self.made_up)
    }

    async fn send(&mut self, operation: &Operation, values: &BTreeMap<usize, Value>) -> Answer {
        let mut answer = match &operation.edge {
            Edge::Grpc(method) => self.grpc.call(method, &operation.message(values)).await,
            Edge::Query(service) => self.query.call(service, &operation.form(values)),
        };
        // What the caller's account can read of the reasons counts too.
        if let Some(sealed) = answer.sealed.take() {
            let request = json!({"encodedMessage": sealed});
            let opened = self.grpc.call(&method("DecodeAuthorizationMessage"), &request).await;
            answer.add(&opened);
        }
        answer
    }

    /// What an answer shows of the other account that was not in the request.
    fn seen_of_theirs(&self, answer: &Answer, asked: &str) -> Option<String> {
        let names = [THEIRS, &self.theirs.account];
        let private = self.theirs.private.iter().map(String::as_str).chain(names);
        let mut seen = private.filter(|name| !asked.contains(name));
        seen.find(|name| answer.text.contains(name)).map(str::to_owned)
    }

    /// The headers of a request to a service that takes the caller's credentials.
    fn signed_headers(&self) -> Value {
        let key = credentials(self.key);
        let signer = Signer {
            access_key: &key.access_key_id,
            secret: &key.secret_access_key,
            session_token: key.session_token.as_ref().map(Secret::expose),
            region: REGION,
            service: "s3",
        };
        let headers = [("host", "photos.example.com"), ("x-amz-content-sha256", EMPTY_SHA256)];
        let signable = Signable {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256: EMPTY_SHA256,
            path_style: PathStyle::S3,
        };
        let signed = signer.sign(&signable, Clock::System.now());
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned()));
        let headers = headers.chain(signed);
        headers.map(|(name, value)| json!({"name": name, "value": value})).collect()
    }

    /// Makes every request once with one's own names, to show that they fail for the names that were tried and
    /// for nothing else.
    pub(crate) async fn prove_requests(&mut self) {
        for operation in self.operations.clone() {
            let answer = self.ask(operation, None, "", false).await;
            let told = format!("{} {}", operation.name, answer.code);
            match answer.code.as_str() {
                "OK" => self.report.done.push(told),
                code if REACHED.contains(&code) => self.report.reached.push(told),
                code if REFUSED.contains(&(operation.name.as_str(), code)) => {
                    self.report.refused.push(told);
                }
                _ => self.report.wrong.push(format!("{told} with its own names: {}", answer.text)),
            }
        }
    }
}

fn is_exception(operation: &Operation, place: &Place) -> bool {
    let name = place.name().to_ascii_lowercase();
    EXCEPTIONS.iter().any(|(of, field, _)| *of == operation.name && *field == name)
}
