//! How an instance gets its metadata. Source: Amazon EC2 API Reference, ModifyInstanceMetadataOptions.

use serde::Serialize;

use super::shown::Options;
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::shape::Rule::Value;
use crate::aws::shape::{request, words};
use crate::domain::metadata::{HopLimit, MetadataChange};
use crate::identity::InstanceId;

words! {
    /// Whether version 1 of the protocol is refused.
    Tokens {
        Optional = "optional",
        Required = "required",
    }
    /// Whether something is on.
    Switch {
        Enabled = "enabled",
        Disabled = "disabled",
    }
}

request! {
    /// The options of a launch.
    Asked {
        tokens: Option<Tokens> = "HttpTokens",
        hop_limit: Option<u32> = "HttpPutResponseHopLimit" [Value(1, 64)],
        endpoint: Option<Switch> = "HttpEndpoint",
        ipv6: Option<Switch> = "HttpProtocolIpv6",
        tags: Option<Switch> = "InstanceMetadataTags",
    }
    /// Source: Amazon EC2 API Reference, ModifyInstanceMetadataOptions.
    Modify {
        instance: InstanceId = "InstanceId",
        tokens: Option<Tokens> = "HttpTokens",
        hop_limit: Option<u32> = "HttpPutResponseHopLimit" [Value(1, 64)],
        endpoint: Option<Switch> = "HttpEndpoint",
        ipv6: Option<Switch> = "HttpProtocolIpv6",
        tags: Option<Switch> = "InstanceMetadataTags",
        dry_run: Option<bool> = "DryRun",
    }
}

impl Asked {
    /// What is asked for; where metadata listens is for the agent to say, not for the instance.
    pub(super) fn change(&self) -> Result<MetadataChange, Fault> {
        if self.ipv6 == Some(Switch::Enabled) {
            return Err(Fault::validation(
                "HttpProtocolIpv6 cannot be set: metadata is served where the agent listens.",
            ));
        }
        let is_on = |switch: Switch| switch == Switch::Enabled;
        Ok(MetadataChange {
            tokens_required: self.tokens.map(|tokens| tokens == Tokens::Required),
            enabled: self.endpoint.map(is_on),
            hop_limit: self.hop_limit.map(HopLimit::new).transpose()?,
            tags: self.tags.map(is_on),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModifyResult {
    instance_id: String,
    instance_metadata_options: Options,
}

pub(super) async fn modify(call: &Call<'_>, request: Modify) -> Result<ModifyResult, Fault> {
    let Modify { instance, tokens, hop_limit, endpoint, ipv6, tags, dry_run } = request;
    let change = Asked { tokens, hop_limit, endpoint, ipv6, tags }.change()?;
    let (id, dry_run) = (instance.to_string(), dry_run == Some(true));
    let changed =
        call.service.modify_metadata_options(call.info, "", instance, change, dry_run).await?;
    let (_, found, _) = changed;
    Ok(ModifyResult {
        instance_id: id,
        instance_metadata_options: Options::of(found.facts.metadata, "pending"),
    })
}
