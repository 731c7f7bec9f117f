//! AWS's patterns are Java's; this turns them into ours.

use regex::{Regex, RegexBuilder};

/// The most memory that one compiled pattern may take, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// What `.` stands for in Java: anything but a line terminator.
const NOT_A_LINE_END: &str = r"[^\n\r\x{85}\x{2028}\x{2029}]";

/// Compiles a Java pattern so that it matches whole texts only, as AWS's constraints do.
pub(super) fn compile(java: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{})\z", translate(java)))
        .size_limit(COMPILED_BYTES_MAX)
        .build()
}

/// Spells a Java pattern for the `regex` crate.
///
/// Differences that matter in AWS's patterns: `\uXXXX` with surrogate pairs, `\w` `\d` `\s` that know ASCII only, and
/// a dot that stops at every line terminator.
fn translate(java: &str) -> String {
    let mut out = String::with_capacity(java.len() * 2);
    let mut class_depth = 0_u32;
    let mut rest = java;
    while let Some(character) = rest.chars().next() {
        if let Some((scalar, length)) = code_point(rest) {
            out.push_str(&format!(r"\x{{{scalar:X}}}"));
            rest = &rest[length..];
            continue;
        }
        let mut length = character.len_utf8();
        match character {
            '\\' => {
                let escaped = rest[1..].chars().next();
                length += escaped.map_or(0, char::len_utf8);
                out.push_str(&escape(escaped, class_depth > 0, &rest[..length]));
            }
            '.' if class_depth == 0 => out.push_str(NOT_A_LINE_END),
            '[' => {
                class_depth += 1;
                out.push('[');
            }
            ']' => {
                class_depth = class_depth.saturating_sub(1);
                out.push(']');
            }
            other => out.push(other),
        }
        rest = &rest[length..];
    }
    out
}

/// Reads `\uXXXX`, or two of them that are a surrogate pair: the scalar and how many bytes it took.
fn code_point(text: &str) -> Option<(u32, usize)> {
    let first = code_unit(text)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((first, UNIT_BYTES));
    }
    let second = code_unit(&text[UNIT_BYTES..]).filter(|second| (0xDC00..0xE000).contains(second))?;
    Some((0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00), 2 * UNIT_BYTES))
}

/// The length of `\uXXXX`.
const UNIT_BYTES: usize = 6;

fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

fn escape(escaped: Option<char>, in_class: bool, as_written: &str) -> String {
    let ascii = match escaped {
        Some('w') => "0-9A-Za-z_",
        Some('d') => "0-9",
        Some('s') => r" \t\n\x0B\f\r",
        Some('W' | 'D' | 'S') => return format!("(?-u:{as_written})"),
        Some(_) | None => return as_written.to_owned(),
    };
    if in_class {
        ascii.to_owned()
    } else {
        format!("[{ascii}]")
    }
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[track_caller]
    fn check(java: &str, rows: &[(&str, bool)]) {
        let regex = compile(java).unwrap();
        for (text, expected) in rows {
            assert_eq!(regex.is_match(text), *expected, "{java} on {text:?}");
        }
    }

    #[test]
    fn names_take_every_character_but_controls() {
        check(
            r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*",
            &[
                ("", true),
                ("redshift workflow", true),
                ("tab\there", true),
                ("naïve 日本 🚢", true),
                ("\u{10FFFF}", true),
                ("line\nfeed", false),
                ("\u{1}", false),
                ("\u{FFFE}", false),
            ],
        );
    }

    #[test]
    fn a_pattern_has_to_match_the_whole_text() {
        check(
            r"[\.\-_A-Za-z0-9]+",
            &[("a.b-c_1", true), ("a/b", false), ("", false), ("a\n", false)],
        );
    }

    #[test]
    fn word_characters_are_ascii() {
        check(
            r"^(\w+\.)+\w+$",
            &[
                ("4.0", true),
                ("5.1.x", true),
                ("4", false),
                ("４.０", false),
                ("4.0\n", false),
            ],
        );
        check(r"[\w.]+", &[("a.b", true), ("é", false)]);
    }

    #[test]
    fn a_dot_stops_at_every_line_end() {
        check(
            ".*",
            &[("Ray 2.4", true), ("a\rb", false), ("a\u{2028}b", false), ("", true)],
        );
    }

    #[test]
    fn a_dot_in_a_class_is_a_dot() {
        check(
            "^([2-3]|3[.]9)$",
            &[("3", true), ("3.9", true), ("3x9", false), ("4", false)],
        );
    }
}
