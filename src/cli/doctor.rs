//! `instance doctor`: whether version 2 of the metadata protocol can be required of an instance, and what would
//! break.

use std::ffi::OsString;

use clap::Parser;

use super::call::{Target, told};
use super::{Failure, say};
use crate::clock::Timestamp;
use crate::proto::v1::instance_service_client::InstanceServiceClient;
use crate::proto::v1::{
    DiagnoseInstanceMetadataRequest, DiagnoseInstanceMetadataResponse, MetadataUse,
    Version2Readiness,
};

/// Tells whether version 2 of the metadata protocol can be required of an instance, and what would break.
#[derive(Parser)]
#[command(name = "locum instance doctor")]
struct Doctor {
    /// The instance, `i-...`.
    instance: String,
    #[command(flatten)]
    target: Target,
}

/// Whether the words after `locum` call the doctor.
pub(super) fn is_called(words: &[OsString]) -> bool {
    matches!(words, [service, method, ..] if service == "instance" && method == "doctor")
}

pub(super) async fn run(words: Vec<OsString>) -> Result<(), Failure> {
    // The first word is taken for the program's name.
    let doctor = Doctor::parse_from(words.into_iter().skip(1));
    let mut client = InstanceServiceClient::new(doctor.target.channel()?);
    let request = DiagnoseInstanceMetadataRequest { instance_id: doctor.instance, min_sequence: 0 };
    let answer = client.diagnose_instance_metadata(request).await.map_err(|s| told(&s))?;
    for line in lines(&answer.into_inner()) {
        say(line)?;
    }
    Ok(())
}

fn lines(found: &DiagnoseInstanceMetadataResponse) -> Vec<String> {
    let options = found.options.unwrap_or_default();
    let verdict = match found.readiness() {
        Version2Readiness::Required => "REQUIRED",
        Version2Readiness::Ready => "READY",
        Version2Readiness::Breaks => "NOT READY",
        Version2Readiness::Unused | Version2Readiness::Unspecified => "UNUSED",
    };
    let tokens = if options.http_tokens_optional { "optional" } else { "required" };
    let hops = options.http_put_response_hop_limit;
    let mut lines = vec![format!("{verdict}  tokens {tokens}, hop limit {hops}")];
    lines.extend(found.advice.iter().map(|advice| format!("- {advice}")));
    let Some(usage) = &found.usage else { return lines };
    let time = |time: &Option<prost_types::Timestamp>| {
        Timestamp::from_unix_seconds(time.as_ref().map_or(0, |time| time.seconds))
    };
    if !usage.seen.is_empty() {
        lines.push(format!("{:>12}  {:<20}  {}", "COUNT", "LAST SEEN", "REQUESTS"));
    }
    for seen in &usage.seen {
        let kind = MetadataUse::try_from(seen.r#use).unwrap_or_default();
        let name = kind.as_str_name().trim_start_matches("METADATA_USE_").to_ascii_lowercase();
        lines.push(format!("{:>12}  {:<20}  {name}", seen.count, time(&seen.last_seen).iso8601()));
    }
    if !usage.version_1_clients.is_empty() {
        lines.push(format!("{:>12}  {:<20}  {}", "COUNT", "LAST SEEN", "CLIENTS WITHOUT TOKENS"));
    }
    for client in &usage.version_1_clients {
        let last = time(&client.last_seen).iso8601();
        lines.push(format!("{:>12}  {last:<20}  {}", client.count, client.user_agent));
    }
    lines
}
