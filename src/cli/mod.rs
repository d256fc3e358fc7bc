//! The command line: `init`, `serve`, `dev`, `agent`, `log`, `operations`, `policy`, `events tail`, `identity`,
//! `load`, and every call of the API as `locum SERVICE METHOD`, made from the descriptors.

mod agent;
mod call;
mod doctor;
mod dynamic;
mod identity;
mod keyring;
mod load;
mod log;
mod operations;
mod policy;
mod revoke;
mod run;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Layer;

/// Temporary credentials as a service.
#[derive(Parser)]
#[command(
    name = "locum",
    version,
    after_help = "Every call of the API: locum account|guardrail|iam|policy|sts|instance|metadata|authorization|event|revocation|keyring METHOD --help\nAnd: locum instance doctor INSTANCE"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a keyring and a data folder, and the operator's key in DATA_DIR/operator.json.
    Init(ServeArgs),
    /// Runs the server.
    Serve(ServeArgs),
    /// Runs a server with an account and an administrator's key made for you, in DATA_DIR/dev.json.
    Dev(run::DevArgs),
    /// Serves metadata on a host, for one instance or for many.
    Agent(agent::AgentArgs),
    /// Looks into the log of a data folder, also while a server has it.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Prints the operations of AWS's APIs that are answered, and their parameters: read, refused, without
    /// effect.
    Operations,
    /// Policies: tried out and explained.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Versions of the root key: list, rotate, retire.
    #[command(subcommand)]
    Keyring(keyring::KeyringCommand),
    /// Shows which sessions were issued, and voids them.
    #[command(subcommand)]
    Revoke(revoke::RevokeCommand),
    /// Events of an account.
    #[command(subcommand)]
    Events(call::EventsCommand),
    /// Login tokens: who one is, shown to a third party.
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Drives load against a deployment, and reports.
    #[command(subcommand)]
    Load(load::LoadCommand),
    /// A call of the API.
    #[command(external_subcommand)]
    Call(Vec<OsString>),
}

/// Settings of a server.
#[derive(clap::Args)]
struct ServeArgs {
    /// A TOML file with settings.
    #[arg(long, env = "LOCUM_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    layer: Layer,
}

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints a line to standard output.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Whoever read the output has gone, as `head` does: no failure.
fn reader_is_gone(error: &Failure) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Lets the process open as many files as it may: the soft limit is often 1024, for the sake of programs that
/// use `select`.
fn raise_files_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // What stays as it was shows when files run out.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    raise_files_limit();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("locum: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Init(args) => run::init(args).await,
            Command::Serve(args) => run::serve(args).await,
            Command::Dev(args) => run::dev(args).await,
            Command::Agent(args) => agent::run(args).await,
            Command::Log(command) => log::run(&command),
            Command::Operations => operations::run(),
            Command::Policy(command) => policy::run(command).await,
            Command::Keyring(command) => keyring::run(command).await,
            Command::Revoke(command) => revoke::run(command).await,
            Command::Events(command) => call::events(command).await,
            Command::Identity(command) => identity::run(command).await,
            Command::Load(command) => load::run(command).await,
            Command::Call(words) if doctor::is_called(&words) => doctor::run(words).await,
            Command::Call(words) => call::run(words).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("locum: {error}");
            ExitCode::FAILURE
        }
    }
}
