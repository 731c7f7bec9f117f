//! What reading one request shares: its limits, what it has cost so far, and what was found wrong.

use std::cell::{Cell, RefCell};

use serde::de;
use serde_json::error::Category;

use super::{
    UnknownEnum,
    error::{DecodeError, Problem},
    path::Path,
};
use crate::{Limits, Schema, UNKNOWN_ENUMS_MAX, schema::table};

/// The state of reading one request.
#[derive(Debug)]
pub(super) struct Context<'s> {
    pub(super) schema: &'s Schema,
    limits: Limits,
    tokens: Cell<usize>,
    /// What was wrong, where it was we who found it.
    problem: Cell<Option<Problem>>,
    unknown_enums: RefCell<Vec<UnknownEnum>>,
}

impl<'s> Context<'s> {
    pub(super) fn new(schema: &'s Schema, limits: Limits) -> Context<'s> {
        Context {
            schema,
            limits,
            tokens: Cell::new(0),
            problem: Cell::new(None),
            unknown_enums: RefCell::new(Vec::new()),
        }
    }

    /// Counts a name or a value.
    pub(super) fn count_token<E: de::Error>(&self) -> Result<(), E> {
        let tokens = self.tokens.get() + 1;
        self.tokens.set(tokens);
        if tokens > self.limits.tokens_max {
            return Err(self.refuse(Problem::TooManyTokens));
        }
        Ok(())
    }

    /// Checks that an object or list may begin at a depth, the request itself having depth 1.
    pub(super) fn enter<E: de::Error>(&self, depth: usize) -> Result<(), E> {
        if depth > self.limits.depth_max {
            return Err(self.refuse(Problem::TooDeep));
        }
        Ok(())
    }

    /// Notes what is wrong and makes the error that ends the reading.
    pub(super) fn refuse<E: de::Error>(&self, problem: Problem) -> E {
        self.problem.set(Some(problem));
        // The text goes nowhere: `explain` looks at the note.
        E::custom("")
    }

    /// Notes an unknown enum value; the reading goes on.
    pub(super) fn note_unknown(&self, path: &Path<'_>, value: &str, enumeration: &table::Enum) {
        let mut noted = self.unknown_enums.borrow_mut();
        if noted.len() < UNKNOWN_ENUMS_MAX {
            noted.push(UnknownEnum {
                path: path.render(),
                value: value.to_owned(),
                allowed: enumeration.names.clone(),
            });
        }
    }

    /// Says in our own words what ended the reading: serde's words may repeat the body.
    pub(super) fn explain(&self, error: &serde_json::Error) -> DecodeError {
        let problem = self.problem.get().unwrap_or_else(|| match error.classify() {
            // We note every other mismatch ourselves.
            Category::Data => Problem::Mismatch("an object"),
            Category::Eof => Problem::Truncated,
            Category::Syntax | Category::Io => Problem::Syntax,
        });
        DecodeError {
            problem,
            line: error.line(),
            column: error.column(),
        }
    }

    pub(super) fn into_unknown_enums(self) -> Vec<UnknownEnum> {
        self.unknown_enums.into_inner()
    }
}
