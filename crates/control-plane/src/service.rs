//! The gRPC services: each call is read, handed to the catalog, and answered.

mod clock;
mod job;
mod tag;
mod trigger;
mod workflow;

use std::sync::Arc;

use tonic::Request;
use treenail_rpc::Caller;

use crate::{catalog::Catalog, error::Error};

/// All services of the control-plane, over one catalog.
#[derive(Debug)]
pub(crate) struct Services<S> {
    catalog: Arc<Catalog<S>>,
}

impl<S> Services<S> {
    pub(crate) fn new(catalog: Catalog<S>) -> Services<S> {
        Services {
            catalog: Arc::new(catalog),
        }
    }
}

impl<S> Clone for Services<S> {
    fn clone(&self) -> Self {
        Services {
            catalog: Arc::clone(&self.catalog),
        }
    }
}

/// Takes a request apart: who calls, and what they want.
fn open<T>(request: Request<T>) -> Result<(Caller, T), Error> {
    let caller = Caller::from_request(&request).map_err(Error::Caller)?;
    Ok((caller, request.into_inner()))
}
