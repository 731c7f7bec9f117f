//! Reads what the options of `treenail.aws.v1` say about spellings.

use prost_reflect::{DescriptorPool, DynamicMessage, EnumValueDescriptor, ExtensionDescriptor, FieldDescriptor, Value};

use super::names::{self, WireCase};

/// `treenail.aws.v1.WIRE_CASE_LOWER_CAMEL`.
const LOWER_CAMEL: i32 = 2;

/// The extensions that hold our options; none in a pool without them.
pub(super) struct Options {
    wire_case: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    value: Option<ExtensionDescriptor>,
}

impl Options {
    pub(super) fn of(pool: &DescriptorPool) -> Options {
        let extension = |name| pool.get_extension_by_name(name);
        Options {
            wire_case: extension("treenail.aws.v1.wire_case"),
            field: extension("treenail.aws.v1.field"),
            value: extension("treenail.aws.v1.value"),
        }
    }

    /// A field's spelling.
    pub(super) fn wire_name(&self, field: &FieldDescriptor) -> String {
        let explicit =
            message_option(&field.options(), self.field.as_ref()).and_then(|rules| text(&rules, "wire_name"));
        explicit.unwrap_or_else(|| self.wire_case(field).apply(field.name()))
    }

    /// Whether an answer holds the list or map even when it is empty.
    pub(super) fn always(&self, field: &FieldDescriptor) -> bool {
        message_option(&field.options(), self.field.as_ref())
            .and_then(|rules| rules.get_field_by_name("always").and_then(|always| always.as_bool()))
            .unwrap_or(false)
    }

    /// An enum value's spelling.
    pub(super) fn value_name(&self, value: &EnumValueDescriptor) -> String {
        message_option(&value.options(), self.value.as_ref())
            .and_then(|rules| text(&rules, "wire_name"))
            .unwrap_or_else(|| names::without_prefix(value.parent_enum().name(), value.name()))
    }

    fn wire_case(&self, field: &FieldDescriptor) -> WireCase {
        let options = field.parent_file().options();
        let number = self
            .wire_case
            .as_ref()
            .and_then(|extension| options.get_extension(extension).as_enum_number());
        match number {
            Some(LOWER_CAMEL) => WireCase::Lower,
            _ => WireCase::Upper,
        }
    }
}

fn message_option(options: &DynamicMessage, extension: Option<&ExtensionDescriptor>) -> Option<DynamicMessage> {
    let extension = extension.filter(|extension| options.has_extension(extension))?;
    match options.get_extension(extension).into_owned() {
        Value::Message(rules) => Some(rules),
        _ => None,
    }
}

fn text(rules: &DynamicMessage, name: &str) -> Option<String> {
    let value = rules.get_field_by_name(name)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
