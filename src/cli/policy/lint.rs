//! `locum policy lint`: documents checked without a server, for editors and CI.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use crate::cli::{Failure, say};
use crate::domain::access::OwnOperations;
use crate::policy::lint::{Finding, Severity, lint};
use crate::policy::{DOCUMENT_BYTES_MAX, PolicyKind};

/// What to check.
#[derive(clap::Args)]
pub(in crate::cli) struct LintArgs {
    /// The documents; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the documents are attached to; guessed from each if not given.
    #[arg(long)]
    kind: Option<Kind>,
    /// Fails on warnings too, not on errors alone.
    #[arg(long)]
    deny_warnings: bool,
    /// How to print what is found: a line each, or all as one JSON list.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// What a document is attached to.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Identity,
    Trust,
    Resource,
    Boundary,
    Session,
    ServiceControl,
    ResourceControl,
    Endpoint,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

impl From<Kind> for PolicyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Identity => Self::Identity,
            Kind::Trust => Self::Trust,
            Kind::Resource => Self::Resource,
            Kind::Boundary => Self::Boundary,
            Kind::Session => Self::Session,
            Kind::ServiceControl => Self::ServiceControl,
            Kind::ResourceControl => Self::ResourceControl,
            Kind::Endpoint => Self::Endpoint,
        }
    }
}

/// Checks each file and prints `FILE:LINE:COLUMN: warning: MESSAGE [rule]` for each finding.
pub(super) fn run(args: &LintArgs) -> Result<(), Failure> {
    let mut found = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        let kind = args.kind.map_or_else(|| PolicyKind::guess(&text), PolicyKind::from);
        found.extend(lint(&text, kind, &OwnOperations).into_iter().map(|finding| (file, finding)));
    }
    match args.output {
        Output::Text => {
            for (file, finding) in &found {
                let Finding { line, column, .. } = finding;
                say(format_args!("{}:{line}:{column}: {finding}", shown(file)))?;
            }
        }
        Output::Json => {
            let list: Vec<_> = found.iter().map(|(file, finding)| as_json(file, finding)).collect();
            say(format_args!("{:#}", json!(list)))?;
        }
    }
    let count = |severity| found.iter().filter(|(_, f)| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors > 0 || args.deny_warnings && warnings > 0 {
        return Err(format!("errors: {errors}, warnings: {warnings}").into());
    }
    Ok(())
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() }
}

fn as_json(file: &Path, finding: &Finding) -> serde_json::Value {
    json!({
        "file": shown(file),
        "severity": finding.severity.to_string(),
        "rule": finding.rule,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "suggestion": finding.suggestion,
    })
}

/// The text of a file, cut one byte after the longest that a policy may have: it is refused as too long.
fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", shown(file));
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    input.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", shown(file)))?)
}
