//! Between the messages of the contract and the words of this service.

use std::collections::BTreeMap;

use treenail_proto::{
    glue::v1::{GetWorkflowRunPropertiesRequest, GetWorkflowRunPropertiesResponse, PutWorkflowRunPropertiesRequest},
    internal::v1::{self, BatchGetRunPropertiesResponse, SeedRunPropertiesRequest},
};
use treenail_rpc::{Caller, Scope};

use crate::{
    error::Error,
    properties::{Properties, Put, Run, RunKey, Seed},
    recent::Fingerprint,
};

/// The most runs that one call of the run-scheduler may name.
const RUNS_PER_CALL_MAX: usize = 1_000;

/// The run that a get names, and its workflow.
pub(crate) fn get(scope: Scope, request: GetWorkflowRunPropertiesRequest) -> Result<(RunKey, String), Error> {
    let run = RunKey {
        scope,
        run_id: required("runId", request.run_id)?,
    };
    Ok((run, required("name", request.name)?))
}

/// The answer to a get.
pub(crate) fn got(run: Run) -> GetWorkflowRunPropertiesResponse {
    GetWorkflowRunPropertiesResponse {
        run_properties: run.properties,
    }
}

/// What a put asks for.
pub(crate) fn put(caller: Caller, request: PutWorkflowRunPropertiesRequest) -> Result<Put, Error> {
    Ok(Put {
        run: RunKey {
            scope: caller.scope,
            run_id: required("runId", request.run_id)?,
        },
        call: caller.invocation.as_deref().map(Fingerprint::of),
        workflow: required("name", request.name)?,
        properties: request.run_properties,
    })
}

/// The seeds of a request, which may be of several scopes.
pub(crate) fn seeds(request: SeedRunPropertiesRequest) -> Result<Vec<Seed>, Error> {
    limited("seeds", &request.seeds)?;
    request.seeds.into_iter().map(Seed::try_from).collect()
}

impl TryFrom<v1::Seed> for Seed {
    type Error = Error;

    fn try_from(seed: v1::Seed) -> Result<Self, Error> {
        let scope =
            Scope::parse(&seed.account, &seed.region).map_err(|error| Error::InvalidRequest(error.to_string()))?;
        Ok(Seed {
            run: RunKey {
                scope,
                run_id: required("run_id", Some(seed.run_id))?,
            },
            workflow: required("workflow_name", Some(seed.workflow_name))?,
            copy_from_run_id: Some(seed.copy_from_run_id).filter(|run_id| !run_id.is_empty()),
            properties: seed.properties,
        })
    }
}

/// The runs that a request names.
pub(crate) fn run_ids(run_ids: Vec<String>) -> Result<Vec<String>, Error> {
    limited("run_ids", &run_ids)?;
    Ok(run_ids)
}

/// The answer to a get of many.
pub(crate) fn got_many(runs: BTreeMap<String, Properties>) -> BatchGetRunPropertiesResponse {
    let runs = runs
        .into_iter()
        .map(|(run_id, properties)| (run_id, v1::RunProperties { properties }));
    BatchGetRunPropertiesResponse { runs: runs.collect() }
}

fn required(name: &str, value: Option<String>) -> Result<String, Error> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Error::InvalidRequest(format!("{name} must not be empty")))
}

fn limited<T>(name: &str, list: &[T]) -> Result<(), Error> {
    if list.len() <= RUNS_PER_CALL_MAX {
        return Ok(());
    }
    Err(Error::InvalidRequest(format!(
        "{name} may have at most {RUNS_PER_CALL_MAX} members"
    )))
}
