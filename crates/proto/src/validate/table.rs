//! The rules of every message, compiled once from the options in the proto files.

use std::{collections::BTreeMap, sync::LazyLock};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use regex::Regex;

use super::{pattern, violation::value_set};
use crate::{
    aws::v1::{ElementRules, FieldRules},
    contract::{field_rules, value_wire_name, wire_name},
    descriptors,
};

/// What is checked of one field.
pub(super) struct Field {
    pub(super) descriptor: FieldDescriptor,
    /// The field's name in paths: its AWS name in lower camel case.
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) shape: Shape,
}

/// How a field holds values, and what is checked of them.
pub(super) enum Shape {
    Single(Check),
    List { size: Size, element: Check },
    Map { size: Size, key: Check, value: Check },
}

/// How many elements or entries there may be.
pub(super) struct Size {
    pub(super) min: Option<u64>,
    pub(super) max: Option<u64>,
}

/// What is checked of one value.
pub(super) enum Check {
    Nothing,
    Message,
    Text {
        min: Option<u64>,
        max: Option<u64>,
        pattern: Option<Pattern>,
    },
    Number {
        min: Option<i64>,
        max: Option<i64>,
    },
    Enum {
        descriptor: EnumDescriptor,
        constraint: String,
    },
}

/// A pattern as AWS spells it, and compiled.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) java: String,
    pub(super) regex: Regex,
}

impl Check {
    /// The texts of all the constraints, in AWS's order: how a list reports an element that breaks one of them.
    pub(super) fn constraints(&self) -> Vec<String> {
        match self {
            Check::Nothing | Check::Message => Vec::new(),
            Check::Text { min, max, pattern } => max
                .map(length_max)
                .into_iter()
                .chain(min.map(length_min))
                .chain(pattern.as_ref().map(|pattern| matches(&pattern.java)))
                .collect(),
            Check::Number { min, max } => max.map(value_max).into_iter().chain(min.map(value_min)).collect(),
            Check::Enum { constraint, .. } => vec![constraint.clone()],
        }
    }
}

pub(super) fn length_min(min: u64) -> String {
    format!("Member must have length greater than or equal to {min}")
}

pub(super) fn length_max(max: u64) -> String {
    format!("Member must have length less than or equal to {max}")
}

pub(super) fn value_min(min: i64) -> String {
    format!("Member must have value greater than or equal to {min}")
}

pub(super) fn value_max(max: i64) -> String {
    format!("Member must have value less than or equal to {max}")
}

pub(super) fn matches(java: &str) -> String {
    format!("Member must satisfy regular expression pattern: {java}")
}

/// Gets what is checked of a message: its fields that have rules or hold messages, in the order of their declaration.
pub(super) fn fields(message: &MessageDescriptor) -> &'static [Field] {
    static TABLE: LazyLock<BTreeMap<String, Vec<Field>>> = LazyLock::new(build);
    TABLE.get(message.full_name()).map_or(&[], Vec::as_slice)
}

fn build() -> BTreeMap<String, Vec<Field>> {
    let mut patterns = BTreeMap::new();
    let messages = descriptors()
        .all_messages()
        .filter(|message| is_ours(message) && !message.is_map_entry());
    messages
        .map(|message| {
            let mut fields: Vec<FieldDescriptor> = message.fields().collect();
            fields.sort_by_key(|field| field.path().last().copied());
            let checked = fields
                .iter()
                .filter_map(|field| compile(field, &mut patterns))
                .collect();
            (message.full_name().to_owned(), checked)
        })
        .collect()
}

/// Whether a message may have rules: those of `google.protobuf` have none.
fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name().starts_with("treenail.")
}

fn compile(field: &FieldDescriptor, patterns: &mut BTreeMap<String, Regex>) -> Option<Field> {
    let rules = field_rules(field);
    let size = Size {
        min: rules.min_items.map(u64::from),
        max: rules.max_items.map(u64::from),
    };
    let element = rules.element.clone().unwrap_or_default();
    let shape = match field.kind() {
        Kind::Message(entry) if field.is_map() => Shape::Map {
            size,
            key: check(
                &entry.map_entry_key_field().kind(),
                &rules.key.unwrap_or_default(),
                patterns,
            ),
            value: check(&entry.map_entry_value_field().kind(), &element, patterns),
        },
        kind if field.is_list() => Shape::List {
            size,
            element: check(&kind, &element, patterns),
        },
        kind => Shape::Single(check(&kind, &single(&rules), patterns)),
    };
    let is_needed = rules.required || !shape.is_idle();
    is_needed.then(|| Field {
        descriptor: field.clone(),
        name: lower_first(&wire_name(field)),
        is_required: rules.required,
        shape,
    })
}

impl Shape {
    /// Whether there is nothing to check.
    fn is_idle(&self) -> bool {
        match self {
            Shape::Single(check) => check.is_idle(),
            Shape::List { size, element } => size.is_idle() && element.is_idle(),
            Shape::Map { size, key, value } => size.is_idle() && key.is_idle() && value.is_idle(),
        }
    }
}

impl Size {
    fn is_idle(&self) -> bool {
        self.min.is_none_or(|min| min == 0) && self.max.is_none()
    }
}

impl Check {
    fn is_idle(&self) -> bool {
        matches!(self, Check::Nothing)
    }
}

/// The rules of a field that holds one value, in the form that elements have.
fn single(rules: &FieldRules) -> ElementRules {
    ElementRules {
        min_length: rules.min_length,
        max_length: rules.max_length,
        pattern: rules.pattern.clone(),
        min: rules.min,
        max: rules.max,
    }
}

fn check(kind: &Kind, rules: &ElementRules, patterns: &mut BTreeMap<String, Regex>) -> Check {
    match kind {
        Kind::Message(message) if is_ours(message) => Check::Message,
        Kind::Enum(descriptor) => {
            let allowed: Vec<String> = descriptor
                .values()
                .filter(|value| value.number() != 0)
                .map(|value| value_wire_name(&value))
                .collect();
            Check::Enum {
                descriptor: descriptor.clone(),
                constraint: value_set(&allowed),
            }
        }
        Kind::String if rules.min_length.is_some() || rules.max_length.is_some() || rules.pattern.is_some() => {
            Check::Text {
                min: rules.min_length.map(u64::from),
                max: rules.max_length.map(u64::from),
                pattern: rules.pattern.as_ref().map(|java| compiled(java, patterns)),
            }
        }
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Double | Kind::Float
            if rules.min.is_some() || rules.max.is_some() =>
        {
            Check::Number {
                min: rules.min,
                max: rules.max,
            }
        }
        _ => Check::Nothing,
    }
}

fn compiled(java: &str, patterns: &mut BTreeMap<String, Regex>) -> Pattern {
    let regex = patterns
        .entry(java.to_owned())
        .or_insert_with(|| pattern::compile(java).expect("a test compiles every pattern of the proto files"));
    Pattern {
        java: java.to_owned(),
        regex: regex.clone(),
    }
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
