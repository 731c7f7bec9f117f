//! The tables that transcoding works by: computed once from the descriptors, so that a request costs no look at them.

mod names;
mod options;
pub(crate) mod table;

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use self::{options::Options, table::Table};

/// How every message of a descriptor pool travels as AWS JSON.
#[derive(Debug)]
pub struct Schema {
    pub(crate) tables: Vec<Table>,
    pub(crate) enums: Vec<table::Enum>,
    by_name: BTreeMap<String, usize>,
}

/// Why descriptors make no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Two fields of a message have one spelling, so a request could not say which it means.
    #[error("two fields of {message} are spelled {member} in AWS JSON")]
    AmbiguousMember {
        /// The full name of the message.
        message: String,
        /// The spelling.
        member: String,
    },
    /// Two values of an enum have one spelling.
    #[error("two values of {enumeration} are spelled {value} in AWS JSON")]
    AmbiguousValue {
        /// The full name of the enum.
        enumeration: String,
        /// The spelling.
        value: String,
    },
}

impl Schema {
    /// Computes the tables of every message in the pool.
    ///
    /// Spellings come from the options of `treenail.aws.v1`; a pool without those spells `UpperCamelCase`.
    ///
    /// # Errors
    /// When spellings are ambiguous.
    pub fn new(pool: &DescriptorPool) -> Result<Schema, SchemaError> {
        let options = Options::of(pool);
        let messages: Vec<MessageDescriptor> = pool.all_messages().filter(|message| !message.is_map_entry()).collect();
        let by_name = (0..)
            .zip(&messages)
            .map(|(index, message)| (message.full_name().to_owned(), index))
            .collect();
        let mut builder = table::Builder::new(&options, &by_name);
        let tables = messages
            .into_iter()
            .map(|message| builder.message(message))
            .collect::<Result<_, _>>()?;
        let enums = builder.into_enums();
        Ok(Schema { tables, enums, by_name })
    }

    /// The table of a message.
    pub(crate) fn table(&self, message: &MessageDescriptor) -> &Table {
        let index = self
            .by_name
            .get(message.full_name())
            .expect("callers name messages of the pool that the schema was made of");
        &self.tables[*index]
    }
}
