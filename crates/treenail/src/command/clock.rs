//! `treenail clock`.

use anyhow::{Context as _, bail};
use treenail_proto::ops::v1::{AdvanceClockRequest, GetClockRequest};
use treenail_schedule::Timestamp;

use crate::{
    cli::ClockStep,
    client::{Client, Failed},
    terminal,
};

/// Tells the server's time, after moving its clock if asked to.
pub(crate) async fn run(client: &Client, step: Option<&ClockStep>) -> anyhow::Result<()> {
    let now = match step {
        None => {
            client
                .clock()
                .get_clock(client.request(GetClockRequest {}))
                .await
                .map_err(Failed::from)?
                .into_inner()
                .now
        }
        Some(ClockStep::Advance { step }) => {
            let request = AdvanceClockRequest {
                milliseconds: Some(parse(step)?),
            };
            client
                .clock()
                .advance_clock(client.request(request))
                .await
                .map_err(Failed::from)?
                .into_inner()
                .now
        }
    };
    let now = now.unwrap_or_default();
    let millis = now
        .seconds
        .saturating_mul(1000)
        .saturating_add(i64::from(now.nanos) / 1_000_000);
    terminal::say(&Timestamp::from_millis(millis).to_string());
    Ok(())
}

/// A step such as `1d`, `12h`, `15m`, `90s` or `250ms`, in milliseconds.
fn parse(step: &str) -> anyhow::Result<i64> {
    let digits = step.find(|char: char| !char.is_ascii_digit()).unwrap_or(step.len());
    let (count, unit) = step.split_at(digits);
    let count: i64 = count
        .parse()
        .with_context(|| format!("a step reads 90s, 15m, 12h or 1d, not {step}"))?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => bail!("a step reads 90s, 15m, 12h or 1d, not {step}"),
    };
    count.checked_mul(unit).with_context(|| format!("{step} is too far"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_a_count_and_a_unit() {
        let rows = [
            ("1d", Some(86_400_000)),
            ("90s", Some(90_000)),
            ("15m", Some(900_000)),
            ("250ms", Some(250)),
            ("1", None),
            ("d", None),
            ("1w", None),
            ("-1d", None),
            ("99999999999999999d", None),
        ];
        for (step, millis) in rows {
            assert_eq!(parse(step).ok(), millis, "{step}");
        }
    }
}
