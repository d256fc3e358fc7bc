//! The `locum` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    locum::cli::main()
}
