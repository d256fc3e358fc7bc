//! MetadataService: hands instances their credentials. Its callers are instances and host agents; each
//! sees its own instances and no others.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Front, convert, field, status};
use crate::domain::event::{Event, EventKind};
use crate::domain::state::{Account, Instance};
use crate::identity::{AccountId, AgentName, InstanceId, Principal};
use crate::ledger::Recorded;
use crate::proto::v1;
use crate::proto::v1::metadata_service_server::MetadataService;
use crate::proto::v1::watch_instances_response::Change;
use crate::proto::v1::{
    GetInstanceMetadataRequest, GetInstanceMetadataResponse, InstanceMetadata,
    WatchInstancesRequest, WatchInstancesResponse,
};
use crate::sts::{Service, ServiceError};

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
        Ok(Response::new(GetInstanceMetadataResponse {
            metadata: Some(shown(&self.service, account, instance)?),
            sequence: view.sequence,
        }))
    }

    type WatchInstancesStream =
        Pin<Box<dyn Stream<Item = Result<WatchInstancesResponse, Status>> + Send>>;

    async fn watch_instances(
        &self,
        request: Request<WatchInstancesRequest>,
    ) -> Result<Response<Self::WatchInstancesStream>, Status> {
        let (account, scope) = Scope::of(&Self::info(&request)?.caller.principal)?;
        let (sender, receiver) = mpsc::channel(WATCHER_QUEUE);
        // Followed before the first look, so that nothing falls in between.
        let batches = self.service.ledger().follow();
        let watch = Watch { front: self.clone(), account, scope, sender, sent: BTreeMap::new() };
        tokio::spawn(watch.run(batches));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// What an instance may know of itself now.
///
/// # Errors
/// Its credentials cannot be derived.
pub fn instance_metadata(
    service: &Service,
    account: &Account,
    instance: &Instance,
) -> Result<InstanceMetadata, ServiceError> {
    use v1::instance_metadata::RoleCredentials;
    let mut metadata = InstanceMetadata {
        account_id: account.id.to_string(),
        instance: Some(convert::instance(account, instance)),
        generation: instance.generation,
        ..InstanceMetadata::default()
    };
    let Some(association) = &instance.association else { return Ok(metadata) };
    let shown = convert::association(account, instance, association);
    metadata.instance_profile_arn = shown.instance_profile_arn;
    metadata.instance_profile_id = shown.instance_profile_id;
    if !account.enabled {
        return Ok(metadata);
    }
    let role = account.associated_role(association);
    let credentials = association.credentials.as_ref().filter(|credentials| {
        // A role that was taken out of the profile or replaced gives nothing any more.
        role.is_some_and(|role| role.id == credentials.role_id)
    });
    if let Some(role) = role {
        metadata.role_name = role.name.to_string();
    }
    if let Some(credentials) = credentials.filter(|c| c.expires_at > service.now()) {
        let issued = service.role_credentials(account, instance, credentials)?;
        metadata.updated_at = convert::time(credentials.issued_at);
        let credentials = convert::credentials(&issued);
        metadata.role_credentials = Some(RoleCredentials::Credentials(credentials));
    } else if let Some((code, message, time)) = &association.refused {
        metadata.updated_at = convert::time(*time);
        let (code, message) = (code.to_string(), message.to_string());
        let refusal = v1::CredentialsRefusal { code, message };
        metadata.role_credentials = Some(RoleCredentials::Refusal(refusal));
    }
    Ok(metadata)
}

fn shown(
    service: &Service,
    account: &Account,
    instance: &Instance,
) -> Result<InstanceMetadata, Status> {
    let metadata = instance_metadata(service, account, instance);
    metadata.map_err(|error| status::of_service_error(&error, ""))
}

/// One watcher's view of its instances.
struct Watch {
    front: Front,
    account: AccountId,
    scope: Scope,
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
            if sent.is_err() {
                return;
            }
        }
    }

    /// Looks again at the instances that a batch touches.
    async fn send_touched(&mut self, batch: &[Recorded]) -> Result<(), Gone> {
        let events = batch.iter().flat_map(|recorded| &recorded.fact.events);
        let mut touched = Vec::new();
        for event in events.filter(|event| event.account == self.account) {
            match touches(event) {
                Touches::Nothing => {}
                Touches::Instance(id) => touched.push(id.clone()),
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
        let now = instances.into_iter().flatten().map(|(id, _)| id.clone());
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
        let metadata = match shown(&self.front.service, account, instance) {
            Ok(metadata) => metadata,
            Err(status) => {
                let _ = self.sender.send(Err(status)).await;
                return Err(Gone);
            }
        };
        if self.sent.get(id) == Some(&metadata) {
            return Ok(());
        }
        self.sent.insert(id.clone(), metadata.clone());
        self.send(Change::Metadata(metadata)).await
    }

    async fn send(&self, change: Change) -> Result<(), Gone> {
        let sequence = self.front.service.view().sequence;
        let response = WatchInstancesResponse { change: Some(change), sequence };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}

enum Touches<'a> {
    Nothing,
    Instance(&'a InstanceId),
    Everything,
}

fn touches(event: &Event) -> Touches<'_> {
    match &event.kind {
        EventKind::InstanceLaunched { id, .. } | EventKind::InstanceTerminated { id } => {
            Touches::Instance(id)
        }
        EventKind::ProfileAssociated { instance, .. }
        | EventKind::ProfileDisassociated { instance, .. }
        | EventKind::CredentialsRotated { instance, .. }
        | EventKind::CredentialsRefused { instance, .. } => Touches::Instance(instance),
        EventKind::ProfileRoleAdded { .. }
        | EventKind::ProfileRoleRemoved { .. }
        | EventKind::ProfileDeleted { .. }
        | EventKind::RoleDeleted { .. }
        | EventKind::AccountDisabled
        | EventKind::AccountEnabled => Touches::Everything,
        _ => Touches::Nothing,
    }
}
