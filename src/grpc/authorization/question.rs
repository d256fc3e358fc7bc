//! What resource services ask, read from their messages.

use std::collections::HashMap;
use std::net::IpAddr;

use tonic::Status;

use super::super::{field, optional, status};
use crate::domain::access::of_the_caller;
use crate::identity::{AccountId, Arn};
use crate::policy::{Context, Policy, PolicyKind};
use crate::proto::v1::{
    AuthorizeRequest, AuthorizeSignedRequestRequest, ContextValues, SignedChunk, SignedRequest,
};
use crate::service::{Ask, Chunk, Service, Shown, Wish};
use crate::signing::sigv4::{Expectations, PathStyle, Signable};

/// Actions of one question.
const FURTHER_ACTIONS_MAX: usize = 16;

/// Hands over a shown request in the form in which it is verified.
pub(super) fn with_shown<T>(
    service: &Service,
    request: Option<&SignedRequest>,
    verify: impl FnOnce(&Shown<'_>) -> Result<T, Status>,
) -> Result<T, Status> {
    let request = request.ok_or_else(|| Status::invalid_argument("`request` is missing"))?;
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    let signable = Signable {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &headers,
        body_sha256: &request.body_sha256,
        path_style: if request.service == "s3" { PathStyle::S3 } else { PathStyle::Normalized },
    };
    let chunks = request.chunks.iter().map(chunk).collect::<Result<Vec<_>, _>>()?;
    let trailers = request.trailers.as_ref().map(chunk).transpose()?;
    let regions = service.regions_of(&request.service);
    let expectations =
        Expectations { hosts: &request.hosts, ..Expectations::new(&request.service, regions) };
    verify(&Shown {
        request: signable,
        expectations,
        chunks: &chunks,
        trailers: trailers.as_ref(),
        source_ip: source_ip(&request.source_ip)?,
        secure_transport: request.secure_transport,
    })
}

fn chunk(chunk: &SignedChunk) -> Result<Chunk, Status> {
    let signature = chunk.signature.as_slice().try_into();
    let signature =
        signature.map_err(|_| Status::invalid_argument("a chunk's `signature` has 32 bytes"))?;
    Ok(Chunk { sha256: chunk.sha256.clone(), signature })
}

fn source_ip(text: &str) -> Result<Option<IpAddr>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = text.parse();
    address.map(Some).map_err(|_| Status::invalid_argument("`source_ip` must be an IP address"))
}

pub(super) fn ask(request: AuthorizeRequest) -> Result<Ask, Status> {
    check(&request.action, &request.resource)?;
    Ok(Ask {
        action: request.action,
        resource: request.resource,
        resource_account: optional::<AccountId>("resource_account", &request.resource_account)?,
        resource_policy: resource_policy(&request.resource_policy)?,
        context: context(request.context)?,
    })
}

/// The request of a question, and what its signer wishes.
pub(super) fn wish(
    question: AuthorizeSignedRequestRequest,
) -> Result<(Option<SignedRequest>, Wish), Status> {
    check(&question.action, &question.resource)?;
    if question.further_actions.len() > FURTHER_ACTIONS_MAX {
        let rule = format!("`further_actions` has at most {FURTHER_ACTIONS_MAX} entries");
        return Err(Status::invalid_argument(rule));
    }
    for action in &question.further_actions {
        check_action(action)?;
    }
    let wish = Wish {
        action: question.action,
        further_actions: question.further_actions,
        resource: question.resource,
        resource_account: optional::<AccountId>("resource_account", &question.resource_account)?,
        resource_policy: resource_policy(&question.resource_policy)?,
        context: context(question.context)?,
    };
    Ok((question.request, wish))
}

fn check(action: &str, resource: &str) -> Result<(), Status> {
    check_action(action)?;
    if resource != "*" {
        field::<Arn>("resource", resource)?;
    }
    Ok(())
}

fn check_action(action: &str) -> Result<(), Status> {
    match action.split_once(':') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() => Ok(()),
        _ => Err(Status::invalid_argument("an action must be `service:Action`")),
    }
}

fn resource_policy(text: &str) -> Result<Option<Policy>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let policy = Policy::parse(text, PolicyKind::Resource);
    policy.map(Some).map_err(|error| status::of_policy_error("resource_policy", &error))
}

fn context(given: HashMap<String, ContextValues>) -> Result<Context, Status> {
    let mut context = Context::default();
    for (key, values) in given {
        if of_the_caller(&key) {
            return Err(Status::invalid_argument(format!("`{key}` follows from the caller")));
        }
        if key.eq_ignore_ascii_case("aws:ResourceAccount") {
            let rule = format!("`context`: `{key}` follows from `resource_account`");
            return Err(Status::invalid_argument(rule));
        }
        context.insert_given(&key, values.values, values.is_list);
    }
    Ok(context)
}
