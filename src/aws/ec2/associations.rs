//! Instance profiles on instances. Changes take effect at once; the answers name the states that AWS's do.

use serde::Serialize;

use super::filter::{FILTERS_MAX, Filter, filtered};
use super::shown::{self, Association};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::command::ProfileRef;
use crate::domain::rejection::Rejection;
use crate::domain::state;
use crate::identity::{Arn, AssociationId, InstanceId, ProfileName};
use crate::service::MadeAssociation;

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
            (Some(_), Some(_)) => Err(Rejection::InvalidCombination(
                "The parameter iamInstanceProfile.name may not be used in combination with \
                 iamInstanceProfile.arn",
            )
            .into()),
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
    let (instance, profile) = (request.instance, request.profile.reference()?);
    let made = call.service.associate_profile(call.info, "", instance, profile).await?;
    Ok(associated(&made))
}

pub(super) async fn replace(call: &Call<'_>, request: Replace) -> Result<OneAssociation, Fault> {
    let (association, profile) = (request.association, request.profile.reference()?);
    let made = call.service.replace_association(call.info, "", association, profile).await?;
    Ok(associated(&made))
}

/// An association that was made.
fn associated(made: &MadeAssociation) -> OneAssociation {
    let association = state::Association {
        id: made.id.clone(),
        profile: made.profile.clone(),
        profile_id: made.profile_id.clone(),
        since: made.since,
        credentials: None,
        refused: None,
        pace: None,
    };
    let shown = Association::of(&made.account, &made.instance, &association, "associating");
    OneAssociation { iam_instance_profile_association: shown }
}

pub(super) async fn disassociate(
    call: &Call<'_>,
    request: Disassociate,
) -> Result<OneAssociation, Fault> {
    let ended = call.service.disassociate_profile(call.info, "", request.association).await?;
    let found = ended.before.association(&ended.id);
    let shown = found.map(|(instance, association)| {
        Association::of(&ended.before, &instance, &association, "disassociating")
    });
    let gone = || Rejection::NoSuchAssociation(ended.id.to_string());
    Ok(OneAssociation { iam_instance_profile_association: shown.ok_or_else(gone)? })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeResult {
    iam_instance_profile_association_set: Vec<Association>,
    next_token: Option<String>,
}

pub(super) async fn describe(call: &Call<'_>, request: Describe) -> Result<DescribeResult, Fault> {
    let dry_run = request.dry_run == Some(true);
    let account = call.service.describe_associations(call.info, 0, dry_run).await?.account;
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
