//! `locum SERVICE METHOD`: any call of the API, with flags from its request message.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, Subcommand};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor};
use serde_json::{Value, json};
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt as _;

use super::dynamic::{add_flags, kebab, message, table, take_warnings};
use super::{Failure, run, say};
use crate::client::{
    BytesCodec, Credentials, SignedChannel, Trust, connect_trusting, connect_unsigned,
};
use crate::grpc::ENCODED_MESSAGE;
use crate::proto::DESCRIPTORS;
use crate::signing::grpc::UNSIGNED_CALLS;

/// `locum events`
#[derive(Subcommand)]
pub(super) enum EventsCommand {
    /// Prints each event as it happens, one JSON object a line.
    Tail {
        /// The first record; from now on if not given.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        target: Target,
    },
}

/// Which service, as whom.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Target {
    /// The service.
    #[arg(long, env = "LOCUM_ENDPOINT", default_value = "http://127.0.0.1:7400")]
    pub(super) endpoint: String,
    /// The service's region.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub(super) region: String,
    /// A JSON file with accessKeyId and secretAccessKey; the environment's AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN if not given.
    #[arg(long)]
    credentials: Option<PathBuf>,
    /// A PEM file with the certificates that may sign that of an https endpoint; those that the system trusts
    /// if not given.
    #[arg(long, env = "LOCUM_CA_FILE")]
    ca_file: Option<PathBuf>,
}

impl Target {
    pub(super) fn credentials(&self) -> Result<Credentials, Failure> {
        run::credentials(self.credentials.as_deref())
    }

    pub(super) fn channel(&self) -> Result<SignedChannel, Failure> {
        let (credentials, trust) = (self.credentials()?, self.trust()?);
        Ok(connect_trusting(&self.endpoint, &self.region, credentials, &trust)?)
    }

    pub(super) fn trust(&self) -> Result<Trust, Failure> {
        Ok(Trust::of_file(self.ca_file.as_deref())?)
    }
}

pub(super) async fn events(command: EventsCommand) -> Result<(), Failure> {
    let EventsCommand::Tail { from, target } = command;
    let method = find("event", "follow-events")?;
    let request = json!({"fromSequence": from.to_string()});
    call(&target, &method, &request, |answer| Ok(say(answer.get("event").unwrap_or(answer))?)).await
}

fn services() -> Result<Vec<ServiceDescriptor>, Failure> {
    let pool = DescriptorPool::decode(DESCRIPTORS)?;
    Ok(pool.services().filter(|service| service.full_name().starts_with("locum.v1.")).collect())
}

/// `iam` for `IamService`.
fn short(service: &ServiceDescriptor) -> String {
    kebab(service.name().trim_end_matches("Service"))
}

fn find(service: &str, method: &str) -> Result<MethodDescriptor, Failure> {
    let services = services()?;
    let found = services.iter().find(|known| short(known) == service);
    let Some(found) = found else {
        let names: Vec<_> = services.iter().map(short).collect();
        return Err(format!("`{service}` is none of {}", names.join(", ")).into());
    };
    let known = found.methods().find(|known| kebab(known.name()) == method);
    known.ok_or_else(|| {
        let names: Vec<_> = found.methods().map(|known| kebab(known.name())).collect();
        format!("`{method}` is none of {}", names.join(", ")).into()
    })
}

/// Runs `SERVICE METHOD [flags]`.
pub(super) async fn run(words: Vec<OsString>) -> Result<(), Failure> {
    let text = |at: usize| words.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let method = find(text(0), text(1))?;
    let name = format!("locum {} {}", text(0), text(1));
    let command = Command::new("call").bin_name(name).no_binary_name(true);
    let command = <Target as clap::Args>::augment_args(command).arg(
        Arg::new("output")
            .long("output")
            .default_value("table")
            .value_parser(["table", "json"])
            .help("How to print the answer"),
    );
    let command = add_flags(command, &method.input());
    let matches = command.get_matches_from(words.into_iter().skip(2));
    let target = <Target as clap::FromArgMatches>::from_arg_matches(&matches)?;
    let request = message(&matches, &method.input())?;
    let json = wants_json(&matches);
    call(&target, &method, &request, |answer| {
        if json {
            return Ok(say(format_args!("{answer:#}"))?);
        }
        let mut answer = answer.clone();
        for warning in take_warnings(&mut answer) {
            eprintln!("{warning}");
        }
        Ok(say(table(&answer))?)
    })
    .await
}

fn wants_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|output| output == "json")
}

/// Makes the call and hands over each answer.
async fn call(
    target: &Target,
    method: &MethodDescriptor,
    request: &Value,
    mut take: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = DynamicMessage::deserialize(method.input(), request)?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = http::uri::PathAndQuery::try_from(path)?;
    let channel = match UNSIGNED_CALLS.contains(&path.as_str()) {
        true => connect_unsigned(&target.endpoint, &target.trust()?)?,
        false => target.channel()?,
    };
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|status| told(&status))?;
    let request = Request::new(request.encode_to_vec());
    let answers = grpc.server_streaming(request, path, BytesCodec).await;
    let mut answers: Streaming<Vec<u8>> = answers.map_err(|status| told(&status))?.into_inner();
    while let Some(bytes) = answers.message().await.map_err(|status| told(&status))? {
        let answer = DynamicMessage::decode(method.output(), bytes.as_slice())?;
        take(&serde_json::to_value(&answer)?)?;
    }
    Ok(())
}

/// `AccessDenied: User: ... is not authorized ...`, and what DecodeAuthorizationMessage opens, as AWS's
/// command line shows it.
pub(super) fn told(status: &Status) -> Failure {
    let details = status.get_error_details();
    let info = details.error_info();
    let reason = info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason.clone());
    let message = format!("{reason}: {}", status.message());
    match info.and_then(|info| info.metadata.get(ENCODED_MESSAGE)) {
        Some(encoded) => {
            format!("{message}. Encoded authorization failure message: {encoded}").into()
        }
        None => message.into(),
    }
}
