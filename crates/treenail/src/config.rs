//! The configuration file: what flags and variables do not say.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// A configuration file, one table a service. Unknown keys are refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FileConfig {
    pub(crate) control_plane: treenail_control_plane::Config,
    pub(crate) run_scheduler: treenail_run_scheduler::Config,
    pub(crate) properties_store: treenail_properties_store::Config,
}

impl FileConfig {
    /// Reads the file; without one, everything is as it is by default.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names_and_no_unknown_key_is_taken() {
        let config: FileConfig = toml::from_str("[run_scheduler]\nretry_delay_ms = 7").unwrap();
        assert_eq!(config.run_scheduler.retry_delay_ms, 7);
        assert_eq!(
            config.run_scheduler.lease_ms,
            treenail_run_scheduler::Config::default().lease_ms
        );
        assert!(toml::from_str::<FileConfig>("[run_scheduler]\nretry_delay = 7").is_err());
    }
}
