//! What an operator may choose.

use serde::Deserialize;

use crate::properties::Limits;

/// The configuration of the properties-store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most properties that a put may leave a run with.
    pub run_properties_max: u64,
    /// The most bytes, keys and values together, that a put may leave a run with.
    pub run_bytes_max: u64,
}

/// AWS documents neither number; these are beyond what any workflow that we know of uses.
impl Default for Config {
    fn default() -> Self {
        Config {
            run_properties_max: 1_000,
            run_bytes_max: 256 * 1_024,
        }
    }
}

impl Config {
    /// The limits that puts are held to.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            properties_max: self.run_properties_max,
            bytes_max: self.run_bytes_max,
        }
    }
}
