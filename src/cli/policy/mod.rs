//! `locum policy`: policies tried out, with a server and without.

mod explain;
mod format;
mod keys;
mod lint;
mod simulate;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use super::call;

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Decides cases, without a server: one JSON object a line in, one decision a line out. Fails if a
    /// case that says what it expects ("expect") comes to something else.
    Simulate {
        /// The file with the cases; `-` is standard input.
        #[arg(long)]
        cases: PathBuf,
    },
    /// Checks documents, without a server: mistakes, and what is legal but surely not meant. Fails on
    /// mistakes.
    Lint(lint::LintArgs),
    /// Prints a policy in one form: the elements in order, one a line. Says exactly what the file says.
    Format {
        /// The file with the policy.
        file: PathBuf,
    },
    /// Prints which condition keys requests for Locum's own operations have, by action and resource, and which
    /// never: docs/condition-keys.md.
    Keys,
    /// Tells what a user or role may do and why, or walks a chain of roles.
    Explain(explain::ExplainArgs),
    /// Lists who may do ACTION on RESOURCE, or assume it.
    WhoCan(explain::WhoCanArgs),
    /// A call of PolicyService.
    #[command(external_subcommand)]
    Call(Vec<OsString>),
}

pub(super) async fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Simulate { cases } => simulate::run(&cases),
        PolicyCommand::Lint(args) => lint::run(&args),
        PolicyCommand::Format { file } => format::run(&file),
        PolicyCommand::Keys => keys::run(),
        PolicyCommand::Explain(args) => explain::explain(args).await,
        PolicyCommand::WhoCan(args) => explain::who_can(args).await,
        PolicyCommand::Call(words) => {
            call::run(std::iter::once(OsString::from("policy")).chain(words).collect()).await
        }
    }
}
