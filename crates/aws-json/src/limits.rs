//! The limits of the transcoder, each with its reason.

/// How deep a request may nest objects and lists. AWS's own requests nest less than ten deep.
pub const DEPTH_MAX: usize = 50;

/// How many tokens (member names, values, beginnings of objects and lists) a request may have.
///
/// A body of 4 MiB in ordinary use has fewer than 200,000; one of nothing but `[]` has two million.
pub const TOKENS_MAX: usize = 500_000;

/// How many unknown enum values of one request are reported; the others are known to be there, which is enough.
pub const UNKNOWN_ENUMS_MAX: usize = 100;

/// How deep an answer may nest messages; as many as prost decodes.
pub const ANSWER_DEPTH_MAX: usize = 100;

/// What one request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep it may nest objects and lists; more than 127 have no effect, because the JSON reader stops there.
    pub depth_max: usize,
    /// How many tokens it may have.
    pub tokens_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth_max: DEPTH_MAX,
            tokens_max: TOKENS_MAX,
        }
    }
}
