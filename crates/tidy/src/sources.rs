//! What every Rust file has, and what none has.

use crate::repository::{File, files, report};

/// The most lines of a file: beyond, it holds more than one thing.
const LINES_MAX: usize = 500;

/// What no file may say, and why. Put together here, so that this file does not say it.
const BANNED: &[(&str, &str)] = &[
    (concat!("to", "do!("), "what is not written is not merged"),
    (concat!("un", "implemented!("), "what is not written is not merged"),
    (concat!("#[", "ignore"), "a test runs or is deleted"),
    (concat!("should_", "panic"), "claim the error, not the panic"),
    (concat!("thread::", "sleep"), "wait for what you wait for"),
];

/// Marks of unfinished work, which need the number of an issue.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

fn rust_files() -> Vec<File> {
    let mut found = files("crates", ".rs");
    found.extend(files("tests", ".rs"));
    found
}

#[test]
fn every_file_begins_with_what_it_holds() {
    let silent = rust_files().into_iter().filter(|file| !file.text.starts_with("//! "));
    report(
        "a file begins with `//! ` and says what it holds",
        &silent.map(|file| file.path).collect::<Vec<_>>(),
    );
}

#[test]
fn modules_are_named_after_what_they_hold() {
    let nameless = rust_files().into_iter().filter(|file| file.path.ends_with("/mod.rs"));
    report(
        "foo.rs beside foo/, never foo/mod.rs",
        &nameless.map(|file| file.path).collect::<Vec<_>>(),
    );
    let drawers = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs"];
    let drawers = rust_files()
        .into_iter()
        .filter(|file| drawers.iter().any(|name| file.path.ends_with(&format!("/{name}"))));
    report("no drawers", &drawers.map(|file| file.path).collect::<Vec<_>>());
}

#[test]
fn no_file_is_long() {
    let lengths = rust_files()
        .into_iter()
        .map(|file| (file.text.lines().count(), file.path));
    let long = lengths
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"));
    report("a file has at most 500 lines", &long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished() {
    let mut violations = Vec::new();
    for file in rust_files() {
        for (number, line) in (1..).zip(file.text.lines()) {
            for (_, reason) in BANNED.iter().filter(|(banned, _)| line.contains(banned)) {
                violations.push(format!("{}:{number}: {}: {reason}", file.path, line.trim()));
            }
            if MARKS.iter().any(|mark| has_word(line, mark)) && !has_issue_number(line) {
                violations.push(format!("{}:{number}: {}: which issue?", file.path, line.trim()));
            }
        }
    }
    report("nothing is left unfinished", &violations);
}

#[test]
fn the_failures_of_the_database_are_not_hidden() {
    let mut violations = Vec::new();
    for file in rust_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, pair) in (1..).zip(lines.windows(2)) {
            if pair[0].contains(concat!("error(trans", "parent)")) && pair[1].contains("rusqlite") {
                violations.push(format!(
                    "{}:{number}: a transparent error skips SQLite's own among its sources, and the writer looks for it there",
                    file.path
                ));
            }
        }
    }
    report("errors name SQLite's error as their source", &violations);
}

fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}

fn has_issue_number(line: &str) -> bool {
    line.split('#')
        .skip(1)
        .any(|after| after.starts_with(|character: char| character.is_ascii_digit()))
}

#[test]
fn a_mark_needs_the_number_of_an_issue() {
    let rows = [
        (concat!("// TO", "DO later"), MARKS[0], true, false),
        (concat!("// TO", "DO(#12): later"), MARKS[0], true, true),
        ("let todos = METHODS;", MARKS[0], false, false),
        (concat!("METHOD_TO", "DO_LIST"), MARKS[0], false, false),
    ];
    for (line, word, is_marked, is_numbered) in rows {
        assert_eq!(
            (has_word(line, word), has_issue_number(line)),
            (is_marked, is_numbered),
            "{line}"
        );
    }
}
