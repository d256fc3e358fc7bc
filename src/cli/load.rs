//! `locum load`: runs scenarios against a deployment, compares reports, and writes requests for other generators.

use std::io::IsTerminal as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::call::Target;
use super::run::stop_signal;
use super::{Failure, say};
use crate::clock::Clock;
use crate::load::{
    Endpoints, Options, Payload, Report, Scenario, Tool, cleanup, compare, page, run as run_load,
};

/// `locum load`
#[derive(Subcommand)]
pub(super) enum LoadCommand {
    /// Runs a scenario: makes what it needs, drives requests, and reports.
    Run(RunArgs),
    /// Takes away what runs of a scenario's prefix made.
    Cleanup {
        /// The scenario.
        scenario: PathBuf,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Tells how a run differs from one before.
    Compare {
        /// The report of the run before.
        before: PathBuf,
        /// The report of the run after.
        after: PathBuf,
        /// Fails if anything is worse beyond noise.
        #[arg(long)]
        fail_if_worse: bool,
    },
    /// Writes a signed request, good for 15 minutes, for another load generator.
    Payload(PayloadArgs),
}

/// Which deployment, as whom: the operator, or an administrator of one account.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Deployment {
    #[command(flatten)]
    target: Target,
    /// Where the AWS Query protocol is served, for scenarios that drive it.
    #[arg(long, env = "AWS_ENDPOINT_URL")]
    aws: Option<String>,
    /// Where metadata is served, for scenarios that drive it.
    #[arg(long, env = "AWS_EC2_METADATA_SERVICE_ENDPOINT")]
    metadata: Option<String>,
}

/// `locum load run`
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// The scenario, as in benches/load.
    scenario: PathBuf,
    #[command(flatten)]
    deployment: Deployment,
    /// Where to write the report as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to write it as a page with plots.
    #[arg(long)]
    html: Option<PathBuf>,
    /// The server's process, if it is on this machine, to tell its CPU time by request.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Takes away at the end what the run made.
    #[arg(long)]
    cleanup: bool,
}

/// `locum load payload`
#[derive(clap::Args)]
pub(super) struct PayloadArgs {
    /// What is asked for.
    #[arg(value_enum)]
    operation: PayloadOperation,
    /// What it is for.
    #[arg(long = "for", value_enum)]
    tool: PayloadTool,
    /// The role to assume.
    #[arg(long, required_if_eq("operation", "assume-role"))]
    role_arn: Option<String>,
    /// The folder to write to.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    deployment: Deployment,
}

/// What a payload asks for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PayloadOperation {
    /// A session of a role, signed by a user.
    AssumeRole,
    /// An instance's credentials, signed by its identity.
    GetRoleCredentials,
}

/// What a payload is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PayloadTool {
    /// gRPC.
    H2load,
    /// gRPC.
    Ghz,
    /// The Query protocol.
    Wrk,
    /// The Query protocol.
    K6,
}

impl Deployment {
    fn endpoints(&self) -> Result<Endpoints, Failure> {
        Ok(Endpoints {
            grpc: self.target.endpoint.clone(),
            aws: self.aws.clone(),
            metadata: self.metadata.clone(),
            region: self.target.region.clone(),
            credentials: self.target.credentials()?,
            trust: self.target.trust()?,
        })
    }
}

fn scenario(path: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let parsed = Scenario::parse(&text);
    Ok(parsed.map_err(|error| format!("{}: {error}", path.display()))?)
}

pub(super) async fn run(command: LoadCommand) -> Result<(), Failure> {
    match command {
        LoadCommand::Run(args) => run_scenario(args).await,
        LoadCommand::Cleanup { scenario: path, deployment } => {
            let removed = cleanup(&scenario(&path)?, &deployment.endpoints()?).await?;
            Ok(say(format_args!("removed: {removed}"))?)
        }
        LoadCommand::Compare { before, after, fail_if_worse } => {
            let found = compare(&Report::read(&before)?, &Report::read(&after)?);
            for line in &found.lines {
                say(line)?;
            }
            match found.worse && fail_if_worse {
                true => Err("the second run is worse beyond noise".into()),
                false => Ok(()),
            }
        }
        LoadCommand::Payload(args) => write_payload(&args),
    }
}

async fn run_scenario(args: RunArgs) -> Result<(), Failure> {
    let (scenario, endpoints) = (scenario(&args.scenario)?, args.deployment.endpoints()?);
    let stop = CancellationToken::new();
    let (signal, stopping) = (stop_signal()?, stop.clone());
    // Ends with the runtime.
    tokio::spawn(async move {
        signal.await;
        stopping.cancel();
    });
    let options = Options { server_pid: args.server_pid, stop };
    let live = std::io::stderr().is_terminal();
    let mut tell = |line: &str| match live {
        // One line that is written over.
        true => eprint!("\r\x1b[K{line}"),
        false => eprintln!("{line}"),
    };
    let ran = run_load(&scenario, &endpoints, &options, &mut tell).await;
    if live {
        eprintln!();
    }
    let report = ran?;
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", report.json()))?;
    }
    if let Some(path) = &args.html {
        std::fs::write(path, page(&report))?;
    }
    for line in report.lines() {
        say(line)?;
    }
    if args.cleanup {
        say(format_args!("removed: {}", cleanup(&scenario, &endpoints).await?))?;
    }
    Ok(())
}

/// Writes the files, readable by their owner alone: while it lasts, a signature is as good as its key.
fn write_payload(args: &PayloadArgs) -> Result<(), Failure> {
    let payload = match args.operation {
        PayloadOperation::AssumeRole => {
            Payload::AssumeRole { role_arn: args.role_arn.clone().unwrap_or_default() }
        }
        PayloadOperation::GetRoleCredentials => Payload::RoleCredentials,
    };
    let tool = match args.tool {
        PayloadTool::H2load => Tool::H2load,
        PayloadTool::Ghz => Tool::Ghz,
        PayloadTool::Wrk => Tool::Wrk,
        PayloadTool::K6 => Tool::K6,
    };
    let endpoints = args.deployment.endpoints()?;
    let (files, command) = payload.files(tool, &endpoints, Clock::System.now())?;
    std::fs::create_dir_all(&args.out)?;
    for file in files {
        let path = args.out.join(file.name);
        let mut options = std::fs::OpenOptions::new();
        let mut out = options.create(true).truncate(true).write(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut out, &file.bytes)?;
        say(format_args!("wrote {}", path.display()))?;
    }
    Ok(say(format_args!("in {}, within 15 minutes: {command}", args.out.display()))?)
}
