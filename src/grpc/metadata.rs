//! MetadataService: hands instances their credentials. Its callers are instances and host agents; each
//! sees its own instances and no others.

use tonic::{Request, Response, Status};

use super::usage::read_usage;
use super::watch::{self, Asked, Watching};
use super::watchers::Scope;
use super::{Front, convert, field};
use crate::clock::Timestamp;
use crate::domain::event::RoleCredentials;
use crate::domain::fleet::Record;
use crate::domain::state::{Account, Association, Instance, Refusal, Role};
use crate::identity::{AccountId, Arn, InstanceId, Principal, RoleDelivery};
use crate::ledger::View;
use crate::metrics;
use crate::proto::v1;
use crate::proto::v1::metadata_service_server::MetadataService;
use crate::proto::v1::{
    GetIdentityCertificateRequest, GetIdentityCertificateResponse, GetInstanceMetadataRequest,
    GetInstanceMetadataResponse, GetRoleCredentialsRequest, GetRoleCredentialsResponse,
    InstanceMetadata, ReportMetadataUsageRequest, ReportMetadataUsageResponse,
    WatchInstancesRequest,
};
use crate::service::{RequestInfo, Service, ServiceError, identity_document};

impl Scope {
    fn of(principal: &Principal) -> Result<(AccountId, Self), Status> {
        match principal {
            Principal::Instance { account, id } => Ok((*account, Self::One(id.clone()))),
            Principal::Agent { account, id, .. } => Ok((*account, Self::Agent(id.clone()))),
            _ => Err(Status::permission_denied(
                "metadata is for instances and host agents, by identities of their own",
            )),
        }
    }
}

/// One instance that a caller asks for.
struct AskedFor {
    account: AccountId,
    scope: Scope,
    id: InstanceId,
}

impl Scope {
    /// The instance by its id, the caller itself for an empty one.
    fn instance(principal: &Principal, id: &str) -> Result<AskedFor, Status> {
        let (account, scope) = Self::of(principal)?;
        let id = match (id, &scope) {
            ("", Self::One(own)) => own.clone(),
            (text, _) => field("instance_id", text)?,
        };
        Ok(AskedFor { account, scope, id })
    }
}

impl AskedFor {
    /// Another's instance is not there for this caller.
    fn find<'v>(&self, view: &'v View) -> Result<(&'v Account, &'v Record), Status> {
        let found = view.state.account(self.account).and_then(|account| {
            let record = account.instances.record((&self.id).into())?;
            (self.scope.holds(record) && record.running).then_some((&**account, record))
        });
        found.ok_or_else(nothing_there)
    }
}

fn nothing_there() -> Status {
    Status::not_found("the caller has no such instance")
}

#[tonic::async_trait]
impl MetadataService for Front {
    async fn get_instance_metadata(
        &self,
        request: Request<GetInstanceMetadataRequest>,
    ) -> Result<Response<GetInstanceMetadataResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = Scope::instance(&info.caller.principal, &request.instance_id)?;
        let view = self.service.view_at(request.min_sequence).await?;
        let (account, record) = asked.find(&view)?;
        let instance = record.instance().ok_or_else(nothing_there)?;
        let metadata = instance_metadata(&self.service, account, &instance)
            .and_then(|metadata| signed(&self.service, metadata))
            .map_err(Status::from)?;
        let association = instance.association.as_ref();
        let credentials = association.and_then(|found| found.credentials.as_ref());
        if let (Some(credentials), Some(v1::instance_metadata::RoleCredentials::Credentials(_))) =
            (credentials, &metadata.role_credentials)
        {
            metrics::credentials().served(credentials.expires_at.since(self.service.now()));
        }
        Ok(Response::new(GetInstanceMetadataResponse {
            metadata: Some(metadata),
            sequence: view.sequence,
        }))
    }

    async fn get_role_credentials(
        &self,
        request: Request<GetRoleCredentialsRequest>,
    ) -> Result<Response<GetRoleCredentialsResponse>, Status> {
        use v1::get_role_credentials_response::RoleCredentials;
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = Scope::instance(&info.caller.principal, &request.instance_id)?;
        let view = self.service.view_at(request.min_sequence).await?;
        let (account, record) = asked.find(&view)?;
        let mut answer =
            GetRoleCredentialsResponse { sequence: view.sequence, ..Default::default() };
        let association = record.carried().filter(|_| account.enabled);
        let role = association.and_then(|found| Some((account.associated_role(&found)?, found)));
        let Some((role, association)) = role else { return Ok(Response::new(answer)) };
        answer.role_name = role.name.to_string();
        if let Some(set) = newest(&self.service, account, &asked.id, &association, role) {
            let issued = self.service.kept_role_credentials(account, record, set);
            let issued = issued.map_err(Status::from)?;
            let credentials = convert::credentials(&issued);
            metrics::credentials().served(set.expires_at.since(self.service.now()));
            answer.updated_at = convert::time(set.issued_at);
            answer.role_credentials = Some(RoleCredentials::Credentials(credentials));
        } else if let Some((refusal, time)) = refusal(&association) {
            answer.updated_at = convert::time(time);
            answer.role_credentials = Some(RoleCredentials::Refusal(refusal));
        }
        Ok(Response::new(answer))
    }

    async fn report_metadata_usage(
        &self,
        request: Request<ReportMetadataUsageRequest>,
    ) -> Result<Response<ReportMetadataUsageResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let usage = request.usage.iter().map(read_usage).collect::<Result<_, _>>();
        let (usage, token) = (usage.map_err(Status::from)?, &request.idempotency_token);
        let receipt = self.service.record_metadata_usage(&info, token, usage).await?;
        Ok(Response::new(ReportMetadataUsageResponse { sequence: receipt.sequence }))
    }

    async fn get_identity_certificate(
        &self,
        request: Request<GetIdentityCertificateRequest>,
    ) -> Result<Response<GetIdentityCertificateResponse>, Status> {
        Self::info(&request)?;
        let certificate = self.service.document_certificate();
        let certificate = certificate.ok_or_else(|| Status::not_found("there is no key yet"))?;
        Ok(Response::new(GetIdentityCertificateResponse { certificate }))
    }

    type WatchInstancesStream = Watching;

    async fn watch_instances(
        &self,
        request: Request<WatchInstancesRequest>,
    ) -> Result<Response<Watching>, Status> {
        let RequestInfo { caller, request_id, .. } = Self::info(&request)?;
        let request = request.into_inner();
        let (account, scope) = Scope::of(&caller.principal)?;
        let (streams, syncs) = (&self.watchers.streams, &self.watchers.syncs);
        let stream = watch::place(streams, None).await?;
        let watcher = self.watchers.watch(account, scope.clone(), request.after_sequence);
        // An agent's instances are looked for among all of the account; one alone costs nothing.
        let sync = match &scope {
            Scope::Agent(_) if watcher.is_all_due() => Some(watch::sync_place(syncs).await?),
            _ => None,
        };
        let batched = request.batched;
        let (key, stall) = (caller.key, watch::STALL_MAX);
        let asked = Asked { account, scope, key, batched, stall, request_id };
        let watching = watch::start(self.service.clone(), watcher, asked, stream, sync);
        Ok(Response::new(watching))
    }
}

/// What an instance may know of itself now. Its identity document is not signed yet: signatures are made
/// where they are handed out, and differ from one to the next.
///
/// # Errors
/// Its credentials cannot be derived.
pub fn instance_metadata(
    service: &Service,
    account: &Account,
    instance: &Instance,
) -> Result<InstanceMetadata, ServiceError> {
    let document = identity_document(account, instance);
    let mut metadata = InstanceMetadata {
        account_id: account.id.to_string(),
        instance: Some(convert::instance(account, instance)),
        generation: instance.generation,
        identity_document: Some(v1::IdentityDocument { document, ..Default::default() }),
        ..InstanceMetadata::default()
    };
    let association = instance.association.as_ref().filter(|_| account.enabled);
    let Some(association) = association else { return Ok(metadata) };
    metadata.instance_profile_id = association.profile_id.to_string();
    // A profile that was deleted and made again under its name is another one.
    let profile = account.profile(&association.profile);
    if let Some(profile) = profile.filter(|profile| profile.id == association.profile_id) {
        let arn = Arn::profile(account.id, &profile.path, &profile.name);
        metadata.instance_profile_arn = arn.to_string();
    }
    if let Some(role) = account.associated_role(association) {
        metadata.role_name = role.name.to_string();
        metadata.role_arn = Arn::role(account.id, &role.path, &role.name).to_string();
        add_credentials(service, account, instance, association, role, &mut metadata)?;
    }
    Ok(metadata)
}

/// The newest set while it lasts.
fn newest<'a>(
    service: &Service,
    account: &Account,
    instance: &InstanceId,
    association: &'a Association,
    role: &Role,
) -> Option<&'a RoleCredentials> {
    // A role that was taken out of the profile or replaced gives nothing any more, nor does a set that was
    // revoked.
    let set = association.credentials.as_ref().filter(|credentials| {
        credentials.role_id == role.id && !account.revocations.void_set(instance, credentials)
    });
    set.filter(|credentials| credentials.expires_at > service.now())
}

/// Why there is no newer set, and since when.
fn refusal(association: &Association) -> Option<(v1::CredentialsRefusal, Timestamp)> {
    let Refusal { code, message, since } = association.refused.as_ref()?;
    let refusal = v1::CredentialsRefusal { code: code.to_string(), message: message.to_string() };
    Some((refusal, *since))
}

/// The newest set while it lasts, and after it the reason why there is no newer one.
fn add_credentials(
    service: &Service,
    account: &Account,
    instance: &Instance,
    association: &Association,
    role: &Role,
    metadata: &mut InstanceMetadata,
) -> Result<(), ServiceError> {
    use v1::instance_metadata::RoleCredentials;
    let refusal = refusal(association);
    let Some(credentials) = newest(service, account, &instance.id, association, role) else {
        metadata.updated_at = refusal.as_ref().and_then(|(_, time)| convert::time(*time));
        metadata.role_credentials = refusal.map(|(refusal, _)| RoleCredentials::Refusal(refusal));
        return Ok(());
    };
    let deliver = |version| service.role_credentials(account, instance, credentials, version);
    let issued = deliver(RoleDelivery::Version2)?;
    if !instance.facts.metadata.tokens_required {
        let token = deliver(RoleDelivery::Version1)?.token;
        metadata.version_1_session_token = token.expose().to_owned();
    }
    metadata.updated_at = convert::time(credentials.issued_at);
    metadata.role_credentials = Some(RoleCredentials::Credentials(convert::credentials(&issued)));
    metadata.renewal_refusal = refusal.map(|(refusal, _)| refusal);
    Ok(())
}

/// The same, with the identity document signed.
///
/// # Errors
/// The key of documents does not open.
pub fn signed(
    service: &Service,
    mut metadata: InstanceMetadata,
) -> Result<InstanceMetadata, ServiceError> {
    if let Some(document) = &mut metadata.identity_document {
        let signed = service.sign_document(&document.document)?;
        document.signature = signed.signature;
        document.pkcs7 = signed.pkcs7;
    }
    Ok(metadata)
}
