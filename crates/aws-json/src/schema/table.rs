//! The table of one message: its fields, how they are spelled and what they hold.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

use super::{SchemaError, names, options::Options};

/// How one message travels as AWS JSON.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) descriptor: MessageDescriptor,
    /// By field number, ascending: the order of the members in an answer.
    pub(crate) fields: Vec<Field>,
    /// Positions in `fields`, by spelling.
    by_name: BTreeMap<String, usize>,
}

/// How one field travels as a member.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) descriptor: FieldDescriptor,
    pub(crate) number: u32,
    /// The member's name in paths: `logicalOperator`.
    pub(crate) path_name: String,
    /// The member's name as JSON, with the colon: `"LogicalOperator":`.
    pub(crate) json_name: Vec<u8>,
    pub(crate) shape: Shape,
    /// Whether an answer holds the list or map even when it is empty.
    pub(crate) always: bool,
}

/// How many values a field holds.
#[derive(Debug)]
pub(crate) enum Shape {
    Single(Kind),
    List(Kind),
    /// The keys are strings in JSON, whatever they are in protobuf.
    Map {
        key: Kind,
        value: Kind,
    },
}

/// What a value is, and how protobuf writes it.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Sint32,
    Sfixed32,
    Uint32,
    Fixed32,
    Int64,
    Sint64,
    Sfixed64,
    Uint64,
    Fixed64,
    Float,
    Double,
    Text,
    /// Base64 in JSON.
    Bytes,
    /// The position of its table in the schema.
    Enum(usize),
    /// The position of its table in the schema.
    Message(usize),
    /// `google.protobuf.Timestamp`: epoch seconds in JSON.
    Timestamp(MessageDescriptor),
    /// `google.protobuf.Struct`: any JSON object, kept as it is.
    Opaque(MessageDescriptor),
}

/// How one enum travels as a string.
#[derive(Debug)]
pub(crate) struct Enum {
    /// The spellings that AWS has, in the order of their declaration; the zero value is none.
    pub(crate) names: Vec<String>,
    numbers: BTreeMap<String, i32>,
    /// Spellings as JSON, with the quotes.
    json_names: BTreeMap<i32, Vec<u8>>,
}

impl Table {
    /// The field that a member's name means.
    pub(crate) fn by_name(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The field of a number.
    pub(crate) fn by_number(&self, number: u32) -> Option<usize> {
        self.fields.binary_search_by_key(&number, |field| field.number).ok()
    }
}

impl Enum {
    /// The number of a spelling.
    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        self.numbers.get(name).copied()
    }

    /// The spelling of a number, as JSON.
    pub(crate) fn json_name(&self, number: i32) -> Option<&[u8]> {
        self.json_names.get(&number).map(Vec::as_slice)
    }
}

/// Makes the tables; remembers the enums that it met.
pub(super) struct Builder<'a> {
    options: &'a Options,
    messages: &'a BTreeMap<String, usize>,
    enums: Vec<Enum>,
    enum_positions: BTreeMap<String, usize>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(options: &'a Options, messages: &'a BTreeMap<String, usize>) -> Builder<'a> {
        Builder {
            options,
            messages,
            enums: Vec::new(),
            enum_positions: BTreeMap::new(),
        }
    }

    pub(super) fn into_enums(self) -> Vec<Enum> {
        self.enums
    }

    pub(super) fn message(&mut self, descriptor: MessageDescriptor) -> Result<Table, SchemaError> {
        let mut declared: Vec<FieldDescriptor> = descriptor.fields().collect();
        declared.sort_by_key(FieldDescriptor::number);
        let mut fields = Vec::with_capacity(declared.len());
        let mut by_name = BTreeMap::new();
        for field in declared {
            let name = self.options.wire_name(&field);
            fields.push(self.field(field, &name)?);
            if by_name.insert(name.clone(), fields.len() - 1).is_some() {
                let message = descriptor.full_name().to_owned();
                return Err(SchemaError::AmbiguousMember { message, member: name });
            }
        }
        Ok(Table {
            descriptor,
            fields,
            by_name,
        })
    }

    fn field(&mut self, descriptor: FieldDescriptor, name: &str) -> Result<Field, SchemaError> {
        let shape = match descriptor.kind() {
            ProtoKind::Message(entry) if descriptor.is_map() => Shape::Map {
                key: self.kind(entry.map_entry_key_field().kind())?,
                value: self.kind(entry.map_entry_value_field().kind())?,
            },
            kind if descriptor.is_list() => Shape::List(self.kind(kind)?),
            kind => Shape::Single(self.kind(kind)?),
        };
        let mut json_name = json_text(name);
        json_name.push(b':');
        Ok(Field {
            number: descriptor.number(),
            path_name: names::lower_first(name),
            json_name,
            shape,
            always: self.options.always(&descriptor),
            descriptor,
        })
    }

    fn kind(&mut self, kind: ProtoKind) -> Result<Kind, SchemaError> {
        Ok(match kind {
            ProtoKind::Bool => Kind::Bool,
            ProtoKind::Int32 => Kind::Int32,
            ProtoKind::Sint32 => Kind::Sint32,
            ProtoKind::Sfixed32 => Kind::Sfixed32,
            ProtoKind::Uint32 => Kind::Uint32,
            ProtoKind::Fixed32 => Kind::Fixed32,
            ProtoKind::Int64 => Kind::Int64,
            ProtoKind::Sint64 => Kind::Sint64,
            ProtoKind::Sfixed64 => Kind::Sfixed64,
            ProtoKind::Uint64 => Kind::Uint64,
            ProtoKind::Fixed64 => Kind::Fixed64,
            ProtoKind::Float => Kind::Float,
            ProtoKind::Double => Kind::Double,
            ProtoKind::String => Kind::Text,
            ProtoKind::Bytes => Kind::Bytes,
            ProtoKind::Enum(descriptor) => Kind::Enum(self.enumeration(&descriptor)?),
            ProtoKind::Message(descriptor) => match descriptor.full_name() {
                "google.protobuf.Timestamp" => Kind::Timestamp(descriptor),
                "google.protobuf.Struct" => Kind::Opaque(descriptor),
                name => Kind::Message(self.messages[name]),
            },
        })
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Result<usize, SchemaError> {
        if let Some(position) = self.enum_positions.get(descriptor.full_name()) {
            return Ok(*position);
        }
        let mut made = Enum {
            names: Vec::new(),
            numbers: BTreeMap::new(),
            json_names: BTreeMap::new(),
        };
        // The zero value means "not set" (`_UNSPECIFIED`), which AWS says by leaving the member out.
        for value in descriptor.values().filter(|value| value.number() != 0) {
            let name = self.options.value_name(&value);
            made.json_names
                .entry(value.number())
                .or_insert_with(|| json_text(&name));
            if made.numbers.insert(name.clone(), value.number()).is_some() {
                let enumeration = descriptor.full_name().to_owned();
                return Err(SchemaError::AmbiguousValue {
                    enumeration,
                    value: name,
                });
            }
            made.names.push(name);
        }
        let position = self.enums.len();
        self.enums.push(made);
        self.enum_positions.insert(descriptor.full_name().to_owned(), position);
        Ok(position)
    }
}

fn json_text(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("every string is JSON")
}
