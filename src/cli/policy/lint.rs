//! `locum policy lint`: documents checked without a server, for editors and CI; or all that a data folder holds, for what
//! older versions took.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;

use crate::cli::{Failure, say};
use crate::domain::access::OwnOperations;
use crate::ledger::read_state;
use crate::log::EventLog;
use crate::policy::lint::{Finding, Severity, lint};
use crate::policy::{DOCUMENT_BYTES_MAX, PolicyKind};

/// What to check.
#[derive(clap::Args)]
pub(in crate::cli) struct LintArgs {
    /// The documents; `-` is standard input.
    #[arg(required_unless_present = "stored")]
    files: Vec<PathBuf>,
    /// A data folder: every policy that it holds is gone through, by the rules of now.
    #[arg(long, value_name = "DATA_DIR", conflicts_with_all = ["files", "kind"])]
    stored: Option<PathBuf>,
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
    let found = match &args.stored {
        Some(folder) => in_folder(folder)?,
        None => in_files(args)?,
    };
    match args.output {
        Output::Text => {
            for (file, finding) in &found {
                let Finding { line, column, .. } = finding;
                say(format_args!("{file}:{line}:{column}: {finding}"))?;
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

/// What is found in each file, with its name.
fn in_files(args: &LintArgs) -> Result<Vec<(String, Finding)>, Failure> {
    let mut found = Vec::new();
    for file in &args.files {
        let text = read(file)?;
        let kind = args.kind.map_or_else(|| PolicyKind::guess(&text), PolicyKind::from);
        let findings = lint(&text, kind, &OwnOperations).into_iter();
        found.extend(findings.map(|finding| (shown(file), finding)));
    }
    Ok(found)
}

/// What is found in each policy that a data folder holds, with where it stands.
fn in_folder(folder: &Path) -> Result<Vec<(String, Finding)>, Failure> {
    let state = read_state(&EventLog::open_to_read(folder)?)?;
    let documents = state.documents().into_iter().flat_map(|document| {
        let findings = document.policy.findings_stored(document.managed, &OwnOperations);
        findings.into_iter().map(move |finding| (document.place.clone(), finding))
    });
    Ok(documents.collect())
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() }
}

fn as_json(file: &str, finding: &Finding) -> serde_json::Value {
    json!({
        "file": file,
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
