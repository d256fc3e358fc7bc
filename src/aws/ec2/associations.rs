//! Instance profiles on instances. Changes take effect at once; the answers name the states that AWS's do.

use serde::Serialize;

use super::end_dry_run;
use super::filter::{FILTERS_MAX, Filter, filtered};
use super::shown::{self, Association};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::command::{Action, ProfileRef};
use crate::domain::event::EventKind;
use crate::domain::rejection::Rejection;
use crate::domain::state;
use crate::identity::{Arn, AssociationId, InstanceId, ProfileName};
use crate::ledger::Receipt;

request! {
    /// A profile by name or by ARN. Source: Amazon EC2 API Reference, IamInstanceProfileSpecification.
    Specification {
        arn: Option<String> = "Arn" [Length(1, 2048)],
        name: Option<String> = "Name" [Length(1, 2048)],
    }
    /// Source: Amazon EC2 API Reference, AssociateIamInstanceProfile.
    Associate {
        profile: Specification = "IamInstanceProfile",
        instance: InstanceId = "InstanceId",
    }
    /// Source: Amazon EC2 API Reference, ReplaceIamInstanceProfileAssociation.
    Replace {
        profile: Specification = "IamInstanceProfile",
        association: AssociationId = "AssociationId",
    }
    /// Source: Amazon EC2 API Reference, DisassociateIamInstanceProfile.
    Disassociate {
        association: AssociationId = "AssociationId",
    }
    /// Source: Amazon EC2 API Reference, DescribeIamInstanceProfileAssociations.
    Describe {
        associations: Vec<AssociationId> = "AssociationId" [Items(0, 100)],
        filters: Vec<Filter> = "Filter" [Items(0, FILTERS_MAX)],
        max_results: Option<u32> = "MaxResults" [Value(5, PAGE_MAX)],
        next_token: Option<String> = "NextToken" [Length(1, 1024)],
        dry_run: Option<bool> = "DryRun",
    }
}

impl Specification {
    /// The profile that is meant.
    pub(super) fn reference(&self) -> Result<ProfileRef, Fault> {
        let invalid = |text: &str| Fault::from(Rejection::InvalidProfile(text.to_owned()));
        match (&self.arn, &self.name) {
            (Some(arn), None) => Arn::parse(arn).map(ProfileRef::Arn).map_err(|_| invalid(arn)),
            (None, Some(name)) => {
                ProfileName::parse(name).map(ProfileRef::Name).map_err(|_| invalid(name))
            }
            (Some(_), Some(_)) => Err(Fault::own(
                "InvalidParameterCombination",
                http::StatusCode::BAD_REQUEST,
                "The parameter iamInstanceProfile.name may not be used in combination with \
                 iamInstanceProfile.arn",
            )),
            (None, None) => Err(Fault::missing("IamInstanceProfile.Name")),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneAssociation {
    iam_instance_profile_association: Association,
}

pub(super) async fn associate(
    call: &Call<'_>,
    request: Associate,
) -> Result<OneAssociation, Fault> {
    let action = Action::AssociateProfile {
        instance: request.instance.clone(),
        profile: request.profile.reference()?,
        association: call.service.draw_hex_id("iip-assoc-")?,
        minting: call.service.draw_minting()?,
    };
    let receipt = call.perform("", action).await?;
    associated(call, &receipt)
}

pub(super) async fn replace(call: &Call<'_>, request: Replace) -> Result<OneAssociation, Fault> {
    let action = Action::ReplaceProfile {
        association: request.association,
        profile: request.profile.reference()?,
        new_association: call.service.draw_hex_id("iip-assoc-")?,
        minting: call.service.draw_minting()?,
    };
    let receipt = call.perform("", action).await?;
    associated(call, &receipt)
}

/// The association that the receipt's fact tells of.
fn associated(call: &Call<'_>, receipt: &Receipt) -> Result<OneAssociation, Fault> {
    let (_, account) = call.state()?;
    let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
    let made = events.find_map(|event| match &event.kind {
        EventKind::ProfileAssociated { association, instance, profile, profile_id, .. } => {
            let association = state::Association {
                id: association.clone(),
                profile: profile.clone(),
                profile_id: profile_id.clone(),
                since: receipt.fact.as_ref()?.time,
                credentials: None,
                refused: None,
                pace: None,
            };
            let instance = account.instances.get(instance)?;
            Some(Association::of(&account, &instance, &association, "associating"))
        }
        _ => None,
    });
    let association = made.ok_or_else(|| Fault::internal(&"no association was made"))?;
    Ok(OneAssociation { iam_instance_profile_association: association })
}

pub(super) async fn disassociate(
    call: &Call<'_>,
    request: Disassociate,
) -> Result<OneAssociation, Fault> {
    let (_, before) = call.state()?;
    let found = before.association(&request.association);
    let shown = found.map(|(instance, association)| {
        Association::of(&before, &instance, &association, "disassociating")
    });
    let association = request.association.clone();
    let action = Action::DisassociateProfile { association: request.association };
    call.perform("", action).await?;
    let gone = || Rejection::NoSuchAssociation(association.to_string());
    Ok(OneAssociation { iam_instance_profile_association: shown.ok_or_else(gone)? })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeResult {
    iam_instance_profile_association_set: Vec<Association>,
    next_token: Option<String>,
}

pub(super) async fn describe(call: &Call<'_>, request: Describe) -> Result<DescribeResult, Fault> {
    let (_, account) = call.state_for("ec2:DescribeIamInstanceProfileAssociations")?;
    end_dry_run(request.dry_run)?;
    if let Some(id) = request.associations.iter().find(|id| account.association(id).is_none()) {
        return Err(Rejection::NoSuchAssociation(id.to_string()).into());
    }
    let carried = account.instances.iter().filter_map(|instance| {
        let association = instance.association.clone()?;
        let wanted =
            request.associations.is_empty() || request.associations.contains(&association.id);
        wanted.then_some((instance, association))
    });
    let carried = filtered(carried, &request.filters, |(instance, _), name| match name {
        "instance-id" => Some(vec![instance.id.to_string()]),
        "state" => Some(vec!["associated".to_owned()]),
        _ => None,
    })?;
    let (size, token) = (request.max_results.or(shown::ALL), request.next_token.as_deref());
    let listed = page(call.action, carried, |(instance, _)| instance.id.as_str(), size, token)?;
    let shown = listed.entries.into_iter().map(|(instance, association)| {
        Association::of(&account, &instance, &association, "associated")
    });
    Ok(DescribeResult {
        iam_instance_profile_association_set: shown.collect(),
        next_token: listed.next,
    })
}
