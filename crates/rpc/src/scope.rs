//! The account and region that every entity is keyed by.

use std::fmt;

use crate::limits::REGION_LENGTH_MAX;

const ACCOUNT_LENGTH: usize = 12;

/// An account in a region: the unit that every entity belongs to and that no rule crosses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The AWS account, twelve digits.
    pub account: String,
    /// The AWS region, such as `us-east-1`.
    pub region: String,
}

impl Scope {
    /// The scope of an account and region that came from outside.
    ///
    /// # Errors
    /// [`InvalidScope`] when the account is not twelve digits or the region is not 1 to
    /// [`REGION_LENGTH_MAX`] characters of `a-z`, `0-9` and `-`.
    pub fn parse(account: &str, region: &str) -> Result<Scope, InvalidScope> {
        let is_account = account.len() == ACCOUNT_LENGTH && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_region = (1..=REGION_LENGTH_MAX).contains(&region.len())
            && region
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match (is_account, is_region) {
            (false, _) => Err(InvalidScope::Account),
            (true, false) => Err(InvalidScope::Region),
            (true, true) => Ok(Scope {
                account: account.to_owned(),
                region: region.to_owned(),
            }),
        }
    }
}

/// The scope of callers that name none: `000000000000/us-east-1`.
impl Default for Scope {
    fn default() -> Self {
        Scope {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }
}

/// Prints `account/region`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// Why an account and region are no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// The account is not twelve digits.
    #[error("an account has twelve digits")]
    Account,
    /// The region has other characters than AWS's, none, or too many.
    #[error("a region has 1 to {REGION_LENGTH_MAX} characters of a-z, 0-9 and -")]
    Region,
}

#[cfg(test)]
mod tests {
    use super::{InvalidScope, Scope};

    #[test]
    fn only_twelve_digits_and_a_region_name_are_a_scope() {
        let longest = "a".repeat(32);
        let too_long = "a".repeat(33);
        let rows = [
            ("123456789012", "eu-west-1", None),
            ("000000000000", "x", None),
            ("123456789012", longest.as_str(), None),
            ("123456789012", too_long.as_str(), Some(InvalidScope::Region)),
            ("123456789012", "", Some(InvalidScope::Region)),
            ("123456789012", "EU-WEST-1", Some(InvalidScope::Region)),
            ("123456789012", "eu/west", Some(InvalidScope::Region)),
            ("", "eu-west-1", Some(InvalidScope::Account)),
            ("12345678901", "eu-west-1", Some(InvalidScope::Account)),
            ("1234567890123", "eu-west-1", Some(InvalidScope::Account)),
            ("12345678901x", "eu-west-1", Some(InvalidScope::Account)),
        ];
        for (account, region, refusal) in rows {
            assert_eq!(Scope::parse(account, region).err(), refusal, "{account}/{region}");
        }
    }

    #[test]
    fn a_scope_prints_account_and_region() {
        assert_eq!(Scope::default().to_string(), "000000000000/us-east-1");
    }
}
