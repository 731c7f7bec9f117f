//! Whether servers send traces, metrics and logs, and where to.

use clap::Args;
use http::Uri;
use treenail_rpc::telemetry::Otlp;

/// The variable of all programs that speak OTLP.
const STANDARD_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Which of OTLP's forms such a program is to speak.
const STANDARD_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// Turns telemetry off in all programs.
const STANDARD_OFF: &str = "OTEL_SDK_DISABLED";

/// Where servers send their telemetry.
#[derive(Debug, Clone, Args)]
pub(crate) struct Telemetry {
    /// Where servers send traces, metrics and logs: an OpenTelemetry collector's gRPC port, such as
    /// `http://127.0.0.1:4317`; nowhere when neither it nor OTEL_EXPORTER_OTLP_ENDPOINT is given
    #[arg(long, env = "TREENAIL_OTLP_ENDPOINT", global = true)]
    pub(crate) otlp_endpoint: Option<String>,
    /// Which part of the traces that begin here is sent, 0 to 1; those that a caller began are sent when it says so
    #[arg(long, env = "TREENAIL_TRACE_RATIO", default_value = "1", value_parser = ratio, global = true)]
    pub(crate) trace_ratio: f64,
}

impl Telemetry {
    /// What a service sends, if anything.
    ///
    /// # Errors
    /// In words when it is to be sent to what is no address, or in a form that it cannot be sent in.
    pub(crate) fn of(&self, service: &'static str) -> Result<Option<Otlp>, String> {
        if variable(STANDARD_OFF).is_some_and(|off| off.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let own = self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty());
        let Some(endpoint) = own.clone().or_else(|| variable(STANDARD_ENDPOINT)) else {
            return Ok(None);
        };
        if own.is_none()
            && let Some(protocol) = variable(STANDARD_PROTOCOL).filter(|protocol| protocol != "grpc")
        {
            return Err(format!(
                "{STANDARD_PROTOCOL} is {protocol}, and only grpc is spoken: name a gRPC port with --otlp-endpoint"
            ));
        }
        let endpoint: Option<Uri> = endpoint.parse().ok();
        let is_address = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
        let not_one = "the OTLP endpoint is not of the form http://host:port or https://host:port";
        Ok(Some(Otlp {
            endpoint: endpoint.filter(is_address).ok_or(not_one)?,
            service,
            ratio: self.trace_ratio,
        }))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "a number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_from_0_to_1() {
        for (text, is_ratio) in [
            ("0", true),
            ("0.01", true),
            ("1", true),
            ("1.1", false),
            ("-0", true),
            ("-1", false),
            ("NaN", false),
            ("all", false),
        ] {
            assert_eq!(ratio(text).is_ok(), is_ratio, "{text}");
        }
    }

    #[test]
    fn telemetry_goes_to_an_address() {
        for (endpoint, is_address) in [
            ("http://127.0.0.1:4317", true),
            ("https://collector.example:4317", true),
            ("127.0.0.1:4317", false),
            ("unix:/run/collector", false),
            ("http://", false),
        ] {
            let telemetry = Telemetry {
                otlp_endpoint: Some(endpoint.to_owned()),
                trace_ratio: 1.0,
            };
            assert_eq!(telemetry.of("treenail").is_ok(), is_address, "{endpoint}");
        }
    }
}
