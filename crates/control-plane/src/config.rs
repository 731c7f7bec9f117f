//! What can be configured.

use serde::Deserialize;

/// The control-plane's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a call that changed a definition waits for the run-scheduler to know of it, in milliseconds.
    ///
    /// The change is durable by then: when the time is up the call is answered as done, and the publication follows.
    pub publish_wait_ms: u64,
    /// How long reading a workflow waits for the run-scheduler to tell its last run, in milliseconds; after that the
    /// workflow is answered without it.
    pub last_run_wait_ms: u64,
    /// How many of each thing there may be.
    pub quotas: Quotas,
}

/// How many of each thing an account may have in a region (`AWS General Reference: AWS Glue quotas`).
///
/// No limit where none is set: Treenail has the room that its machine has. What one trigger starts is limited as on AWS
/// unless it is configured, because that is a rule about the definition itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Workflows; AWS allows 1,000.
    pub workflows: Option<u32>,
    /// Triggers; AWS allows 1,000.
    pub triggers: Option<u32>,
    /// Jobs; AWS allows 2,000.
    pub jobs: Option<u32>,
    /// Jobs that one trigger starts; 50 as on AWS, unless it is configured.
    pub jobs_per_trigger: Option<u32>,
    /// Crawlers that one trigger starts; 2 as on AWS, unless it is configured.
    pub crawlers_per_trigger: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            publish_wait_ms: 5_000,
            last_run_wait_ms: 2_000,
            quotas: Quotas::default(),
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            workflows: None,
            triggers: None,
            jobs: None,
            jobs_per_trigger: Some(50),
            crawlers_per_trigger: 2,
        }
    }
}
