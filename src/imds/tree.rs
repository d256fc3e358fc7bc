//! What metadata holds, as pages by path: a pure function of the instance. Every page stands with and without
//! a slash at the end, as SDKs ask for both.

use bytes::Bytes;
use serde_json::{Value, json};

use super::prepared::{Page, Pages, RolePage, secret};
use crate::clock::Timestamp;
use crate::proto::v1::instance_metadata::RoleCredentials;
use crate::proto::v1::{Credentials, Instance, InstanceMetadata, MetadataOptions};

/// Where credentials are, by the role's name.
const CREDENTIALS: &str = "meta-data/iam/security-credentials";
/// The same with the account's id in them. Not listed, as on EC2.
const EXTENDED: &str = "meta-data/iam/security-credentials-extended";

/// A place in the tree.
enum Node {
    Leaf(String),
    Folder(Vec<(String, Self)>),
}

/// All pages of an instance.
pub(super) fn pages(metadata: &InstanceMetadata, options: &MetadataOptions) -> Pages {
    let none = Instance::default();
    let instance = metadata.instance.as_ref().unwrap_or(&none);
    let mut pages = Pages::default();
    let root = folder(vec![
        ("dynamic", dynamic(metadata)),
        ("meta-data", meta_data(metadata, instance, options)),
    ]);
    flatten("", root, &mut pages);
    // The top is listed without slashes.
    let top = Page::Text(Bytes::from_static(b"dynamic\nmeta-data"));
    pages.by_path.insert("", top);
    if !metadata.role_name.is_empty() {
        add_role(metadata, &mut pages);
    }
    pages.by_path.shrink();
    pages
}

fn flatten(path: &str, node: Node, pages: &mut Pages) {
    let body = match node {
        Node::Leaf(text) => text,
        Node::Folder(entries) => {
            let names = entries.iter().map(|(name, node)| match node {
                Node::Leaf(_) => name.clone(),
                Node::Folder(_) => format!("{name}/"),
            });
            let listing = names.collect::<Vec<_>>().join("\n");
            for (name, node) in entries {
                let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
                flatten(&inner, node, pages);
            }
            listing
        }
    };
    // An empty success would tell clients that all is well.
    if !body.is_empty() {
        let body = body.into_boxed_str().into_boxed_bytes();
        pages.by_path.insert(path, Page::Text(Bytes::from(body)));
    }
}

fn folder(entries: Vec<(&str, Node)>) -> Node {
    Node::Folder(entries.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

fn leaf(text: impl Into<String>) -> Node {
    Node::Leaf(text.into())
}

fn leaves(entries: &[(&'static str, &str)]) -> Vec<(&'static str, Node)> {
    let known = entries.iter().filter(|(_, text)| !text.is_empty());
    known.map(|(name, text)| (*name, leaf(*text))).collect()
}

fn dynamic(metadata: &InstanceMetadata) -> Node {
    let document = metadata.identity_document.clone().unwrap_or_default();
    let entries = [
        ("document", document.document.as_str()),
        ("pkcs7", &document.pkcs7),
        ("signature", &document.signature),
    ];
    folder(vec![("instance-identity", folder(leaves(&entries)))])
}

fn meta_data(metadata: &InstanceMetadata, instance: &Instance, options: &MetadataOptions) -> Node {
    let host = hostname(instance);
    let mut entries = leaves(&[
        ("ami-id", &instance.image_id),
        ("hostname", &host),
        ("instance-id", &instance.instance_id),
        ("instance-life-cycle", "on-demand"),
        ("instance-type", &instance.instance_type),
        ("local-hostname", &host),
        ("local-ipv4", ipv4(instance).unwrap_or_default()),
    ]);
    if !metadata.instance_profile_id.is_empty() {
        let mut iam = vec![("info", leaf(info(metadata)))];
        if !metadata.role_name.is_empty() {
            // The role is filled in with its credentials.
            iam.push(("security-credentials", folder(vec![])));
        }
        entries.push(("iam", folder(iam)));
    }
    let placement =
        leaves(&[("availability-zone", &instance.availability_zone), ("region", &instance.region)]);
    entries.push(("placement", folder(placement)));
    let services = leaves(&[("domain", "amazonaws.com"), ("partition", "aws")]);
    entries.push(("services", folder(services)));
    if options.instance_metadata_tags && !instance.tags.is_empty() {
        let tags = instance.tags.iter().map(|(key, value)| (key.clone(), leaf(value)));
        let mut tags: Vec<_> = tags.collect();
        tags.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.push(("tags", folder(vec![("instance", Node::Folder(tags))])));
    }
    entries.sort_by_key(|(name, _)| *name);
    folder(entries)
}

fn ipv4(instance: &Instance) -> Option<&str> {
    let is_v4 = instance.private_ip.parse::<std::net::Ipv4Addr>().is_ok();
    is_v4.then_some(instance.private_ip.as_str())
}

/// The IP name of EC2 (EC2 User Guide, ec2-instance-naming); empty without an address.
fn hostname(instance: &Instance) -> String {
    let Some(address) = ipv4(instance) else { return String::new() };
    let name = format!("ip-{}", address.replace('.', "-"));
    match instance.region.as_str() {
        "us-east-1" => format!("{name}.ec2.internal"),
        region => format!("{name}.{region}.compute.internal"),
    }
}

/// The role's name and its credentials, under either path and in the container's form.
fn add_role(metadata: &InstanceMetadata, pages: &mut Pages) {
    for (folder, extended) in [(CREDENTIALS, false), (EXTENDED, true)] {
        let name = Bytes::from(metadata.role_name.clone());
        pages.by_path.insert(folder, Page::Text(name));
        let path = format!("{folder}/{}", metadata.role_name);
        let render = |credentials: &Credentials, token: &str| {
            let mut document = json!({
                "Code": "Success",
                "LastUpdated": updated(metadata),
                "Type": "AWS-HMAC",
                "AccessKeyId": credentials.access_key_id,
                "SecretAccessKey": credentials.secret_access_key,
                "Token": token,
                "Expiration": iso8601(credentials.expires_at.as_ref()),
            });
            if extended && let Some(fields) = document.as_object_mut() {
                fields.insert("AccountId".to_owned(), json!(metadata.account_id));
            }
            document
        };
        let refuse = |code: &str, message: &str| json!({"Code": code, "Message": message, "LastUpdated": updated(metadata)});
        let page = Page::Role(role_page(metadata, &render, &refuse));
        pages.by_path.insert(&path, page);
    }
    let render = |credentials: &Credentials, token: &str| {
        json!({
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": token,
            "Expiration": iso8601(credentials.expires_at.as_ref()),
            "AccountId": metadata.account_id,
            "RoleArn": metadata.role_arn,
        })
    };
    let mut page = role_page(metadata, &render, &|_, _| Value::Null);
    // Clients of containers take any success for credentials.
    page.refusal = None;
    pages.container = Some(page);
}

fn role_page(
    metadata: &InstanceMetadata,
    render: &dyn Fn(&Credentials, &str) -> Value,
    refuse: &dyn Fn(&str, &str) -> Value,
) -> Box<RolePage> {
    let text = |document: Value| secret(format!("{document:#}"));
    let mut page =
        RolePage { ends: None, version_1: Bytes::new(), version_2: Bytes::new(), refusal: None };
    let mut refusal = metadata.renewal_refusal.as_ref();
    match &metadata.role_credentials {
        Some(RoleCredentials::Credentials(credentials)) => {
            let ends = credentials.expires_at.as_ref();
            page.ends = ends.map(|ends| Timestamp::from_unix_seconds(ends.seconds));
            page.version_2 = text(render(credentials, &credentials.session_token));
            let version_1 = metadata.version_1_session_token.as_str();
            if !version_1.is_empty() {
                page.version_1 = text(render(credentials, version_1));
            }
        }
        Some(RoleCredentials::Refusal(told)) => refusal = Some(told),
        None => {}
    }
    page.refusal = refusal.map(|refusal| text(refuse(&refusal.code, &refusal.message)));
    Box::new(page)
}

fn updated(metadata: &InstanceMetadata) -> String {
    iso8601(metadata.updated_at.as_ref())
}

fn iso8601(time: Option<&prost_types::Timestamp>) -> String {
    Timestamp::from_unix_seconds(time.map_or(0, |time| time.seconds)).iso8601()
}

/// IAM User Guide, troubleshoot_iam-ec2.
fn info(metadata: &InstanceMetadata) -> String {
    let mut info = json!({
        "Code": "Success",
        "LastUpdated": updated(metadata),
        "InstanceProfileArn": metadata.instance_profile_arn,
        "InstanceProfileId": metadata.instance_profile_id,
    });
    if metadata.instance_profile_arn.is_empty() {
        info = json!({
            "Code": "InstanceProfileNotFound",
            "LastUpdated": updated(metadata),
            "Message": format!(
                "Instance Profile with id {} cannot be found.", metadata.instance_profile_id
            ),
        });
    } else if metadata.role_name.is_empty()
        && let Some(fields) = info.as_object_mut()
    {
        let message = "Instance Profile does not contain a role.";
        fields.insert("Message".to_owned(), json!(message));
    }
    format!("{info:#}")
}
