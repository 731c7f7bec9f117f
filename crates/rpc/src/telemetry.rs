//! Logging: one line an event on standard error, for people or for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::ParseError,
    fmt,
    layer::SubscriberExt as _,
    registry,
    util::{SubscriberInitExt as _, TryInitError},
};

/// For whom the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people, coloured on a terminal.
    #[default]
    Human,
    /// A JSON object for machines.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter {filter:?} is not valid")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Again(#[from] TryInitError),
}

/// Sends the process's log to standard error.
///
/// The filter is in the form of `RUST_LOG`: `info,treenail_run_scheduler=debug`.
///
/// # Errors
/// When the filter is not valid, or when logging was set up before.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(filter).map_err(|source| Error::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let lines = match format {
        LogFormat::Human => fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .boxed(),
        LogFormat::Json => fmt::layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
    };
    registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Error, LogFormat, init};

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let refusal = init(LogFormat::Human, "treenail=loudly").unwrap_err();
        assert!(matches!(refusal, Error::Filter { filter, .. } if filter == "treenail=loudly"));
    }

    #[test]
    fn logging_is_set_up_once() {
        init(LogFormat::Json, "warn,treenail_rpc=debug").unwrap();
        assert!(matches!(init(LogFormat::Human, "info"), Err(Error::Again(_))));
    }
}
