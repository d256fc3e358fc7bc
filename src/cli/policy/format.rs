//! `locum policy format`.

use std::path::Path;

use crate::cli::Failure;
use crate::policy::{PolicyKind, format};

/// Prints the policy of a file in one form.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    let printed = format(&text, PolicyKind::guess(&text)).map_err(|error| told(&error))?;
    print!("{printed}");
    Ok(())
}
