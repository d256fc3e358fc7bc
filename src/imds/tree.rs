//! What metadata holds, as a tree: a pure function of the instance, the time and the path.

use serde_json::json;

use crate::clock::Timestamp;
use crate::proto::v1::instance_metadata::RoleCredentials;
use crate::proto::v1::{Instance, InstanceMetadata};

/// Every version under which the data stands.
const VERSIONS: [&str; 26] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "latest",
];

/// A place in the tree.
enum Node {
    Leaf(String),
    Folder(Vec<(String, Self)>),
}

/// The body at `path`; none if nothing is there. Never an empty body.
pub(super) fn answer(metadata: &InstanceMetadata, now: Timestamp, path: &str) -> Option<String> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let Some(version) = parts.next() else { return Some(VERSIONS.join("\n")) };
    if !VERSIONS.contains(&version) {
        return None;
    }
    let mut node = root(metadata, now);
    for part in parts {
        let Node::Folder(entries) = node else { return None };
        node = entries.into_iter().find(|(name, _)| name == part)?.1;
    }
    let body = match node {
        Node::Leaf(text) => text,
        Node::Folder(entries) => {
            let names = entries.iter().map(|(name, node)| match node {
                Node::Leaf(_) => name.clone(),
                Node::Folder(_) => format!("{name}/"),
            });
            names.collect::<Vec<_>>().join("\n")
        }
    };
    Some(body).filter(|body| !body.is_empty())
}

fn folder(entries: Vec<(&str, Node)>) -> Node {
    Node::Folder(entries.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

fn leaf(text: &str) -> Node {
    Node::Leaf(text.to_owned())
}

fn root(metadata: &InstanceMetadata, now: Timestamp) -> Node {
    let none = Instance::default();
    let instance = metadata.instance.as_ref().unwrap_or(&none);
    let document = folder(vec![("document", Node::Leaf(identity_document(metadata, instance)))]);
    folder(vec![
        ("dynamic", folder(vec![("instance-identity", document)])),
        ("meta-data", meta_data(metadata, instance, now)),
    ])
}

fn meta_data(metadata: &InstanceMetadata, instance: &Instance, now: Timestamp) -> Node {
    let facts = [
        ("ami-id", instance.image_id.as_str()),
        ("instance-id", &instance.instance_id),
        ("instance-life-cycle", "on-demand"),
        ("instance-type", &instance.instance_type),
        ("local-ipv4", &instance.private_ip),
    ];
    let known = facts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut entries: Vec<_> = known.map(|(name, text)| (name, leaf(text))).collect();
    if !metadata.instance_profile_id.is_empty() {
        entries.push(("iam", iam(metadata, now)));
    }
    let placement = vec![
        ("availability-zone", leaf(&instance.availability_zone)),
        ("region", leaf(&instance.region)),
    ];
    entries.push(("placement", folder(placement)));
    let services = vec![("domain", leaf("amazonaws.com")), ("partition", leaf("aws"))];
    entries.push(("services", folder(services)));
    if !instance.tags.is_empty() {
        let tags = instance.tags.iter().map(|(key, value)| (key.clone(), leaf(value)));
        let mut tags: Vec<_> = tags.collect();
        tags.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.push(("tags", folder(vec![("instance", Node::Folder(tags))])));
    }
    entries.sort_by_key(|(name, _)| *name);
    folder(entries)
}

fn iam(metadata: &InstanceMetadata, now: Timestamp) -> Node {
    let mut entries = vec![("info", Node::Leaf(info(metadata)))];
    if !metadata.role_name.is_empty()
        && let Some(document) = credentials(metadata, now)
    {
        let role = (metadata.role_name.clone(), Node::Leaf(document));
        entries.push(("security-credentials", Node::Folder(vec![role])));
    }
    folder(entries)
}

fn updated(metadata: &InstanceMetadata) -> String {
    iso8601(metadata.updated_at.as_ref())
}

fn iso8601(time: Option<&prost_types::Timestamp>) -> String {
    Timestamp::from_unix_seconds(time.map_or(0, |time| time.seconds)).iso8601()
}

fn info(metadata: &InstanceMetadata) -> String {
    let info = if metadata.instance_profile_arn.is_empty() {
        json!({
            "Code": "InstanceProfileNotFound",
            "LastUpdated": updated(metadata),
            "Message": "The instance profile is gone.",
        })
    } else if metadata.role_name.is_empty() {
        json!({
            "Code": "Success",
            "LastUpdated": updated(metadata),
            "InstanceProfileArn": metadata.instance_profile_arn,
            "InstanceProfileId": metadata.instance_profile_id,
            "Message": "Instance Profile does not contain a role.",
        })
    } else {
        json!({
            "Code": "Success",
            "LastUpdated": updated(metadata),
            "InstanceProfileArn": metadata.instance_profile_arn,
            "InstanceProfileId": metadata.instance_profile_id,
        })
    };
    format!("{info:#}")
}

/// The document of the role; none if its credentials have ended.
fn credentials(metadata: &InstanceMetadata, now: Timestamp) -> Option<String> {
    let document = match metadata.role_credentials.as_ref()? {
        RoleCredentials::Credentials(credentials) => {
            let end = credentials.expires_at.as_ref()?;
            if Timestamp::from_unix_seconds(end.seconds) <= now {
                return None;
            }
            json!({
                "Code": "Success",
                "LastUpdated": updated(metadata),
                "Type": "AWS-HMAC",
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": credentials.session_token,
                "Expiration": iso8601(Some(end)),
            })
        }
        RoleCredentials::Refusal(refusal) => json!({
            "Code": refusal.code,
            "Message": refusal.message,
            "LastUpdated": updated(metadata),
        }),
    };
    Some(format!("{document:#}"))
}

fn identity_document(metadata: &InstanceMetadata, instance: &Instance) -> String {
    let document = json!({
        "accountId": metadata.account_id,
        "architecture": "x86_64",
        "availabilityZone": instance.availability_zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.image_id,
        "instanceId": instance.instance_id,
        "instanceType": instance.instance_type,
        "kernelId": null,
        "pendingTime": iso8601(instance.launched_at.as_ref()),
        "privateIp": instance.private_ip,
        "ramdiskId": null,
        "region": instance.region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}
