//! `locum policy simulate`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::cli::Failure;
use crate::policy::simulate::{self, CASE_BYTES_MAX};

/// Decides each line of a file; `-` is standard input.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path);
        Box::new(file.map_err(|error| format!("cannot read {}: {error}", path.display()))?)
    };
    let mut input = BufReader::new(input);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut number, mut unexpected) = (0_usize, 0_usize);
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than a case may have, so that a line that is too long is told as such.
        let limit = CASE_BYTES_MAX as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.len() > CASE_BYTES_MAX {
            return Err(format!("line {number}: a case has at most {CASE_BYTES_MAX} bytes").into());
        }
        if text.trim().is_empty() {
            continue;
        }
        let answer = simulate::answer(text);
        unexpected += usize::from(!answer.as_expected);
        writeln!(out, "{}", answer.line)?;
    }
    out.flush()?;
    match unexpected {
        0 => Ok(()),
        _ => Err(format!("{unexpected} cases came to another decision than they expect").into()),
    }
}
