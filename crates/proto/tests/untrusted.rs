//! Whatever a request holds, checking it ends, and the answer is bounded.

use std::collections::HashMap;

use proptest::prelude::*;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use treenail_proto::{
    contract::operations,
    validate::{VALUE_CHARACTERS_MAX, VIOLATIONS_MAX, message, violations},
};

/// What one violation may take: a value and a path of cut length, of four bytes a character, and the constraint.
const VIOLATION_BYTES_MAX: usize = 8 * VALUE_CHARACTERS_MAX + 1_024;

/// How deep the made-up requests go.
const DEPTH_MAX: usize = 6;

/// Makes values out of choices; when those have run out, the smallest ones.
struct Maker {
    choices: std::vec::IntoIter<u16>,
    text: String,
}

impl Maker {
    fn choose(&mut self, among: u16) -> u16 {
        self.choices.next().unwrap_or_default() % among
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut made = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if self.choose(3) > 0 && depth < DEPTH_MAX {
                let value = self.field(&field, depth + 1);
                made.set_field(&field, value);
            }
        }
        made
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let count = self.choose(4);
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let value = entry.map_entry_value_field().kind();
                let entries = (0..count).map(|_| (MapKey::String(self.text()), self.value(&value, depth)));
                Value::Map(entries.collect::<HashMap<_, _>>())
            }
            kind if field.is_list() => Value::List((0..count).map(|_| self.value(&kind, depth)).collect()),
            kind => self.value(&kind, depth),
        }
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        let number = i32::from(self.choose(u16::MAX)) - 100;
        match kind {
            Kind::Message(descriptor) => Value::Message(self.message(descriptor, depth)),
            Kind::Enum(_) => Value::EnumNumber(number % 20),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(Vec::new().into()),
            Kind::Bool => Value::Bool(number % 2 == 0),
            Kind::Double => Value::F64(f64::from(number) / 3.0),
            Kind::Float => Value::F32(f32::NAN),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(i64::from(number) << 24),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number.unsigned_abs()),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(u64::from(number.unsigned_abs())),
        }
    }

    fn text(&mut self) -> String {
        match self.choose(5) {
            0 => String::new(),
            1 => "plain".to_owned(),
            2 => self.text.clone(),
            3 => "x".repeat(5_000),
            _ => format!("{}\n\u{0}", self.text),
        }
    }
}

proptest! {
    #[test]
    fn any_request_is_checked_in_bounds(choices in prop::collection::vec(any::<u16>(), 0..400), text in "\\PC{0,300}") {
        for operation in operations() {
            let mut maker = Maker { choices: choices.clone().into_iter(), text: text.clone() };
            let found = violations(&maker.message(&operation.input, 0));
            // The last value that is looked at may break several constraints.
            prop_assert!(found.len() <= VIOLATIONS_MAX + 4);
            prop_assert!(message(&found).len() <= (found.len() + 1) * VIOLATION_BYTES_MAX);
        }
    }
}
