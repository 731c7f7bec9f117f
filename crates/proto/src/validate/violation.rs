//! A broken constraint, and the sentence that AWS makes of several.

use std::fmt::Write as _;

/// The most violations that are looked for in one request, so that a huge list cannot make a huge answer.
pub const VIOLATIONS_MAX: usize = 100;

/// The most characters of a value that an answer repeats; the rest is cut.
pub const VALUE_CHARACTERS_MAX: usize = 1024;

/// One constraint that a value does not satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    path: String,
    value: Option<String>,
    constraint: String,
}

impl Violation {
    /// Reports a value that breaks a constraint; `value` is `None` where there is none (AWS prints `null`).
    pub fn new(path: String, value: Option<&str>, constraint: String) -> Violation {
        Violation {
            path,
            value: value.map(cut),
            constraint,
        }
    }

    /// Reports a value that its enum does not have.
    ///
    /// For what no descriptor can hold: AWS JSON spells enum values, so an unknown one is known only to its decoder.
    pub fn unknown_value<'a>(path: String, value: &str, allowed: impl IntoIterator<Item = &'a str>) -> Violation {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        Violation::new(path, Some(value), value_set(&allowed))
    }

    /// The member's path: lower camel case, dots between members, `names.1.member` for the first of a list.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the constraint that is broken is that there be a value.
    pub fn is_missing(&self) -> bool {
        self.value.is_none()
    }

    fn write(&self, out: &mut String) {
        match &self.value {
            Some(value) => write!(out, "Value '{value}' at '{}'", self.path),
            None => write!(out, "Value null at '{}'", self.path),
        }
        .and_then(|()| write!(out, " failed to satisfy constraint: {}", self.constraint))
        .expect("writing to a string cannot fail");
    }
}

/// Makes AWS's sentence of the violations: the `message` of its `ValidationException`.
///
/// An entry of [`Violation::unknown_value`] replaces the missing value that the same path would report otherwise.
pub fn message(violations: &[Violation]) -> String {
    let reported: Vec<&Violation> = violations
        .iter()
        .filter(|violation| !is_shadowed(violation, violations))
        .collect();
    let noun = if reported.len() == 1 { "error" } else { "errors" };
    let mut out = format!("{} validation {noun} detected: ", reported.len());
    for (index, violation) in reported.into_iter().enumerate() {
        if index > 0 {
            out.push_str("; ");
        }
        violation.write(&mut out);
    }
    out
}

/// The text of the constraint that an enum's values are.
pub(super) fn value_set(allowed: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = allowed.iter().map(AsRef::as_ref).collect();
    format!("Member must satisfy enum value set: [{}]", names.join(", "))
}

fn is_shadowed(violation: &Violation, all: &[Violation]) -> bool {
    violation.is_missing()
        && all
            .iter()
            .any(|other| !other.is_missing() && other.path == violation.path)
}

pub(super) fn cut(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
