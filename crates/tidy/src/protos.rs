//! What every element of the contract has.

use crate::repository::{files, report};

/// The ends that a first sentence may have.
const STOPS: &[char] = &['.', ':', ';', ',', '`', ')'];

#[test]
fn every_element_of_the_contract_has_a_comment() {
    let mut violations = Vec::new();
    for file in files("proto", ".proto") {
        let silent = uncommented(&file.text).into_iter();
        violations.extend(silent.map(|(number, code)| format!("{}:{number}: {code}", file.path)));
    }
    report(
        "a comment stands above every service, RPC, message, field, enum and value",
        &violations,
    );
}

#[test]
fn an_element_without_a_comment_is_found() {
    let silent = uncommented(
        "// A.\nmessage A {\n  option (x) = {\n    min: 1\n  };\n  // B.\n  string b = 1 [(y) = {\n    z = 3;\n  }];\n\n  \
         repeated C c = 2;\n  oneof d {\n    string e = 4;\n  }\n}\nenum F {\n  F_UNSPECIFIED = 0;\n}\n",
    );
    let found: Vec<usize> = silent.into_iter().map(|(number, _)| number).collect();
    assert_eq!(found, [11, 12, 13, 16, 17]);
}

#[test]
fn comments_are_written_and_not_placeholders() {
    let mut violations = Vec::new();
    for file in files("proto", ".proto") {
        for (number, line) in (1..).zip(file.text.lines()) {
            let Some(comment) = line.trim().strip_prefix("//") else {
                continue;
            };
            let is_empty_block = comment.trim().is_empty() && !comment.is_empty();
            if comment.trim_start().starts_with("COMMENT ") || is_empty_block {
                violations.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
        let last_lines = file.text.lines().zip(file.text.lines().skip(1)).zip(1..);
        for ((comment, next), number) in last_lines {
            let ends_comment = comment.trim().starts_with("//") && !next.trim().starts_with("//");
            if ends_comment && !comment.trim_end().ends_with(STOPS) {
                violations.push(format!(
                    "{}:{number}: ends without a full stop: {}",
                    file.path,
                    comment.trim()
                ));
            }
        }
    }
    report("comments are whole sentences", &violations);
}

/// The lines that begin an element without a comment above them, with their numbers.
fn uncommented(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = "";
    let mut braces: Vec<Block> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim();
        if is_element(code, braces.last()) && !before.starts_with("//") {
            found.push((number, code));
        }
        track(code, &mut braces);
        before = code;
    }
    found
}

/// What a brace opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// A service, message, enum or oneof: what is in it are elements.
    Elements,
    /// Options: what is in it are values.
    Options,
}

fn is_element(code: &str, within: Option<&Block>) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| code.starts_with(&format!("{word} ")));
    if begins(&["service", "message", "enum", "oneof", "rpc"]) {
        return true;
    }
    let is_statement =
        begins(&["option", "reserved", "import", "package", "syntax", "extend"]) || code.starts_with("//");
    within == Some(&Block::Elements) && !is_statement && has_number(code)
}

/// Whether the line gives a field or a value its number: `name = 7;` or `name = 7 [`.
fn has_number(code: &str) -> bool {
    let Some((_, after)) = code.split_once(" = ") else {
        return false;
    };
    let digits = after.chars().take_while(char::is_ascii_digit).count();
    digits > 0 && after[digits..].starts_with([';', ' '])
}

fn track(code: &str, braces: &mut Vec<Block>) {
    if code.starts_with("//") {
        return;
    }
    let opens_elements = ["service ", "message ", "enum ", "oneof ", "extend "]
        .iter()
        .any(|word| code.starts_with(word));
    for character in code.chars() {
        match character {
            '{' | '[' => braces.push(if opens_elements {
                Block::Elements
            } else {
                Block::Options
            }),
            '}' | ']' => {
                braces.pop();
            }
            _ => {}
        }
    }
}
