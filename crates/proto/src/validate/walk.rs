//! Walks a request beside its table of rules.

use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};

use super::{
    VIOLATIONS_MAX, Violation,
    table::{self, Check, Field, Shape, Size},
    violation::{self},
};

/// Where in the request a value stands; turned into text only when something is wrong there.
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

enum Segment<'a> {
    Root,
    Member(&'a str),
    /// The position in a list, from 0.
    Element(usize),
    Entry(&'a MapKey),
}

impl<'a> Path<'a> {
    pub(super) fn root() -> Path<'static> {
        Path {
            parent: None,
            segment: Segment::Root,
        }
    }

    fn child(&'a self, segment: Segment<'a>) -> Path<'a> {
        Path {
            parent: Some(self),
            segment,
        }
    }

    fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
        }
        if !out.is_empty() {
            out.push('.');
        }
        match self.segment {
            Segment::Root => Ok(()),
            Segment::Member(name) => write!(out, "{name}"),
            Segment::Element(index) => write!(out, "{}.member", index + 1),
            Segment::Entry(key) => write!(out, "{}.member", violation::cut(&print_key(key))),
        }
        .expect("writing to a string cannot fail");
    }
}

/// Checks a message and all that it holds.
pub(super) fn message(message: &DynamicMessage, path: &Path<'_>, found: &mut Vec<Violation>) {
    for field in table::fields(&message.descriptor()) {
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        check_field(message, field, &path.child(Segment::Member(&field.name)), found);
    }
}

fn check_field(message: &DynamicMessage, field: &Field, path: &Path<'_>, found: &mut Vec<Violation>) {
    let value = message.get_field(&field.descriptor);
    match (&field.shape, value.as_ref()) {
        (Shape::Single(check), value) => {
            if message.has_field(&field.descriptor) && !matches!(value, Value::EnumNumber(0)) {
                check_single(value, check, path, found);
            } else if field.is_required {
                found.push(Violation::new(
                    path.render(),
                    None,
                    "Member must not be null".to_owned(),
                ));
            }
        }
        (Shape::List { size, element }, value @ Value::List(elements)) => {
            check_size(elements.len(), size, value, path, found);
            check_elements(elements, element, value, path, found);
        }
        (
            Shape::Map {
                size,
                key,
                value: element,
            },
            value @ Value::Map(entries),
        ) => {
            check_size(entries.len(), size, value, path, found);
            let keys = entries.keys().any(|entry| !text_holds(entry.as_str(), key));
            report_inner("Map keys must satisfy constraint", keys, key, value, path, found);
            let values = entries.values().any(|entry| !holds(entry, element));
            report_inner("Map value must satisfy constraint", values, element, value, path, found);
            check_entries(entries.iter(), element, path, found);
        }
        (Shape::List { .. } | Shape::Map { .. }, _) => {}
    }
}

fn check_single(value: &Value, check: &Check, path: &Path<'_>, found: &mut Vec<Violation>) {
    if let (Value::Message(nested), Check::Message) = (value, check) {
        return message(nested, path, found);
    }
    for constraint in broken(value, check) {
        found.push(Violation::new(path.render(), Some(&print(value)), constraint));
    }
}

fn check_size(length: usize, size: &Size, value: &Value, path: &Path<'_>, found: &mut Vec<Violation>) {
    let length = length as u64;
    let too_many = size.max.filter(|&max| length > max).map(table::length_max);
    let too_few = size.min.filter(|&min| length < min).map(table::length_min);
    for constraint in too_many.into_iter().chain(too_few) {
        found.push(Violation::new(path.render(), Some(&print(value)), constraint));
    }
}

fn check_elements(elements: &[Value], check: &Check, list: &Value, path: &Path<'_>, found: &mut Vec<Violation>) {
    let is_broken = elements.iter().any(|element| !holds(element, check));
    report_inner("Member must satisfy constraint", is_broken, check, list, path, found);
    for (index, element) in elements.iter().enumerate() {
        let (Value::Message(nested), Check::Message) = (element, check) else {
            return;
        };
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        message(nested, &path.child(Segment::Element(index)), found);
    }
}

fn check_entries<'a>(
    entries: impl Iterator<Item = (&'a MapKey, &'a Value)>,
    check: &Check,
    path: &Path<'_>,
    found: &mut Vec<Violation>,
) {
    for (key, value) in entries {
        let (Value::Message(nested), Check::Message) = (value, check) else {
            return;
        };
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        message(nested, &path.child(Segment::Entry(key)), found);
    }
}

/// Reports a list or map of which some element breaks a constraint: AWS names all that hold for the elements.
fn report_inner(
    prefix: &str,
    is_broken: bool,
    check: &Check,
    whole: &Value,
    path: &Path<'_>,
    found: &mut Vec<Violation>,
) {
    if is_broken {
        let constraint = format!("{prefix}: [{}]", check.constraints().join(", "));
        found.push(Violation::new(path.render(), Some(&print(whole)), constraint));
    }
}

fn holds(value: &Value, check: &Check) -> bool {
    match value {
        Value::String(text) => text_holds(Some(text), check),
        other => broken(other, check).is_empty(),
    }
}

fn text_holds(text: Option<&str>, check: &Check) -> bool {
    let (Some(text), Check::Text { min, max, pattern }) = (text, check) else {
        return true;
    };
    // Every character takes at most four bytes, so most texts need no counting.
    let length = || text.chars().count() as u64;
    max.is_none_or(|max| text.len() as u64 <= max || length() <= max)
        && min.is_none_or(|min| text.len() as u64 >= min.saturating_mul(4) || length() >= min)
        && pattern.as_ref().is_none_or(|pattern| pattern.regex.is_match(text))
}

/// The texts of the constraints that a value breaks.
fn broken(value: &Value, check: &Check) -> Vec<String> {
    match (value, check) {
        (Value::String(text), Check::Text { min, max, pattern }) => {
            if text_holds(Some(text), check) {
                return Vec::new();
            }
            let length = text.chars().count() as u64;
            let too_long = max.filter(|&max| length > max).map(table::length_max);
            let too_short = min.filter(|&min| length < min).map(table::length_min);
            let other = pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text));
            too_long
                .into_iter()
                .chain(too_short)
                .chain(other.map(|pattern| table::matches(&pattern.java)))
                .collect()
        }
        (Value::EnumNumber(number), Check::Enum { descriptor, constraint }) => {
            let is_known = descriptor.get_value(*number).is_some();
            if is_known { Vec::new() } else { vec![constraint.clone()] }
        }
        (number, Check::Number { min, max }) => {
            let too_large = max.filter(|&max| is_above(number, max)).map(table::value_max);
            let too_small = min.filter(|&min| is_below(number, min)).map(table::value_min);
            too_large.into_iter().chain(too_small).collect()
        }
        _ => Vec::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
fn is_above(number: &Value, max: i64) -> bool {
    match number {
        Value::I32(number) => i64::from(*number) > max,
        Value::I64(number) => *number > max,
        Value::U32(number) => i64::from(*number) > max,
        Value::U64(number) => i64::try_from(*number).map_or(true, |number| number > max),
        Value::F32(number) => f64::from(*number) > max as f64,
        Value::F64(number) => *number > max as f64,
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
fn is_below(number: &Value, min: i64) -> bool {
    match number {
        Value::I32(number) => i64::from(*number) < min,
        Value::I64(number) => *number < min,
        Value::U32(number) => i64::from(*number) < min,
        Value::U64(number) => i64::try_from(*number).is_ok_and(|number| number < min),
        Value::F32(number) => f64::from(*number) < min as f64,
        Value::F64(number) => *number < min as f64,
        _ => false,
    }
}

/// Prints a value as Java prints it; long ones are cut, and lists are not walked beyond the cut.
fn print(value: &Value) -> String {
    let mut out = String::new();
    print_into(value, &mut out);
    out
}

fn print_into(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::List(elements) => {
            print_all(out, '[', elements.iter(), print_into, ']');
        }
        Value::Map(entries) => {
            let mut sorted: Vec<(String, &Value)> = Vec::new();
            for (key, value) in entries.iter().take(violation::VALUE_CHARACTERS_MAX) {
                sorted.push((print_key(key), value));
            }
            sorted.sort_by(|left, right| left.0.cmp(&right.0));
            let print_entry = |(key, value): (String, &Value), out: &mut String| {
                out.push_str(&key);
                out.push('=');
                print_into(value, out);
            };
            print_all(out, '{', sorted.into_iter(), print_entry, '}');
        }
        Value::Message(message) => out.push_str(message.descriptor().name()),
        other => write!(out, "{other}").expect("writing to a string cannot fail"),
    }
}

fn print_all<T>(
    out: &mut String,
    open: char,
    items: impl Iterator<Item = T>,
    print_item: impl Fn(T, &mut String),
    close: char,
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if out.len() > 4 * violation::VALUE_CHARACTERS_MAX {
            return;
        }
        if index > 0 {
            out.push_str(", ");
        }
        print_item(item, out);
    }
    out.push(close);
}

fn print_key(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(value) => value.to_string(),
        MapKey::I64(value) => value.to_string(),
        MapKey::U32(value) => value.to_string(),
        MapKey::U64(value) => value.to_string(),
    }
}
