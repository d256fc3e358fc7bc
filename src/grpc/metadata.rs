//! MetadataService: hands instances their credentials. Its callers are instances and host agents; each
//! sees its own instances and no others.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::usage::read_usage;
use super::{Front, convert, field, status};
use crate::domain::command::Action;
use crate::domain::event::{Event, EventKind};
use crate::domain::rotation::{RenewedSet, RotationEvent};
use crate::domain::state::{Account, Association, Instance, Refusal, Role};
use crate::identity::{
    AccessKeyId, AccountId, AgentName, Arn, InstanceId, Principal, RoleDelivery,
};
use crate::ledger::Recorded;
use crate::metrics::{self, StreamKind};
use crate::proto::v1;
use crate::proto::v1::metadata_service_server::MetadataService;
use crate::proto::v1::watch_instances_response::Change;
use crate::proto::v1::{
    GetIdentityCertificateRequest, GetIdentityCertificateResponse, GetInstanceMetadataRequest,
    GetInstanceMetadataResponse, InstanceMetadata, ReportMetadataUsageRequest,
    ReportMetadataUsageResponse, WatchInstancesRequest, WatchInstancesResponse,
};
use crate::sts::{Service, ServiceError, identity_document};

/// Changes that wait for a slow watcher; when it is full the watcher is served when it has caught up.
const WATCHER_QUEUE: usize = 256;

/// Whose instances a caller sees.
#[derive(Clone, Debug)]
enum Scope {
    One(InstanceId),
    Agent(AgentName),
}

impl Scope {
    fn of(principal: &Principal) -> Result<(AccountId, Self), Status> {
        match principal {
            Principal::Instance { account, id } => Ok((*account, Self::One(id.clone()))),
            Principal::Agent { account, name } => Ok((*account, Self::Agent(name.clone()))),
            _ => Err(Status::permission_denied(
                "metadata is for instances and host agents, by identities of their own",
            )),
        }
    }

    fn holds(&self, instance: &Instance) -> bool {
        match self {
            Self::One(id) => instance.id == *id,
            Self::Agent(name) => instance.facts.agent.as_ref() == Some(name),
        }
    }
}

#[tonic::async_trait]
impl MetadataService for Front {
    async fn get_instance_metadata(
        &self,
        request: Request<GetInstanceMetadataRequest>,
    ) -> Result<Response<GetInstanceMetadataResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (account, scope) = Scope::of(&info.caller.principal)?;
        let id = match (request.instance_id.as_str(), &scope) {
            ("", Scope::One(id)) => id.clone(),
            (text, _) => field("instance_id", text)?,
        };
        let view = self.view(request.min_sequence).await?;
        let account = view.state.account(account);
        let instance = account.and_then(|account| Some((account, account.instances.get(&id)?)));
        let instance = instance.filter(|(_, instance)| scope.holds(instance) && instance.running);
        // Another's instance is not there for this caller.
        let (account, instance) =
            instance.ok_or_else(|| Status::not_found("the caller has no such instance"))?;
        let metadata = instance_metadata(&self.service, account, &instance)
            .and_then(|metadata| signed(&self.service, metadata))
            .map_err(|error| status_of(&error))?;
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

    async fn report_metadata_usage(
        &self,
        request: Request<ReportMetadataUsageRequest>,
    ) -> Result<Response<ReportMetadataUsageResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let usage = request.usage.iter().map(read_usage).collect::<Result<_, _>>();
        let usage = usage.map_err(|invalid| status::of_invalid(&invalid, &info.request_id))?;
        let action = Action::RecordMetadataUsage { usage };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
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

    type WatchInstancesStream =
        Pin<Box<dyn Stream<Item = Result<WatchInstancesResponse, Status>> + Send>>;

    async fn watch_instances(
        &self,
        request: Request<WatchInstancesRequest>,
    ) -> Result<Response<Self::WatchInstancesStream>, Status> {
        let caller = Self::info(&request)?.caller;
        let (account, scope) = Scope::of(&caller.principal)?;
        let (sender, receiver) = mpsc::channel(WATCHER_QUEUE);
        // Followed before the first look, so that nothing falls in between.
        let batches = self.service.ledger().follow();
        let (front, key, sent) = (self.clone(), caller.key, BTreeMap::new());
        let watch = Watch { front, account, scope, key, sender, sent };
        let open = metrics::streams().opened(StreamKind::Instances);
        tokio::spawn(async move {
            watch.run(batches).await;
            drop(open);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
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
    let refusal = association.refused.as_ref().map(|Refusal { code, message, .. }| {
        v1::CredentialsRefusal { code: code.to_string(), message: message.to_string() }
    });
    // A role that was taken out of the profile or replaced gives nothing any more, nor does a set that was
    // revoked.
    let credentials = association.credentials.as_ref().filter(|credentials| {
        credentials.role_id == role.id && !account.revocations.void_set(&instance.id, credentials)
    });
    let Some(credentials) = credentials.filter(|c| c.expires_at > service.now()) else {
        let refused_at = association.refused.as_ref().map(|refusal| refusal.since);
        metadata.updated_at = refused_at.and_then(convert::time);
        metadata.role_credentials = refusal.map(RoleCredentials::Refusal);
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
    metadata.renewal_refusal = refusal;
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

fn status_of(error: &ServiceError) -> Status {
    status::of_service_error(error, "")
}

/// One watcher's view of its instances.
struct Watch {
    front: Front,
    account: AccountId,
    scope: Scope,
    /// The key of the identity that watches.
    key: Option<AccessKeyId>,
    sender: mpsc::Sender<Result<WatchInstancesResponse, Status>>,
    sent: BTreeMap<InstanceId, InstanceMetadata>,
}

/// The watcher is gone.
struct Gone;

impl Watch {
    async fn run(mut self, mut batches: broadcast::Receiver<Arc<[Recorded]>>) {
        if self.send_all().await.is_err() {
            return;
        }
        let synced = Change::Synced(v1::WatchSynced {});
        if self.send(synced).await.is_err() {
            return;
        }
        loop {
            let batch = tokio::select! {
                batch = batches.recv() => batch,
                () = self.sender.closed() => return,
            };
            let sent = match batch {
                Ok(batch) => self.send_touched(&batch).await,
                // Too far behind to know what changed: look at everything again.
                Err(broadcast::error::RecvError::Lagged(_)) => self.send_all().await,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if sent.is_err() || !self.is_known() {
                return;
            }
        }
    }

    /// Whether the watcher's key may still be used. A disabled account's goes on, to be told of that.
    fn is_known(&self) -> bool {
        let view = self.front.service.view();
        let known = self.key.as_ref().and_then(|key| view.state.key(key));
        known.is_some_and(|held| held.active)
    }

    /// Looks again at the instances that a batch touches.
    async fn send_touched(&mut self, batch: &[Recorded]) -> Result<(), Gone> {
        let events = batch.iter().flat_map(|recorded| &recorded.fact.events);
        let mut touched = Vec::new();
        for event in events.filter(|event| event.account == self.account) {
            match touches(event) {
                Touches::Nothing => {}
                Touches::Instance(id) => touched.push(id.clone()),
                Touches::Instances(sets) => {
                    touched.extend(sets.iter().filter_map(|set| set.instance.id()));
                }
                Touches::Everything => return self.send_all().await,
            }
        }
        for id in touched {
            self.send_if_changed(&id).await?;
        }
        Ok(())
    }

    async fn send_all(&mut self) -> Result<(), Gone> {
        let view = self.front.service.view();
        let instances = view.state.account(self.account).map(|account| &account.instances);
        let now = instances.into_iter().flat_map(|fleet| fleet.iter()).map(|instance| instance.id);
        let ids: Vec<_> = now.chain(self.sent.keys().cloned()).collect();
        for id in ids {
            self.send_if_changed(&id).await?;
        }
        Ok(())
    }

    async fn send_if_changed(&mut self, id: &InstanceId) -> Result<(), Gone> {
        let view = self.front.service.view();
        let account = view.state.account(self.account);
        let found = account.and_then(|account| Some((account, account.instances.get(id)?)));
        let found = found.filter(|(_, i)| i.running && self.scope.holds(i));
        let Some((account, instance)) = found else {
            if self.sent.remove(id).is_some() {
                return self.send(Change::TerminatedInstanceId(id.to_string())).await;
            }
            return Ok(());
        };
        let service = &self.front.service;
        let metadata = match instance_metadata(service, account, &instance) {
            Ok(metadata) if self.sent.get(id) == Some(&metadata) => return Ok(()),
            Ok(metadata) => metadata,
            Err(error) => return self.fail(&error).await,
        };
        match signed(service, metadata.clone()) {
            Ok(signed) => {
                self.sent.insert(id.clone(), metadata);
                self.send(Change::Metadata(signed)).await
            }
            Err(error) => self.fail(&error).await,
        }
    }

    async fn fail(&self, error: &ServiceError) -> Result<(), Gone> {
        let _ = self.sender.send(Err(status_of(error))).await;
        Err(Gone)
    }

    async fn send(&self, change: Change) -> Result<(), Gone> {
        let sequence = self.front.service.view().sequence;
        let response = WatchInstancesResponse { change: Some(change), sequence };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}

/// What an event changes of what instances are told.
pub enum Touches<'a> {
    /// Nothing.
    Nothing,
    /// What this instance is told.
    Instance(&'a InstanceId),
    /// What each of these instances is told.
    Instances(&'a [RenewedSet]),
    /// What every instance of the account may be told.
    Everything,
}

/// What an event touches in its account.
#[must_use]
pub fn touches(event: &Event) -> Touches<'_> {
    match &event.kind {
        EventKind::InstanceLaunched { id, .. } | EventKind::InstanceTerminated { id } => {
            Touches::Instance(id)
        }
        EventKind::MetadataOptionsChanged { instance, .. }
        | EventKind::ProfileAssociated { instance, .. }
        | EventKind::ProfileDisassociated { instance, .. }
        | EventKind::CredentialsRotated { instance, .. }
        | EventKind::CredentialsRefused { instance, .. } => Touches::Instance(instance),
        EventKind::Rotation(RotationEvent::Renewed { sets, .. }) => Touches::Instances(sets),
        EventKind::ProfileRoleAdded { .. }
        | EventKind::ProfileRoleRemoved { .. }
        | EventKind::ProfileDeleted { .. }
        | EventKind::RoleDeleted { .. }
        | EventKind::AccountDisabled
        | EventKind::AccountEnabled
        | EventKind::AccountDeleted => Touches::Everything,
        _ => Touches::Nothing,
    }
}
