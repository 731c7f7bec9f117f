//! The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const DIGITS_MAX: usize = 8;

/// The time that the caller allows; `None` when it names none or none that can be read.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_number = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Names the time allowed, in milliseconds.
pub(super) fn write(headers: &mut HeaderMap, allowed: Duration) {
    let value = format!("{}m", allowed.as_millis().clamp(1, 99_999_999));
    headers.insert(
        GRPC_TIMEOUT,
        HeaderValue::try_from(value).expect("digits and a letter are a header value"),
    );
}

#[cfg(test)]
mod tests {
    use super::{Duration, GRPC_TIMEOUT, HeaderMap, read, write};

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        let rows = [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("100000000m", None),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1ü", None),
        ];
        for (text, time) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, http::HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(read(&headers), time, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for millis in [1, 30_000, 99_999_999] {
            let mut headers = HeaderMap::new();
            write(&mut headers, Duration::from_millis(millis));
            assert_eq!(read(&headers), Some(Duration::from_millis(millis)));
        }
    }
}
