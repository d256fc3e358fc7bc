//! KeyringService: the root keys of a running server.

use tonic::{Request, Response, Status};

use super::{Front, status};
use crate::domain::access::Permission;
use crate::proto::v1::keyring_service_server::KeyringService;
use crate::proto::v1::{
    KeyringVersion, ListKeyringRequest, ListKeyringResponse, ReloadKeyringRequest,
    ReloadKeyringResponse, RetireKeyringVersionRequest, RetireKeyringVersionResponse,
    RotateKeyringRequest, RotateKeyringResponse,
};
use crate::service::{ServiceError, VersionUse};
use crate::signing::KeyState;

#[tonic::async_trait]
impl KeyringService for Front {
    async fn list_keyring(
        &self,
        request: Request<ListKeyringRequest>,
    ) -> Result<Response<ListKeyringResponse>, Status> {
        let info = Self::info(&request)?;
        let view = self.service.view_at(request.into_inner().min_sequence).await?;
        self.service.require_keyring(&info, Permission::ListKeyring)?;
        Ok(Response::new(ListKeyringResponse {
            versions: self.service.keyring_versions().into_iter().map(shown).collect(),
            sequence: view.sequence,
            keyring_id: self.service.keyring_id(),
            source: self.service.settings().keyring.to_string(),
        }))
    }

    async fn rotate_keyring(
        &self,
        request: Request<RotateKeyringRequest>,
    ) -> Result<Response<RotateKeyringResponse>, Status> {
        let info = Self::info(&request)?;
        self.service.require_keyring(&info, Permission::RotateKeyring)?;
        let request = request.into_inner();
        let token = &request.idempotency_token;
        let rotated = self.service.rotate_keyring(&info, token, request.prepare_only).await;
        let (version, receipt) = told(rotated)?;
        Ok(Response::new(RotateKeyringResponse { version, sequence: receipt.sequence }))
    }

    async fn reload_keyring(
        &self,
        request: Request<ReloadKeyringRequest>,
    ) -> Result<Response<ReloadKeyringResponse>, Status> {
        let info = Self::info(&request)?;
        self.service.require_keyring(&info, Permission::ReloadKeyring)?;
        told(self.service.reload_keyring().await)?;
        let active = |key: &VersionUse| key.version.state == KeyState::Active;
        let version = self.service.keyring_versions().into_iter().find(active);
        let version = version.map_or(0, |active| active.version.version);
        Ok(Response::new(ReloadKeyringResponse { version }))
    }

    async fn retire_keyring_version(
        &self,
        request: Request<RetireKeyringVersionRequest>,
    ) -> Result<Response<RetireKeyringVersionResponse>, Status> {
        let info = Self::info(&request)?;
        self.service.require_keyring(&info, Permission::RetireKeyringVersion)?;
        let request = request.into_inner();
        let (token, version) = (&request.idempotency_token, request.version);
        let retired = self.service.retire_keyring_version(&info, token, version).await;
        let sequence = told(retired)?.sequence;
        Ok(Response::new(RetireKeyringVersionResponse { sequence }))
    }
}

/// What stands in the way is told to the operator, who has to mend it.
fn told<T>(result: Result<T, ServiceError>) -> Result<T, Status> {
    result.map_err(|error| match &error {
        ServiceError::Keyring(error) => status::of_keyring_error(error),
        error => status::of_service_error(error),
    })
}

fn shown(used: VersionUse) -> KeyringVersion {
    let state = match used.version.state {
        KeyState::Next => "next",
        KeyState::Active => "active",
        KeyState::Retired => "retired",
    };
    KeyringVersion {
        version: used.version.version,
        state: state.to_owned(),
        fingerprint: used.version.fingerprint,
        account_keys: used.account_keys as u64,
    }
}
