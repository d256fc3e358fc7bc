//! Instances and associations as answers show them.

use serde::Serialize;

use crate::aws::xml::Time;
use crate::domain::metadata::MetadataOptions;
use crate::domain::state::{self, Account};
use crate::identity::Arn;

/// Entries of a page whose caller asks for no number: as many as there can be in one.
pub(super) const ALL: Option<u32> = Some(1000);

/// A state of an instance. Source: Amazon EC2 API Reference, InstanceState.
#[derive(Serialize)]
pub(super) struct InstanceState {
    pub(super) code: u16,
    pub(super) name: &'static str,
}

impl InstanceState {
    /// The state of an instance that runs or has ended.
    pub(super) fn of(running: bool) -> Self {
        match running {
            true => Self { code: 16, name: "running" },
            false => Self { code: 48, name: "terminated" },
        }
    }
}

/// A profile on an instance.
#[derive(Serialize)]
pub(super) struct Profile {
    arn: String,
    id: String,
}

impl Profile {
    pub(super) fn of(account: &Account, association: &state::Association) -> Self {
        let known = account.profile(&association.profile);
        let path = known.map(|profile| profile.path.clone()).unwrap_or_default();
        Self {
            arn: Arn::profile(account.id, &path, &association.profile).to_string(),
            id: association.profile_id.to_string(),
        }
    }
}

/// Source: Amazon EC2 API Reference, IamInstanceProfileAssociation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Association {
    association_id: String,
    instance_id: String,
    iam_instance_profile: Profile,
    state: &'static str,
    timestamp: Time,
}

impl Association {
    pub(super) fn of(
        account: &Account,
        instance: &state::Instance,
        association: &state::Association,
        state: &'static str,
    ) -> Self {
        Self {
            association_id: association.id.to_string(),
            instance_id: instance.id.to_string(),
            iam_instance_profile: Profile::of(account, association),
            state,
            timestamp: Time(association.since),
        }
    }
}

/// Source: Amazon EC2 API Reference, InstanceMetadataOptionsResponse.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    state: &'static str,
    http_tokens: &'static str,
    http_put_response_hop_limit: u8,
    http_endpoint: &'static str,
    http_protocol_ipv6: &'static str,
    instance_metadata_tags: &'static str,
}

impl Options {
    pub(super) fn of(options: MetadataOptions, state: &'static str) -> Self {
        let switch = |on: bool| if on { "enabled" } else { "disabled" };
        Self {
            state,
            http_tokens: if options.tokens_required { "required" } else { "optional" },
            http_put_response_hop_limit: options.hop_limit.get(),
            http_endpoint: switch(options.enabled),
            http_protocol_ipv6: "disabled",
            instance_metadata_tags: switch(options.tags),
        }
    }

    /// The value under the name of a filter.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "state" => self.state.to_owned(),
            "http-tokens" => self.http_tokens.to_owned(),
            "http-put-response-hop-limit" => self.http_put_response_hop_limit.to_string(),
            "http-endpoint" => self.http_endpoint.to_owned(),
            "http-protocol-ipv6" => self.http_protocol_ipv6.to_owned(),
            "instance-metadata-tags" => self.instance_metadata_tags.to_owned(),
            _ => return None,
        })
    }
}

#[derive(Serialize)]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placement {
    availability_zone: String,
    host_id: Option<String>,
    tenancy: &'static str,
}

/// What of an instance is known here. Source: Amazon EC2 API Reference, Instance.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instance {
    instance_id: String,
    image_id: String,
    instance_state: InstanceState,
    private_dns_name: String,
    dns_name: String,
    ami_launch_index: usize,
    instance_type: String,
    launch_time: Time,
    placement: Placement,
    private_ip_address: Option<String>,
    iam_instance_profile: Option<Profile>,
    tag_set: Vec<Tag>,
    metadata_options: Options,
}

impl Instance {
    pub(super) fn of(account: &Account, instance: &state::Instance, launch_index: usize) -> Self {
        let facts = &instance.facts;
        let tags = facts.tags.iter();
        let tags = tags.map(|(key, value)| Tag { key: key.to_string(), value: value.to_string() });
        let association = instance.association.as_ref();
        Self {
            instance_id: instance.id.to_string(),
            image_id: facts.image_id.to_string(),
            instance_state: InstanceState::of(instance.running),
            private_dns_name: String::new(),
            dns_name: String::new(),
            ami_launch_index: launch_index,
            instance_type: facts.instance_type.to_string(),
            launch_time: Time(instance.launched_at),
            placement: Placement {
                availability_zone: facts.zone.to_string(),
                host_id: facts.agent.as_ref().map(ToString::to_string),
                tenancy: if facts.agent.is_some() { "host" } else { "default" },
            },
            private_ip_address: instance.private_ip.map(|address| address.to_string()),
            iam_instance_profile: association.map(|held| Profile::of(account, held)),
            tag_set: tags.collect(),
            metadata_options: Options::of(facts.metadata, "applied"),
        }
    }

    /// The values under the name of a filter; none for a name that is no filter.
    pub(super) fn values(&self, name: &str) -> Option<Vec<String>> {
        let one = |value: &str| Some(vec![value.to_owned()]);
        if let Some(key) = name.strip_prefix("tag:") {
            let tags = self.tag_set.iter().filter(|tag| tag.key == key);
            return Some(tags.map(|tag| tag.value.clone()).collect());
        }
        if let Some(option) = name.strip_prefix("metadata-options.") {
            return self.metadata_options.value(option).map(|value| vec![value]);
        }
        match name {
            "instance-id" => one(&self.instance_id),
            "instance-state-name" => one(self.instance_state.name),
            "instance-state-code" => one(&self.instance_state.code.to_string()),
            "instance-type" => one(&self.instance_type),
            "image-id" => one(&self.image_id),
            "availability-zone" => one(&self.placement.availability_zone),
            "host-id" => Some(self.placement.host_id.iter().cloned().collect()),
            "tenancy" => one(self.placement.tenancy),
            "private-ip-address" => Some(self.private_ip_address.iter().cloned().collect()),
            "iam-instance-profile.arn" => {
                Some(self.iam_instance_profile.iter().map(|profile| profile.arn.clone()).collect())
            }
            "iam-instance-profile.id" => {
                Some(self.iam_instance_profile.iter().map(|profile| profile.id.clone()).collect())
            }
            "launch-time" => one(&self.launch_time.0.iso8601()),
            "tag-key" => Some(self.tag_set.iter().map(|tag| tag.key.clone()).collect()),
            "reservation-id" => one(&self.reservation_id()),
            _ => None,
        }
    }

    pub(super) fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Each instance is a reservation of its own.
    pub(super) fn reservation_id(&self) -> String {
        format!("r-{}", self.instance_id.trim_start_matches("i-"))
    }
}
