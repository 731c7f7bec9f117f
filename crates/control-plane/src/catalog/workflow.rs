//! Workflows (spec §5).

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{Trigger, Workflow};
use treenail_rpc::{Caller, Scope};

use super::{Catalog, Decision, Found, change, is_same_call};
use crate::{
    codec,
    error::Error,
    kind::Kind,
    plan, rules,
    store::{Changes, Effect, Row, Store},
};

impl<S: Store> Catalog<S> {
    pub(crate) async fn create_workflow(
        &self,
        caller: &Caller,
        workflow: Workflow,
        tags: BTreeMap<String, String>,
    ) -> Result<String, Error> {
        rules::workflow::check(&workflow)?;
        rules::tag::check(&tags)?;
        let name = workflow.name.clone().unwrap_or_default();
        let decide = || async {
            if let Some(stored) = self.stored::<Workflow>(&caller.scope, &name).await? {
                return match is_same_call(caller, &stored) {
                    true => Ok(Decision::Answer(name.clone())),
                    false => Err(Error::WorkflowExists(name.clone())),
                };
            }
            self.check_quota(&caller.scope, Kind::Workflow, self.quotas.workflows)
                .await?;
            let now = Some(codec::now(&self.clock));
            let workflow = Workflow {
                created_on: now,
                last_modified_on: now,
                ..workflow.clone()
            };
            let row = self.new_row(caller, &workflow, &tags);
            let plans = vec![plan::workflow(
                &caller.scope,
                row.uid.clone(),
                workflow,
                BTreeMap::new(),
            )];
            let rows = vec![change(Kind::Workflow, &name, None, Effect::Put(row))];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Workflow, &name, decide).await
    }

    pub(crate) async fn update_workflow(&self, caller: &Caller, update: Workflow) -> Result<String, Error> {
        rules::workflow::check(&update)?;
        let name = update.name.clone().unwrap_or_default();
        let decide = || async {
            let found = self
                .find::<Workflow>(&caller.scope, &name)
                .await?
                .ok_or(Error::WorkflowNotFound)?;
            let Found { version, definition } = found;
            let now = Some(codec::now(&self.clock));
            let workflow = Workflow {
                created_on: definition.created_on,
                last_modified_on: now,
                ..update.clone()
            };
            let row = Row::new(&workflow, version.uid.clone(), caller.invocation.clone());
            let triggers = self.triggers_of(&caller.scope, &name).await?;
            let plans = vec![plan::workflow(&caller.scope, version.uid.clone(), workflow, triggers)];
            let rows = vec![change(Kind::Workflow, &name, Some(version), Effect::Put(row))];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Workflow, &name, decide).await
    }

    /// Deletes a workflow with its triggers; its jobs and crawlers stay (spec U19).
    pub(crate) async fn delete_workflow(&self, caller: &Caller, name: String) -> Result<String, Error> {
        let decide = || async {
            let Some(stored) = self.stored::<Workflow>(&caller.scope, &name).await? else {
                return Ok(Decision::Answer(name.clone()));
            };
            let uid = stored.version.uid.clone();
            let triggers = self.store.triggers_of(&caller.scope, &name).await?;
            let mut rows = vec![change(Kind::Workflow, &name, Some(stored.version), Effect::Delete)];
            rows.extend(
                triggers
                    .into_iter()
                    .map(|(trigger, stored)| change(Kind::Trigger, &trigger, Some(stored.version), Effect::Delete)),
            );
            let plans = vec![plan::deleted(&caller.scope, uid, Kind::Workflow, name.clone())];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Workflow, &name, decide).await
    }

    pub(crate) async fn workflow(&self, caller: &Caller, name: &str, has_graph: bool) -> Result<Workflow, Error> {
        let found = self.find(&caller.scope, name).await?.ok_or(Error::WorkflowNotFound)?;
        let mut workflows = self.described(caller, vec![found.definition], has_graph).await?;
        workflows.pop().ok_or(Error::WorkflowNotFound)
    }

    /// Gets the workflows that exist, and the names of those that do not.
    pub(crate) async fn workflows(
        &self,
        caller: &Caller,
        names: Vec<String>,
        has_graph: bool,
    ) -> Result<(Vec<Workflow>, Vec<String>), Error> {
        let (workflows, missing) = self.batch(&caller.scope, names).await?;
        Ok((self.described(caller, workflows, has_graph).await?, missing))
    }

    /// The triggers of a workflow; those that cannot be decoded are left out, as the store has logged.
    pub(super) async fn triggers_of(&self, scope: &Scope, workflow: &str) -> Result<BTreeMap<String, Trigger>, Error> {
        let stored = self.store.triggers_of(scope, workflow).await?;
        Ok(stored
            .into_iter()
            .filter_map(|(name, stored)| Some((name, stored.definition.ok()?)))
            .collect())
    }

    /// Adds to workflows what is not kept with them: the last runs, and the graphs if they are wanted.
    async fn described(
        &self,
        caller: &Caller,
        mut workflows: Vec<Workflow>,
        has_graph: bool,
    ) -> Result<Vec<Workflow>, Error> {
        if has_graph {
            for workflow in &mut workflows {
                let name = workflow.name.as_deref().unwrap_or_default();
                let triggers = self.triggers_of(&caller.scope, name).await?;
                workflow.graph = Some(plan::graph(&caller.scope, name, &triggers));
            }
        }
        if workflows.is_empty() {
            return Ok(workflows);
        }
        let names: Vec<String> = workflows.iter().filter_map(|workflow| workflow.name.clone()).collect();
        match self.scheduler.last_runs(caller, names, has_graph).await {
            Ok(runs) => {
                let mut runs: BTreeMap<_, _> = runs.into_iter().map(|run| (run.name.clone(), run)).collect();
                for workflow in &mut workflows {
                    workflow.last_run = runs.remove(&workflow.name);
                }
            }
            // A definition can be read while nothing runs.
            Err(error) => tracing::warn!(%error, "workflows are answered without their last runs"),
        }
        Ok(workflows)
    }
}
