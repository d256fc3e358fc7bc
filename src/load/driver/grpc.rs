//! Requests over gRPC.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::super::book::Outcome;
use super::super::population::{Association, Churned, Population, Session, Tenant, one_of};
use crate::client::{Credentials, SignedChannel};
use crate::clock::{Clock, Timestamp};
use crate::proto::v1;
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::proto::v1::get_role_credentials_response::RoleCredentials;
use crate::proto::v1::instance_service_client::InstanceServiceClient;
use crate::proto::v1::metadata_service_client::MetadataServiceClient;
use crate::proto::v1::sts_service_client::StsServiceClient;
use crate::signing::Secret;
use crate::signing::sigv4::{EMPTY_SHA256, PathStyle, Signable, Signer};

/// What sessions are called.
pub(super) const SESSION_NAME: &str = "load";
/// How long before their end sessions of a chain are renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Reasons that are hints to try again later, as AWS spells them. Source: AWS SDKs and Tools Reference Guide, retry
/// behavior.
pub(super) const THROTTLING: [&str; 4] =
    ["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];

/// What an error stands for.
pub(super) fn outcome(status: &Status) -> Outcome {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    let reason = reason.unwrap_or_else(|| format!("{:?}", status.code()));
    if details.retry_info().is_some() || THROTTLING.contains(&reason.as_str()) {
        return Outcome::Throttled(reason);
    }
    match status.code() {
        Code::DeadlineExceeded => Outcome::TimedOut,
        _ => Outcome::Failed(reason),
    }
}

fn missing(what: &str) -> Outcome {
    Outcome::Failed(format!("(an answer without {what})"))
}

pub(super) async fn role_credentials(tenant: &Tenant, number: u64) -> Outcome {
    let count = u64::try_from(tenant.machines.len()).unwrap_or(1).max(1);
    let machine = one_of(&tenant.machines, number);
    let channel = machine.and_then(|machine| one_of(&machine.channels, number / count));
    let Some(channel) = channel else { return Outcome::NotMade };
    let request = v1::GetRoleCredentialsRequest::default();
    let answer = MetadataServiceClient::new(channel.clone()).get_role_credentials(request).await;
    match answer.map(|answer| answer.into_inner().role_credentials) {
        Ok(Some(RoleCredentials::Credentials(_))) => Outcome::Done,
        Ok(Some(RoleCredentials::Refusal(refusal))) => Outcome::Failed(refusal.code),
        Ok(None) => missing("credentials"),
        Err(status) => outcome(&status),
    }
}

async fn assume(channel: &SignedChannel, role: &str) -> Result<v1::Credentials, Outcome> {
    let request = v1::AssumeRoleRequest {
        role_arn: role.to_owned(),
        role_session_name: SESSION_NAME.to_owned(),
        ..Default::default()
    };
    let answer = StsServiceClient::new(channel.clone()).assume_role(request).await;
    let answer = answer.map_err(|status| outcome(&status))?.into_inner();
    answer.credentials.ok_or_else(|| missing("credentials"))
}

pub(super) async fn assume_role(tenant: &Tenant, number: u64) -> Outcome {
    let Some(channel) = one_of(&tenant.user, number) else { return Outcome::NotMade };
    match assume(channel, &tenant.first_role).await {
        Ok(_) => Outcome::Done,
        Err(outcome) => outcome,
    }
}

/// Makes sure that there is a session of the first role; once for many requests, and none of those measured.
pub(super) async fn session(
    population: &Population,
    tenant: &Tenant,
) -> Result<(Box<[SignedChannel]>, Credentials), Outcome> {
    let mut kept = tenant.session.lock().await;
    let now = Clock::System.now();
    if let Some(session) = kept.as_ref().filter(|session| session.renew_at > now) {
        return Ok((session.channels.clone(), session.credentials.clone()));
    }
    let channel = tenant.user.first().ok_or(Outcome::NotMade)?;
    let issued = assume(channel, &tenant.first_role).await?;
    population.note_session();
    let ends = issued.expires_at.map(|time| Timestamp::from_unix_seconds(time.seconds));
    let credentials = Credentials {
        access_key_id: issued.access_key_id,
        secret_access_key: Secret::new(issued.secret_access_key),
        session_token: Some(Secret::new(issued.session_token)),
    };
    let channels: Box<[_]> =
        tenant.user.iter().map(|channel| channel.signed_by(credentials.clone())).collect();
    let renew_at = ends.unwrap_or(now).minus(RENEW_BEFORE);
    *kept =
        Some(Session { channels: channels.clone(), credentials: credentials.clone(), renew_at });
    Ok((channels, credentials))
}

pub(super) async fn assume_role_chained(
    population: &Population,
    tenant: &Tenant,
    number: u64,
) -> Outcome {
    let channels = match session(population, tenant).await {
        Ok((channels, _)) => channels,
        Err(outcome) => return outcome,
    };
    let Some(channel) = one_of(&channels, number) else { return Outcome::NotMade };
    match assume(channel, &tenant.second_role).await {
        Ok(_) => Outcome::Done,
        Err(outcome) => outcome,
    }
}

/// Changes the profile of an instance that no other request is changing.
pub(super) async fn churn(tenant: &Tenant, number: u64) -> Outcome {
    let Some(channel) = one_of(&tenant.admin, number) else { return Outcome::NotMade };
    let count = tenant.churned.len();
    let first = number.checked_rem(u64::try_from(count).unwrap_or(u64::MAX)).unwrap_or_default();
    let first = usize::try_from(first).unwrap_or_default();
    let free = tenant.churned.iter().cycle().skip(first).take(count);
    let free = free.filter_map(|churned| Some((churned, churned.state.try_lock().ok()?)));
    let Some((churned, mut state)) = free.into_iter().next() else { return Outcome::NotMade };
    // Not known again until this is answered.
    let id = match state.id.take() {
        Some(id) => id,
        None => match association_of(channel, churned).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
        },
    };
    match replace(channel, tenant, id, &mut state).await {
        Ok(()) => Outcome::Done,
        Err(outcome) => outcome,
    }
}

async fn association_of(channel: &SignedChannel, churned: &Churned) -> Result<String, Outcome> {
    let request = v1::DescribeInstancesRequest {
        instance_ids: vec![churned.instance.clone()],
        ..Default::default()
    };
    let answer = InstanceServiceClient::new(channel.clone()).describe_instances(request).await;
    let found = answer.map_err(|status| outcome(&status))?.into_inner().instances.pop();
    let association = found.and_then(|instance| instance.association);
    Ok(association.ok_or_else(|| missing("an association"))?.association_id)
}

async fn replace(
    channel: &SignedChannel,
    tenant: &Tenant,
    id: String,
    state: &mut Association,
) -> Result<(), Outcome> {
    let [first, second] = &tenant.profiles;
    let profile = if state.turn { first } else { second };
    let request = v1::ReplaceInstanceProfileAssociationRequest {
        association_id: id,
        instance_profile: Some(by_name(profile)),
        ..Default::default()
    };
    let mut instances = InstanceServiceClient::new(channel.clone());
    let answer = instances.replace_instance_profile_association(request).await;
    let answer = answer.map_err(|status| outcome(&status))?.into_inner();
    let association = answer.association.ok_or_else(|| missing("an association"))?;
    state.id = Some(association.association_id);
    state.turn = !state.turn;
    Ok(())
}

pub(in crate::load) fn by_name(profile: &str) -> v1::ProfileReference {
    let name = v1::profile_reference::Reference::Name(profile.to_owned());
    v1::ProfileReference { reference: Some(name) }
}

/// Asks as a resource service whether the user may read an object, with a request that the user signed.
pub(super) async fn authorize(tenant: &Tenant, region: &str, number: u64) -> Outcome {
    let Some(channel) = one_of(&tenant.user, number) else { return Outcome::NotMade };
    let request = v1::AuthorizeSignedRequestRequest {
        request: Some(signed_get(&tenant.user_key, region)),
        action: "s3:GetObject".to_owned(),
        resource: "arn:aws:s3:::load/object".to_owned(),
        ..Default::default()
    };
    let mut service = AuthorizationServiceClient::new(channel.clone());
    match service.authorize_signed_request(request).await {
        Ok(answer) if answer.get_ref().verdict() == v1::Verdict::Allow => Outcome::Done,
        Ok(answer) => Outcome::Failed(format!("{:?}", answer.get_ref().verdict())),
        Err(status) => outcome(&status),
    }
}

fn signed_get(key: &Credentials, region: &str) -> v1::SignedRequest {
    let headers = [("host", "load.s3.amazonaws.com"), ("x-amz-content-sha256", EMPTY_SHA256)];
    let signable = Signable {
        method: "GET",
        path: "/object",
        query: "",
        headers: &headers,
        body_sha256: EMPTY_SHA256,
        path_style: PathStyle::S3,
    };
    let signer = Signer {
        access_key: &key.access_key_id,
        secret: &key.secret_access_key,
        session_token: None,
        region,
        service: "s3",
    };
    let signed = signer.sign(&signable, Clock::System.now());
    let sent = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(signed);
    v1::SignedRequest {
        method: "GET".to_owned(),
        path: "/object".to_owned(),
        headers: sent
            .map(|(name, value)| v1::SignedHeader { name: name.to_owned(), value })
            .collect(),
        body_sha256: EMPTY_SHA256.to_owned(),
        service: "s3".to_owned(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn status(code: Code, reason: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, "locum.v1", HashMap::new());
        Status::with_error_details(code, "", details)
    }

    /// Protects the word error: hints to try later are told apart from refusals, and both bear AWS's code.
    #[test]
    fn statuses_are_outcomes_by_their_code() {
        let throttled = |code: &str| Outcome::Throttled(code.to_owned());
        let failed = |code: &str| Outcome::Failed(code.to_owned());
        for (status, expected) in [
            (status(Code::ResourceExhausted, "Throttling"), throttled("Throttling")),
            (status(Code::ResourceExhausted, "LimitExceeded"), failed("LimitExceeded")),
            (status(Code::PermissionDenied, "AccessDenied"), failed("AccessDenied")),
            (Status::unavailable("connection refused"), failed("Unavailable")),
            (Status::deadline_exceeded(""), Outcome::TimedOut),
        ] {
            assert_eq!(outcome(&status), expected);
        }
        let mut hint = ErrorDetails::with_error_info("LimitExceeded", "locum.v1", HashMap::new());
        hint.set_retry_info(Some(Duration::from_secs(1)));
        let hint = Status::with_error_details(Code::ResourceExhausted, "", hint);
        assert_eq!(outcome(&hint), throttled("LimitExceeded"));
    }
}
