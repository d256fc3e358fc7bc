//! RotationService: the pace of rotation, how far it is, and renewal on demand.

use std::time::Duration;

use super::{Front, convert, field};
use crate::clock::Timestamp;
use crate::domain::fleet::Record;
use crate::domain::rejection::Rejection;
use crate::identity::{AssociationId, Invalid, PackedAssociationId};
use crate::pace::{Pace, SERVED_LIFE_MIN};
use crate::proto::v1::rotation_service_server::RotationService;
use crate::proto::v1::{
    DeleteRotationSettingsRequest, DeleteRotationSettingsResponse, GetRotationRequest,
    GetRotationResponse, PutRotationSettingsRequest, PutRotationSettingsResponse,
    RotateCredentialsRequest, RotateCredentialsResponse, RotationPace,
};
use crate::service::{RequestInfo, RotationTarget, ServiceError};

calls! {
    RotationService:
    get_rotation: rotation(GetRotationRequest) -> GetRotationResponse;
    put_rotation_settings: put_pace(PutRotationSettingsRequest) -> PutRotationSettingsResponse;
    delete_rotation_settings: delete_pace(DeleteRotationSettingsRequest) -> DeleteRotationSettingsResponse;
    rotate_credentials: rotate(RotateCredentialsRequest) -> RotateCredentialsResponse;
}

impl Front {
    async fn rotation(
        &self,
        info: &RequestInfo,
        request: GetRotationRequest,
    ) -> Result<GetRotationResponse, ServiceError> {
        let read = self.service.rotation(info, request.min_sequence).await?;
        let account = &read.account;
        let carrier = association(&request.association_id)?.map(|id| {
            let missing = || Rejection::NoSuchAssociation(id.to_string());
            account.instances.carrier(&id).ok_or_else(missing)
        });
        let carrier = carrier.transpose()?;
        let own = carrier.as_ref().and_then(|instance| instance.association.as_ref()?.pace);
        let (pace, chosen_by) = match (own, account.pace) {
            (Some(pace), _) => (pace, "association"),
            (None, Some(pace)) => (pace, "account"),
            (None, None) => (self.service.settings().pace, "installation"),
        };
        let only = carrier.map(|instance| (&instance.id).into());
        let records = account.instances.records();
        let records = records.filter(|record| only.is_none_or(|id| record.id == id));
        let demanded = read.view.state.renew_before(account);
        let seen = Seen::of(records, demanded, self.service.now());
        Ok(GetRotationResponse {
            pace: Some(RotationPace {
                interval_seconds: pace.interval.as_secs(),
                lifetime_seconds: pace.lifetime.as_secs(),
            }),
            chosen_by: chosen_by.to_owned(),
            associations: seen.associations,
            outstanding: seen.outstanding,
            refused: seen.refused,
            late: seen.late,
            first_expiry: seen.first_expiry.and_then(convert::time),
            sequence: read.view.sequence,
        })
    }

    async fn put_pace(
        &self,
        info: &RequestInfo,
        request: PutRotationSettingsRequest,
    ) -> Result<PutRotationSettingsResponse, ServiceError> {
        let association = association(&request.association_id)?;
        let asked = request.pace.ok_or_else(|| Invalid::new("pace", "must be given"))?;
        let seconds = Duration::from_secs;
        let pace = Pace::chosen(seconds(asked.interval_seconds), seconds(asked.lifetime_seconds))?;
        let token = &request.idempotency_token;
        let done = self.service.set_rotation_pace(info, token, association, Some(pace)).await?;
        Ok(PutRotationSettingsResponse { sequence: done.sequence })
    }

    async fn delete_pace(
        &self,
        info: &RequestInfo,
        request: DeleteRotationSettingsRequest,
    ) -> Result<DeleteRotationSettingsResponse, ServiceError> {
        let association = association(&request.association_id)?;
        let token = &request.idempotency_token;
        let done = self.service.set_rotation_pace(info, token, association, None).await?;
        Ok(DeleteRotationSettingsResponse { sequence: done.sequence })
    }

    async fn rotate(
        &self,
        info: &RequestInfo,
        request: RotateCredentialsRequest,
    ) -> Result<RotateCredentialsResponse, ServiceError> {
        let target = match (association(&request.association_id)?, request.all_accounts) {
            (None, false) => RotationTarget::Account,
            (None, true) => RotationTarget::Installation,
            (Some(association), false) => RotationTarget::Association(association),
            (Some(_), true) => {
                let rule = "must be empty when all accounts are meant";
                return Err(Invalid::new("association_id", rule).into());
            }
        };
        let token = &request.idempotency_token;
        let done = self.service.rotate_credentials(info, token, target).await?;
        Ok(RotateCredentialsResponse { sequence: done.sequence })
    }
}

fn association(text: &str) -> Result<Option<AssociationId>, Invalid> {
    if text.is_empty() { Ok(None) } else { field("association_id", text).map(Some) }
}

/// What there is to tell of associations.
#[derive(Default)]
struct Seen {
    associations: u64,
    outstanding: u64,
    refused: u64,
    late: u64,
    first_expiry: Option<Timestamp>,
}

impl Seen {
    fn of<'a>(
        records: impl Iterator<Item = &'a Record>,
        demanded: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut seen = Self::default();
        for record in records {
            if !record.running || record.association == PackedAssociationId::NONE {
                continue;
            }
            seen.associations += 1;
            seen.refused += u64::from(record.refused().is_some());
            let Some((issued_at, expires_at)) = record.newest_set() else { continue };
            seen.outstanding += u64::from(issued_at < demanded);
            seen.late += u64::from(expires_at.since(now) < SERVED_LIFE_MIN);
            let first = seen.first_expiry.is_none_or(|first| expires_at < first);
            seen.first_expiry = if first { Some(expires_at) } else { seen.first_expiry };
        }
        seen
    }
}
