//! `locum policy simulate`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::cli::Failure;
use crate::policy::simulate::{self, Answer, CASE_BYTES_MAX};

/// Decides each line of a file; `-` is standard input. A line that is no case is answered with its error
/// and does not stop the others.
pub(super) fn run(path: &Path) -> Result<(), Failure> {
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(path);
        Box::new(file.map_err(|error| format!("cannot read {}: {error}", path.display()))?)
    };
    let mut input = BufReader::new(input);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut unexpected, mut line) = (0_usize, Vec::new());
    while read_line(&mut input, &mut line)? {
        let Some(answer) = answer(&line) else { continue };
        unexpected += usize::from(!answer.as_expected);
        writeln!(out, "{}", answer.line)?;
    }
    out.flush()?;
    match unexpected {
        0 => Ok(()),
        _ => Err(format!("{unexpected} cases came to another decision than they expect").into()),
    }
}

/// The answer to a line; none to an empty one.
fn answer(line: &[u8]) -> Option<Answer> {
    if line.len() > CASE_BYTES_MAX {
        return Some(simulate::refusal(&simulate::too_long()));
    }
    match std::str::from_utf8(line) {
        Ok(text) if text.trim().is_empty() => None,
        Ok(text) => Some(simulate::answer(text)),
        Err(error) => {
            let at = error.valid_up_to();
            Some(simulate::refusal(&format!("the case is not UTF-8 after {at} bytes")))
        }
    }
}

/// Reads a line without its end, and of one that is too long no more than shows that it is. False at the
/// end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    // The longest case with its line end, and one byte more.
    let limit = CASE_BYTES_MAX as u64 + 2;
    let read = input.by_ref().take(limit).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 == limit {
        skip_line(input)?;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(read > 0)
}

/// Passes over what is left of a line.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}
