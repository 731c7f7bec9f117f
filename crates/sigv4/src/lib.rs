//! Signature Version 4, pure: what a request's signature claims, whether it is right, and how to make one.
//!
//! A verifier goes in two steps, because between them it looks up the secret: [`Claim::of`] reads what a request says of
//! itself and refuses what has no form; [`Claim::verify`] recomputes the signature and compares in constant time.
//!
//! Source of all rules: `AWS General Reference: Signature Version 4`.

mod canonical;
mod claim;
mod error;
mod job;
mod secret;
mod sign;
mod time;

pub use canonical::Request;
pub use claim::Claim;
pub use error::Error;
pub use job::{JobIdentity, JobKey};
pub use secret::SecretKey;
pub use sign::{Signed, Signer, hex_sha256};
