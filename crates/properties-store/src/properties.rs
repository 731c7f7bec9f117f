//! The words of this service: runs, their properties, and how many there may be.

use std::collections::BTreeMap;

use treenail_rpc::Scope;

use crate::recent::Fingerprint;

/// Run properties: values by key. Both are text; the gateway has checked their form.
pub type Properties = BTreeMap<String, String>;

/// Names a workflow run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The account and region.
    pub scope: Scope,
    /// The run's id, unique in its scope.
    pub run_id: String,
}

/// A run that was given properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The name of its workflow.
    pub workflow: String,
    /// What it has now.
    pub properties: Properties,
}

/// The first properties of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The run.
    pub run: RunKey,
    /// The name of its workflow.
    pub workflow: String,
    /// The run of the same scope whose present properties are copied first.
    pub copy_from_run_id: Option<String>,
    /// Laid over the copied ones.
    pub properties: Properties,
}

/// Properties that are laid over those of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The run.
    pub run: RunKey,
    /// The workflow that the caller believes the run to be of.
    pub workflow: String,
    /// What to add or replace; nothing is ever taken away.
    pub properties: Properties,
    /// Tells the call from others; `None` when the client does not say which calls are repetitions.
    pub call: Option<Fingerprint>,
}

/// How much a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most properties.
    pub properties_max: u64,
    /// The most bytes, keys and values together.
    pub bytes_max: u64,
}

/// How much a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The number of properties.
    pub properties: u64,
    /// The bytes of all keys and values in UTF-8.
    pub bytes: u64,
}

/// Which limit a run would exceed, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many properties.
    #[error(
        "The number of run properties has exceeded the limit. A workflow run is limited to {properties_max} properties."
    )]
    Properties {
        /// The limit.
        properties_max: u64,
    },
    /// Too many bytes.
    #[error("The size of run properties has exceeded the limit. A workflow run is limited to {bytes_max} bytes.")]
    Bytes {
        /// The limit.
        bytes_max: u64,
    },
}

impl Limits {
    /// Checks what a run would have.
    ///
    /// # Errors
    /// The limit that it exceeds; the number of properties comes first.
    pub fn check(&self, size: Size) -> Result<(), TooLarge> {
        let Limits {
            properties_max,
            bytes_max,
        } = *self;
        if size.properties > properties_max {
            return Err(TooLarge::Properties { properties_max });
        }
        if size.bytes > bytes_max {
            return Err(TooLarge::Bytes { bytes_max });
        }
        Ok(())
    }
}

impl Size {
    /// The size of properties.
    #[must_use]
    pub fn of(properties: &Properties) -> Size {
        properties.iter().fold(Size::default(), |size, (key, value)| Size {
            properties: size.properties + 1,
            bytes: size.bytes + length(key) + length(value),
        })
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).expect("a length in memory fits 64 bits")
}
