//! RotationService: the pace of rotation, how far it is, and renewal on demand.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::{Front, convert, field, status};
use crate::clock::Timestamp;
use crate::domain::command::Action;
use crate::domain::fleet::Record;
use crate::domain::rejection::Rejection;
use crate::domain::rotation::RotationAction;
use crate::identity::{AssociationId, Invalid, PackedAssociationId};
use crate::pace::{Pace, SERVED_LIFE_MIN};
use crate::proto::v1::rotation_service_server::RotationService;
use crate::proto::v1::{
    DeleteRotationSettingsRequest, DeleteRotationSettingsResponse, GetRotationRequest,
    GetRotationResponse, PutRotationSettingsRequest, PutRotationSettingsResponse,
    RotateCredentialsRequest, RotateCredentialsResponse, RotationPace,
};

#[tonic::async_trait]
impl RotationService for Front {
    async fn get_rotation(
        &self,
        request: Request<GetRotationRequest>,
    ) -> Result<Response<GetRotationResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (view, account) =
            self.read(&info, request.min_sequence, "locum:GetRotation", "*").await?;
        let carrier = association(&request.association_id)?.map(|id| {
            let missing =
                || status::of_rejection(&Rejection::NoSuchAssociation(id.to_string()), "");
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
        let demanded = view.state.renew_before(&account);
        let seen = Seen::of(records, demanded, self.service.now());
        Ok(Response::new(GetRotationResponse {
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
            sequence: view.sequence,
        }))
    }

    async fn put_rotation_settings(
        &self,
        request: Request<PutRotationSettingsRequest>,
    ) -> Result<Response<PutRotationSettingsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let association = association(&request.association_id)?;
        let invalid = |invalid: Invalid| status::of_invalid(&invalid, &info.request_id);
        let asked = request.pace.ok_or_else(|| invalid(Invalid::new("pace", "must be given")))?;
        let seconds = Duration::from_secs;
        let pace = Pace::chosen(seconds(asked.interval_seconds), seconds(asked.lifetime_seconds));
        let pace = Some(pace.map_err(invalid)?);
        let action = Action::Rotation(RotationAction::Configure { association, pace });
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        Ok(Response::new(PutRotationSettingsResponse { sequence: receipt.sequence }))
    }

    async fn delete_rotation_settings(
        &self,
        request: Request<DeleteRotationSettingsRequest>,
    ) -> Result<Response<DeleteRotationSettingsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let association = association(&request.association_id)?;
        let action = Action::Rotation(RotationAction::Configure { association, pace: None });
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        Ok(Response::new(DeleteRotationSettingsResponse { sequence: receipt.sequence }))
    }

    async fn rotate_credentials(
        &self,
        request: Request<RotateCredentialsRequest>,
    ) -> Result<Response<RotateCredentialsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let action = match (association(&request.association_id)?, request.all_accounts) {
            (None, false) => RotationAction::RenewAccount,
            (None, true) => RotationAction::RenewAll,
            (Some(association), false) => {
                let minting = Self::drawn(&info, self.service.draw_minting())?;
                RotationAction::RenewOne { association, minting }
            }
            (Some(_), true) => {
                let rule = "must be empty when all accounts are meant";
                let invalid = Invalid::new("association_id", rule);
                return Err(status::of_invalid(&invalid, &info.request_id));
            }
        };
        let token = &request.idempotency_token;
        let receipt = self.perform(&info, token, Action::Rotation(action)).await?;
        Ok(Response::new(RotateCredentialsResponse { sequence: receipt.sequence }))
    }
}

fn association(text: &str) -> Result<Option<AssociationId>, Status> {
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
