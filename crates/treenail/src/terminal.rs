//! What is printed: results to standard output, everything else to standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::io::{self, IsTerminal as _, Write as _};

/// Prints a line of a result.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a line that is not a result.
pub(crate) fn complain(line: &str) {
    eprintln!("treenail: {line}");
}

/// Prints bytes of a result as they are.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Whether results go to a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A text without what would move a terminal's cursor or change its colours.
pub(crate) fn tame(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .filter(|char| !char.is_control() || matches!(char, '\n' | '\t'))
        .collect::<String>()
        .into_bytes()
}

/// Replaces the lines that were printed before by others.
pub(crate) fn redraw(before: usize, lines: &[String]) {
    if before > 0 {
        print!("\x1b[{before}A");
    }
    for line in lines {
        println!("\x1b[2K{line}");
    }
}
