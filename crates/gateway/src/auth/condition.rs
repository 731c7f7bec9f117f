//! The conditions of a policy's statement: under which circumstances of a call it applies
//! (`IAM: condition operators`, `global condition keys`).

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    policy::{Error, has_variable, matches},
    written::{Entries, OneOrMany},
};

/// The circumstances of a call that conditions may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// Where the call comes from: the other end of its connection.
    pub source: Option<IpAddr>,
    /// Whether it came over an encrypted connection.
    pub is_encrypted: bool,
    /// When it came, in seconds since 1970.
    pub now: i64,
    /// The region that it is for; S3 has none.
    pub region: Option<&'c str>,
    /// The caller's account.
    pub account: &'c str,
    /// The caller's name: `arn:aws:iam::123456789012:user/name`.
    pub arn: &'c str,
}

/// What a statement asks for: by operator, by key, one of some values.
pub(super) type Written = Entries<Entries<OneOrMany<Value>>>;

/// A value as it may be written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    Text(String),
    Truth(bool),
    Number(i64),
}

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    key: Key,
    test: Test,
    /// Whether what is asked for is that none of the values fits.
    is_negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    SourceIp,
    SecureTransport,
    CurrentTime,
    RequestedRegion,
    PrincipalAccount,
    PrincipalArn,
    Username,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equals(Vec<String>),
    EqualsInAnyCase(Vec<String>),
    Like(Vec<String>),
    Within(Vec<Network>),
    Is(Vec<bool>),
    /// Earlier than a time, in seconds since 1970.
    Before(Vec<i64>),
    /// Earlier than a time, or at it.
    Until(Vec<i64>),
    After(Vec<i64>),
    From(Vec<i64>),
}

/// The values of a condition, and where they are written.
#[derive(Debug, Clone, Copy)]
struct Values<'w> {
    values: &'w [Value],
    operator: &'w str,
    key: &'w str,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// How many bits stand before an address of IPv4 in IPv6's form (`RFC 4291: 2.5.5.2`).
const MAPPED_BITS: u8 = 96;

/// Reads the conditions of a statement; all of them must hold.
pub(super) fn read(written: Written) -> Result<Vec<Condition>, Error> {
    let mut conditions = Vec::new();
    for (operator, keys) in written {
        for (key, values) in keys {
            conditions.push(Condition::read(&operator, &key, values.as_slice())?);
        }
    }
    Ok(conditions)
}

impl Condition {
    fn read(operator: &str, key: &str, values: &[Value]) -> Result<Self, Error> {
        let name_of_key = key;
        let key = Key::read(key)?;
        let negated = operator.strip_prefix("StringNot").map(|rest| format!("String{rest}"));
        let negated = negated.or_else(|| operator.strip_prefix("Not").map(str::to_owned));
        let (is_negated, name) = match &negated {
            Some(name) => (true, name.as_str()),
            None => (false, operator),
        };
        let values = Values {
            values,
            operator,
            key: name_of_key,
        };
        let test = match (name, key) {
            ("StringEquals", _) if key.is_text() => Test::Equals(values.all(text)?),
            ("StringEqualsIgnoreCase", _) if key.is_text() => Test::EqualsInAnyCase(values.all(text)?),
            ("StringLike", _) if key.is_text() => Test::Like(values.all(text)?),
            ("IpAddress", Key::SourceIp) => Test::Within(values.all(network)?),
            ("Bool", Key::SecureTransport) if !is_negated => Test::Is(values.all(truth)?),
            ("DateLessThan", Key::CurrentTime) if !is_negated => Test::Before(values.all(time)?),
            ("DateLessThanEquals", Key::CurrentTime) if !is_negated => Test::Until(values.all(time)?),
            ("DateGreaterThan", Key::CurrentTime) if !is_negated => Test::After(values.all(time)?),
            ("DateGreaterThanEquals", Key::CurrentTime) if !is_negated => Test::From(values.all(time)?),
            _ => return Err(not_understood(&format!("{operator} of {name_of_key}"))),
        };
        Ok(Self { key, test, is_negated })
    }

    /// Whether it holds. What a call does not have equals nothing, and so differs from everything.
    pub(super) fn holds(&self, call: &Circumstances<'_>) -> bool {
        self.test.fits(self.key, call) != self.is_negated
    }
}

impl Key {
    fn read(name: &str) -> Result<Self, Error> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "aws:sourceip" => Self::SourceIp,
            "aws:securetransport" => Self::SecureTransport,
            "aws:currenttime" => Self::CurrentTime,
            "aws:requestedregion" => Self::RequestedRegion,
            "aws:principalaccount" => Self::PrincipalAccount,
            "aws:principalarn" => Self::PrincipalArn,
            "aws:username" => Self::Username,
            _ => return Err(not_understood(&format!("the condition key {name}"))),
        })
    }

    fn is_text(self) -> bool {
        match self {
            Self::RequestedRegion | Self::PrincipalAccount | Self::PrincipalArn | Self::Username => true,
            Self::SourceIp | Self::SecureTransport | Self::CurrentTime => false,
        }
    }

    fn text<'c>(self, call: &Circumstances<'c>) -> Option<&'c str> {
        match self {
            Self::RequestedRegion => call.region,
            Self::PrincipalAccount => Some(call.account),
            Self::PrincipalArn => Some(call.arn),
            Self::Username => call.arn.split_once(":user/").map(|(_, name)| name),
            Self::SourceIp | Self::SecureTransport | Self::CurrentTime => None,
        }
    }
}

impl Test {
    fn fits(&self, key: Key, call: &Circumstances<'_>) -> bool {
        let text = key.text(call);
        let any = |values: &[String], fits: &dyn Fn(&str, &str) -> bool| {
            text.is_some_and(|text| values.iter().any(|value| fits(value, text)))
        };
        match self {
            Self::Equals(values) => any(values, &|value, text| value == text),
            Self::EqualsInAnyCase(values) => any(values, &|value, text| value.eq_ignore_ascii_case(text)),
            Self::Like(values) => any(values, &matches),
            Self::Within(networks) => call
                .source
                .is_some_and(|source| networks.iter().any(|network| network.holds(source))),
            Self::Is(values) => values.contains(&call.is_encrypted),
            Self::Before(times) => times.iter().any(|time| call.now < *time),
            Self::Until(times) => times.iter().any(|time| call.now <= *time),
            Self::After(times) => times.iter().any(|time| call.now > *time),
            Self::From(times) => times.iter().any(|time| call.now >= *time),
        }
    }
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        let bits_of = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let ((own, own_length), (other, length)) = (bits_of(self.address), bits_of(address));
        // No bits at all are the same in all addresses of a kind.
        let shift = 128 - u32::from(self.bits);
        own_length == length && (own ^ other).checked_shr(shift).unwrap_or_default() == 0
    }
}

impl Values<'_> {
    /// What the values say, of which there must be one.
    fn all<T>(self, read: fn(&Value) -> Option<T>) -> Result<Vec<T>, Error> {
        let read: Option<Vec<T>> = self.values.iter().map(read).collect();
        read.filter(|values| !values.is_empty())
            .ok_or_else(|| not_understood(&format!("a value for {} of {}", self.operator, self.key)))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if !has_variable(text) => Some(text.clone()),
        Value::Text(_) | Value::Truth(_) | Value::Number(_) => None,
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Truth(truth) => Some(*truth),
        Value::Text(text) => text.to_ascii_lowercase().parse().ok(),
        Value::Number(_) => None,
    }
}

fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(seconds) => Some(*seconds),
        Value::Text(text) => Some(text.parse::<Timestamp>().ok()?.as_second()),
        Value::Truth(_) => None,
    }
}

fn network(value: &Value) -> Option<Network> {
    let Value::Text(text) = value else { return None };
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    match address.to_canonical() {
        _ if bits > most => None,
        // An address of IPv4 in IPv6's form: callers are known in their own form, so the network is, too.
        own if own != address => Some(Network {
            address: own,
            bits: bits.checked_sub(MAPPED_BITS)?,
        }),
        address => Some(Network { address, bits }),
    }
}

fn not_understood(what: &str) -> Error {
    Error::NotUnderstood(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Circumstances<'_> = Circumstances {
        source: Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3))),
        is_encrypted: true,
        now: 1_800_000_000,
        region: Some("eu-central-1"),
        account: "123456789012",
        arn: "arn:aws:iam::123456789012:user/ann",
    };

    fn holds(text: &str, call: &Circumstances<'_>) -> bool {
        let written: Written = serde_json::from_str(text).unwrap();
        read(written).unwrap().iter().all(|condition| condition.holds(call))
    }

    #[test]
    fn conditions_hold_as_iam_says() {
        for (text, expected) in [
            (r#"{}"#, true),
            (
                r#"{"StringEquals": {"aws:RequestedRegion": ["us-east-1", "eu-central-1"]}}"#,
                true,
            ),
            (
                r#"{"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-central-1"]}}"#,
                false,
            ),
            (r#"{"StringEquals": {"AWS:requestedregion": "EU-central-1"}}"#, false),
            (
                r#"{"StringEqualsIgnoreCase": {"aws:RequestedRegion": "EU-central-1"}}"#,
                true,
            ),
            (
                r#"{"StringNotEqualsIgnoreCase": {"aws:RequestedRegion": "EU-central-1"}}"#,
                false,
            ),
            (
                r#"{"StringLike": {"aws:username": "a?n*", "aws:PrincipalArn": "*:user/*"}}"#,
                true,
            ),
            (
                r#"{"StringLike": {"aws:username": "a?n*", "aws:PrincipalAccount": "9*"}}"#,
                false,
            ),
            (r#"{"StringNotLike": {"aws:PrincipalAccount": "9*"}}"#, true),
            (
                r#"{"IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.0.0.0/8"]}}"#,
                true,
            ),
            (r#"{"IpAddress": {"aws:SourceIp": "10.1.2.0/31"}}"#, false),
            (r#"{"IpAddress": {"aws:SourceIp": "10.1.2.3"}}"#, true),
            (r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, true),
            (r#"{"IpAddress": {"aws:SourceIp": "::/0"}}"#, false),
            (r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, false),
            (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, true),
            (r#"{"Bool": {"aws:SecureTransport": false}}"#, false),
            (
                r#"{"DateLessThan": {"aws:CurrentTime": "2027-01-15T08:00:00Z"}}"#,
                false,
            ),
            (
                r#"{"DateLessThanEquals": {"aws:CurrentTime": "2027-01-15T08:00:00Z"}}"#,
                true,
            ),
            (r#"{"DateGreaterThan": {"aws:CurrentTime": 1799999999}}"#, true),
            (r#"{"DateGreaterThanEquals": {"aws:CurrentTime": 1800000001}}"#, false),
        ] {
            assert_eq!(holds(text, &CALL), expected, "{text}");
        }
    }

    #[test]
    fn what_a_call_has_not_equals_nothing() {
        let bare = Circumstances {
            source: None,
            region: None,
            arn: "arn:aws:sts::123456789012:assumed-role/job/jr_1",
            ..CALL
        };
        for key in ["aws:RequestedRegion", "aws:username"] {
            assert!(
                !holds(&format!(r#"{{"StringLike": {{"{key}": "*"}}}}"#), &bare),
                "{key}"
            );
            assert!(
                holds(&format!(r#"{{"StringNotLike": {{"{key}": "*"}}}}"#), &bare),
                "{key}"
            );
        }
        assert!(!holds(r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, &bare));
        let mapped = Circumstances {
            source: "::ffff:10.1.2.3".parse().ok(),
            ..CALL
        };
        assert!(holds(r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, &mapped));
        for call in [&CALL, &mapped] {
            assert!(holds(r#"{"IpAddress": {"aws:SourceIp": "::ffff:10.0.0.0/104"}}"#, call));
            assert!(!holds(
                r#"{"IpAddress": {"aws:SourceIp": "::ffff:11.0.0.0/104"}}"#,
                call
            ));
        }
    }

    #[test]
    fn a_condition_that_is_not_understood_is_refused() {
        for text in [
            r#"{"StringEquals": {"aws:SourceIp": "10.0.0.1"}}"#,
            r#"{"StringEquals": {"aws:RequestedRegion": []}}"#,
            r#"{"StringEquals": {"aws:RequestedRegion": true}}"#,
            r#"{"StringEqualsIfExists": {"aws:RequestedRegion": "x"}}"#,
            r#"{"ForAnyValue:StringEquals": {"aws:RequestedRegion": "x"}}"#,
            r#"{"StringEquals": {"aws:ResourceTag/team": "x"}}"#,
            r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#,
            r#"{"IpAddress": {"aws:SourceIp": "ten"}}"#,
            r#"{"IpAddress": {"aws:SourceIp": "::ffff:10.0.0.0/95"}}"#,
            r#"{"StringEquals": {"aws:PrincipalAccount": "${aws:username}"}}"#,
            r#"{"NotBool": {"aws:SecureTransport": "true"}}"#,
            r#"{"Bool": {"aws:SecureTransport": "maybe"}}"#,
            r#"{"DateLessThan": {"aws:CurrentTime": "soon"}}"#,
            r#"{"DateEquals": {"aws:CurrentTime": "2027-01-15T08:00:00Z"}}"#,
        ] {
            let written: Written = serde_json::from_str(text).unwrap();
            assert!(read(written).is_err(), "{text}");
        }
        // Whichever of the two were kept, the other would not be asked for.
        for text in [
            r#"{"StringEquals": {"aws:username": "ann"}, "StringEquals": {"aws:RequestedRegion": "x"}}"#,
            r#"{"StringEquals": {"aws:username": "ann", "aws:username": "bob"}}"#,
        ] {
            let refused = serde_json::from_str::<Written>(text).unwrap_err().to_string();
            assert!(refused.contains("is there twice"), "{refused}");
        }
    }
}
