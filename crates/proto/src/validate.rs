//! Checks a request against the constraints in the proto files and reports what is wrong in AWS's words.
//!
//! AWS checks shapes before anything else and reports all that it finds in one `ValidationException`.
//! The rules of every message are compiled once; a request that meets them costs a walk over its fields.

mod pattern;
mod table;
mod violation;
mod walk;

pub use violation::{VALUE_CHARACTERS_MAX, VIOLATIONS_MAX, Violation, message};

use prost_reflect::DynamicMessage;

/// Finds the constraints that a request breaks, in the order of its fields; at most [`VIOLATIONS_MAX`].
///
/// A list or map that is required may be empty: protobuf cannot tell empty from absent, and AWS accepts empty ones
/// wherever no smallest size is set. An enum's zero value counts as not set.
pub fn violations(request: &DynamicMessage) -> Vec<Violation> {
    let mut found = Vec::new();
    walk::message(request, &walk::Path::root(), &mut found);
    found
}
