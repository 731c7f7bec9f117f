//! Triggers (spec §4).

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{Trigger, TriggerState, TriggerUpdate, Workflow};
use treenail_rpc::{Caller, Scope};

use super::{Catalog, Decision, Found, change, found, is_same_call};
use crate::{
    codec,
    error::Error,
    kind::Kind,
    plan, rules,
    store::{Changes, Effect, Row, Store, Stored, Version},
};

/// What StartTrigger came to.
enum Started {
    Activated,
    /// It is to be fired, in this workflow if it belongs to one.
    ToFire(Option<String>),
}

impl<S: Store> Catalog<S> {
    pub(crate) async fn create_trigger(
        &self,
        caller: &Caller,
        mut trigger: Trigger,
        is_started: bool,
        tags: BTreeMap<String, String>,
    ) -> Result<String, Error> {
        trigger.set_state(rules::trigger::initial_state(trigger.r#type(), is_started)?);
        rules::trigger::normalize(&mut trigger);
        rules::trigger::check(&trigger, &self.quotas)?;
        rules::tag::check(&tags)?;
        let name = trigger.name.clone().unwrap_or_default();
        let decide = || async {
            if let Some(stored) = self.stored::<Trigger>(&caller.scope, &name).await? {
                self.check_repetition(caller, stored, &trigger, &tags).await?;
                return Ok(Decision::Answer(name.clone()));
            }
            self.check_quota(&caller.scope, Kind::Trigger, self.quotas.triggers)
                .await?;
            let row = self.new_row(caller, &trigger, &tags);
            let uid = row.uid.clone();
            let mut changes = self.with_plan(caller, &trigger, uid, Standing::Present).await?;
            changes.rows.push(change(Kind::Trigger, &name, None, Effect::Put(row)));
            Ok(Decision::Commit(changes, name.clone()))
        };
        self.change(Kind::Trigger, &name, decide).await
    }

    pub(crate) async fn update_trigger(
        &self,
        caller: &Caller,
        name: String,
        update: TriggerUpdate,
    ) -> Result<Trigger, Error> {
        let decide = || async {
            let Found { version, definition } = self.find_trigger(&caller.scope, &name).await?;
            let mut trigger = codec::updated_trigger(definition, update.clone());
            rules::trigger::normalize(&mut trigger);
            rules::trigger::check(&trigger, &self.quotas)?;
            let changes = self.replaced(caller, version, &trigger).await?;
            Ok(Decision::Commit(changes, trigger))
        };
        self.change(Kind::Trigger, &name, decide).await
    }

    pub(crate) async fn delete_trigger(&self, caller: &Caller, name: String) -> Result<String, Error> {
        let decide = || async {
            let Some(stored) = self.stored::<Trigger>(&caller.scope, &name).await? else {
                return Ok(Decision::Answer(name.clone()));
            };
            let uid = stored.version.uid.clone();
            // Of one that cannot be decoded nobody knows the workflow; its plans have been without it since.
            let gone = stored.definition.unwrap_or_else(|_| Trigger {
                name: Some(name.clone()),
                ..Trigger::default()
            });
            let mut changes = self.with_plan(caller, &gone, uid, Standing::Gone).await?;
            changes
                .rows
                .push(change(Kind::Trigger, &name, Some(stored.version), Effect::Delete));
            Ok(Decision::Commit(changes, name.clone()))
        };
        self.change(Kind::Trigger, &name, decide).await
    }

    pub(crate) async fn trigger(&self, caller: &Caller, name: &str) -> Result<Trigger, Error> {
        Ok(self.find_trigger(&caller.scope, name).await?.definition)
    }

    /// Gets the triggers that exist, and the names of those that do not.
    pub(crate) async fn triggers(
        &self,
        caller: &Caller,
        names: Vec<String>,
    ) -> Result<(Vec<Trigger>, Vec<String>), Error> {
        self.batch(&caller.scope, names).await
    }

    /// Activates a trigger, or fires one that is fired by hand.
    pub(crate) async fn start_trigger(&self, caller: &Caller, name: String) -> Result<String, Error> {
        let decide = || async {
            let stored = self.stored::<Trigger>(&caller.scope, &name).await?;
            let stored = stored.ok_or_else(|| Error::TriggerNotFound(name.clone()))?;
            let is_repeated = is_same_call(caller, &stored);
            let Found {
                version,
                definition: mut trigger,
            } = found(&name, stored)?;
            if is_repeated && trigger.state() == TriggerState::Activated {
                return Ok(Decision::Answer(Started::Activated));
            }
            match rules::trigger::start(&trigger)? {
                rules::trigger::Start::Fire => Ok(Decision::Answer(Started::ToFire(trigger.workflow_name))),
                rules::trigger::Start::Activate => {
                    trigger.set_state(TriggerState::Activated);
                    let changes = self.replaced(caller, version, &trigger).await?;
                    Ok(Decision::Commit(changes, Started::Activated))
                }
            }
        };
        match self.change(Kind::Trigger, &name, decide).await? {
            Started::Activated => Ok(name),
            Started::ToFire(workflow) => {
                // The scheduler has to know what was defined just before.
                self.outbox.wait_for_all().await;
                self.scheduler
                    .fire(caller, name.clone(), workflow)
                    .await
                    .map_err(Error::Scheduler)?;
                Ok(name)
            }
        }
    }

    pub(crate) async fn stop_trigger(&self, caller: &Caller, name: String) -> Result<String, Error> {
        let decide = || async {
            let stored = self.stored::<Trigger>(&caller.scope, &name).await?;
            let stored = stored.ok_or_else(|| Error::TriggerNotFound(name.clone()))?;
            let is_repeated = is_same_call(caller, &stored);
            let Found {
                version,
                definition: mut trigger,
            } = found(&name, stored)?;
            if is_repeated && trigger.state() == TriggerState::Deactivated {
                return Ok(Decision::Answer(name.clone()));
            }
            rules::trigger::stop(&trigger)?;
            trigger.set_state(TriggerState::Deactivated);
            let changes = self.replaced(caller, version, &trigger).await?;
            Ok(Decision::Commit(changes, name.clone()))
        };
        self.change(Kind::Trigger, &name, decide).await
    }

    async fn find_trigger(&self, scope: &Scope, name: &str) -> Result<Found<Trigger>, Error> {
        self.find(scope, name)
            .await?
            .ok_or_else(|| Error::TriggerNotFound(name.to_owned()))
    }

    /// Lets a CreateTrigger through that asks for what is there already, and no other.
    async fn check_repetition(
        &self,
        caller: &Caller,
        stored: Stored<Trigger>,
        wanted: &Trigger,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        if is_same_call(caller, &stored) {
            return Ok(());
        }
        let name = wanted.name.clone().unwrap_or_default();
        let Found {
            definition: present, ..
        } = found(&name, stored)?;
        let present_tags = self.store.tags(&caller.scope, Kind::Trigger, &name).await?;
        // Since its creation it may have been started, which is no difference; one that should be active has to be.
        let has_state = wanted.state() != TriggerState::Activated || present.state() == TriggerState::Activated;
        let is_same = Trigger { state: None, ..present }
            == Trigger {
                state: None,
                ..wanted.clone()
            };
        let has_tags = present_tags.is_some_and(|present| present.tags == *tags);
        if has_state && is_same && has_tags {
            Ok(())
        } else {
            Err(Error::TriggerDiffers(name))
        }
    }

    /// The changes that replace a trigger that exists.
    async fn replaced(&self, caller: &Caller, version: Version, trigger: &Trigger) -> Result<Changes, Error> {
        let row = Row::new(trigger, version.uid.clone(), caller.invocation.clone());
        let mut changes = self
            .with_plan(caller, trigger, version.uid.clone(), Standing::Present)
            .await?;
        let name = trigger.name.as_deref().unwrap_or_default();
        changes
            .rows
            .push(change(Kind::Trigger, name, Some(version), Effect::Put(row)));
        Ok(changes)
    }

    /// The plan that follows from a trigger's new definition or its end, and the rows that it was decided on.
    ///
    /// A workflow's plan holds all its triggers. So that two of them are not changed past each other, each change
    /// moves the workflow's version on.
    async fn with_plan(
        &self,
        caller: &Caller,
        trigger: &Trigger,
        uid: String,
        standing: Standing,
    ) -> Result<Changes, Error> {
        let scope = &caller.scope;
        let mut changes = Changes {
            scope: scope.clone(),
            ..Changes::default()
        };
        let name = trigger.name.clone().unwrap_or_default();
        let Some(workflow_name) = &trigger.workflow_name else {
            changes.plans.push(match standing {
                Standing::Present => plan::trigger(scope, uid, trigger.clone()),
                Standing::Gone => plan::deleted(scope, uid, Kind::Trigger, name),
            });
            return Ok(changes);
        };
        let workflow = self
            .find::<Workflow>(scope, workflow_name)
            .await?
            .ok_or(Error::WorkflowNotFound)?;
        let mut triggers = self.triggers_of(scope, workflow_name).await?;
        triggers.remove(&name);
        match standing {
            Standing::Present => {
                check_start(workflow_name, trigger, &triggers)?;
                triggers.insert(name, trigger.clone());
            }
            Standing::Gone => {}
        }
        let Found { version, definition } = workflow;
        changes
            .plans
            .push(plan::workflow(scope, version.uid.clone(), definition, triggers));
        changes
            .rows
            .push(change(Kind::Workflow, workflow_name, Some(version), Effect::Touch));
        Ok(changes)
    }
}

/// Whether a trigger is there after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Present,
    Gone,
}

/// Refuses a second trigger that starts a workflow (spec U12).
fn check_start(workflow: &str, trigger: &Trigger, others: &BTreeMap<String, Trigger>) -> Result<(), Error> {
    if !rules::trigger::is_start(trigger) {
        return Ok(());
    }
    match others.iter().find(|(_, other)| rules::trigger::is_start(other)) {
        Some((other, _)) => Err(Error::invalid(format!(
            "Workflow {workflow} already has a starting trigger {other}"
        ))),
        None => Ok(()),
    }
}
