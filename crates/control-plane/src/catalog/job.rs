//! Jobs (spec §8).

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{Job, JobUpdate};
use treenail_rpc::Caller;

use super::{Catalog, Decision, Found, change, found, is_same_call};
use crate::{
    codec,
    error::Error,
    kind::Kind,
    plan, rules,
    store::{Changes, Effect, Row, Store, Stored},
};

impl<S: Store> Catalog<S> {
    pub(crate) async fn create_job(
        &self,
        caller: &Caller,
        mut job: Job,
        tags: BTreeMap<String, String>,
    ) -> Result<String, Error> {
        rules::job::check(&job)?;
        rules::tag::check(&tags)?;
        rules::job::fill(&mut job);
        let name = job.name.clone().unwrap_or_default();
        let decide = || async {
            if let Some(stored) = self.stored::<Job>(&caller.scope, &name).await? {
                self.check_job_repetition(caller, stored, &job, &tags).await?;
                return Ok(Decision::Answer(name.clone()));
            }
            self.check_quota(&caller.scope, Kind::Job, self.quotas.jobs).await?;
            let now = Some(codec::now(&self.clock));
            let job = Job {
                created_on: now,
                last_modified_on: now,
                ..job.clone()
            };
            let row = self.new_row(caller, &job, &tags);
            let plans = vec![plan::job(&caller.scope, row.uid.clone(), job)];
            let rows = vec![change(Kind::Job, &name, None, Effect::Put(row))];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Job, &name, decide).await
    }

    /// Replaces a job's definition; only the Glue version stays when none is given (`Glue API: UpdateJob`).
    pub(crate) async fn update_job(&self, caller: &Caller, name: String, update: JobUpdate) -> Result<String, Error> {
        let decide = || async {
            let found = self.find::<Job>(&caller.scope, &name).await?;
            let Found { version, definition } = found.ok_or_else(|| Error::JobNotFound(name.clone()))?;
            let mut job = codec::updated_job(name.clone(), update.clone());
            rules::job::check(&job)?;
            job.glue_version = job.glue_version.or(definition.glue_version);
            rules::job::fill(&mut job);
            job.created_on = definition.created_on;
            job.last_modified_on = Some(codec::now(&self.clock));
            let row = Row::new(&job, version.uid.clone(), caller.invocation.clone());
            let plans = vec![plan::job(&caller.scope, version.uid.clone(), job)];
            let rows = vec![change(Kind::Job, &name, Some(version), Effect::Put(row))];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Job, &name, decide).await
    }

    pub(crate) async fn delete_job(&self, caller: &Caller, name: String) -> Result<String, Error> {
        let decide = || async {
            let Some(stored) = self.stored::<Job>(&caller.scope, &name).await? else {
                return Ok(Decision::Answer(name.clone()));
            };
            let plans = vec![plan::deleted(
                &caller.scope,
                stored.version.uid.clone(),
                Kind::Job,
                name.clone(),
            )];
            let rows = vec![change(Kind::Job, &name, Some(stored.version), Effect::Delete)];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans,
                },
                name.clone(),
            ))
        };
        self.change(Kind::Job, &name, decide).await
    }

    pub(crate) async fn job(&self, caller: &Caller, name: &str) -> Result<Job, Error> {
        let found = self.find(&caller.scope, name).await?;
        Ok(found.ok_or_else(|| Error::JobNotFound(name.to_owned()))?.definition)
    }

    /// Gets the jobs that exist, and the names of those that do not.
    pub(crate) async fn jobs(&self, caller: &Caller, names: Vec<String>) -> Result<(Vec<Job>, Vec<String>), Error> {
        self.batch(&caller.scope, names).await
    }

    /// Lets a CreateJob through that asks for what is there already, and no other.
    async fn check_job_repetition(
        &self,
        caller: &Caller,
        stored: Stored<Job>,
        wanted: &Job,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        if is_same_call(caller, &stored) {
            return Ok(());
        }
        let name = wanted.name.clone().unwrap_or_default();
        let Found {
            definition: present, ..
        } = found(&name, stored)?;
        let present_tags = self.store.tags(&caller.scope, Kind::Job, &name).await?;
        let is_same = Job {
            created_on: None,
            last_modified_on: None,
            ..present
        } == *wanted;
        let has_tags = present_tags.is_some_and(|present| present.tags == *tags);
        if is_same && has_tags {
            Ok(())
        } else {
            Err(Error::JobDiffers(name))
        }
    }
}
