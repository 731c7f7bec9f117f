//! Tests about the code itself: the rules of ARCHITECTURE.md and CONTRIBUTING.md that no compiler checks.
//!
//! Holds nothing but tests. Each fails with a sentence that says what to do. Start reading at `layers.rs`.

#[cfg(test)]
mod compatibility;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod protos;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod sources;
