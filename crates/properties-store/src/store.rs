//! Where properties are kept: the trait, and what keeps them.

use std::{collections::BTreeMap, future::Future};

use treenail_rpc::Scope;

use crate::{
    error::Error,
    properties::{Limits, Properties, Put, Run, RunKey, Seed},
};

pub mod memory;
pub mod sqlite;

#[cfg(test)]
mod suite;

/// Keeps the properties of runs.
///
/// Every write is atomic and durable when it is answered. Calls take effect one after another, each at some instant
/// between its call and its answer (linearizable): of two puts of one key the one answered last has won, and a get sees
/// every put that was answered before it. When a write fails with [`Error::Store`], it may have taken effect or not.
pub trait Store: Send + Sync + 'static {
    /// Gives runs their first properties: all of them or none.
    ///
    /// The seeds are taken in their order, so that one may copy from a run that was seeded just before. A run that was
    /// given properties before keeps them as they are. An unknown run to copy from counts as having none.
    fn seed(&self, seeds: Vec<Seed>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Gets a run as it is now; `None` when it was given no properties.
    fn get(&self, run: &RunKey) -> impl Future<Output = Result<Option<Run>, Error>> + Send;

    /// Gets the properties of several runs of a scope at one instant; runs that were given none are left out.
    fn get_many(
        &self,
        scope: &Scope,
        run_ids: Vec<String>,
    ) -> impl Future<Output = Result<BTreeMap<String, Properties>, Error>> + Send;

    /// Lays properties over those of a run, unless the same call was one of the last that did so.
    ///
    /// # Errors
    /// [`Error::RunNotFound`] when the run was given no properties or is of another workflow, [`Error::TooLarge`] when
    /// it would have more than the limits allow; either changes nothing.
    fn put(&self, put: Put, limits: Limits) -> impl Future<Output = Result<(), Error>> + Send;

    /// Forgets runs of a scope; those that were given no properties are skipped.
    fn forget(&self, scope: &Scope, run_ids: Vec<String>) -> impl Future<Output = Result<(), Error>> + Send;
}
