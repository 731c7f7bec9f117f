//! Short words for what the suite says.

use std::collections::BTreeMap;

use treenail_proto::{
    glue::v1::{Action, Job, Trigger, Workflow},
    internal::v1::{DeletedPlan, Plan, plan::Subject},
};
use treenail_rpc::Scope;

use crate::{
    kind::{Definition, Kind},
    store::{Change, Changes, Effect, Filter, Row, Store, Version},
};

/// Tags, as they are written in tables.
pub(super) type Tags<'a> = &'a [(&'a str, &'a str)];

pub(super) async fn get<D: Definition>(store: &impl Store, name: &str) -> Option<(Version, D)> {
    let mut found = store
        .definitions::<D>(&Scope::default(), &[name.to_owned()])
        .await
        .unwrap();
    found
        .remove(name)
        .map(|stored| (stored.version, stored.definition.unwrap()))
}

pub(super) async fn names(
    store: &impl Store,
    kind: Kind,
    filter: &Filter,
    after: Option<&str>,
    limit: usize,
) -> Vec<String> {
    store
        .names(&Scope::default(), kind, filter, after, limit)
        .await
        .unwrap()
}

/// Puts a definition whose identity is its name.
pub(super) fn put<D: Definition>(definition: &D, expected: Option<Version>) -> Changes {
    let name = definition.name().to_owned();
    let effect = Effect::Put(Row::new(definition, name.clone(), None));
    Changes {
        rows: vec![Change {
            kind: D::KIND,
            name,
            expected,
            effect,
        }],
        ..Changes::default()
    }
}

pub(super) fn effect_on(workflow: &str, expected: Option<Version>, effect: Effect) -> Changes {
    let change = Change {
        kind: Kind::Workflow,
        name: workflow.to_owned(),
        expected,
        effect,
    };
    Changes {
        rows: vec![change],
        ..Changes::default()
    }
}

pub(super) fn version_of(uid: &str, number: u64) -> Version {
    Version {
        uid: uid.to_owned(),
        number,
    }
}

pub(super) fn workflow(name: &str) -> Workflow {
    Workflow {
        name: Some(name.to_owned()),
        ..Workflow::default()
    }
}

pub(super) fn job(name: &str) -> Job {
    Job {
        name: Some(name.to_owned()),
        ..Job::default()
    }
}

pub(super) fn trigger(name: &str, workflow: Option<&str>, jobs: &[&str]) -> Trigger {
    let action = |job: &&str| Action {
        job_name: Some((*job).to_owned()),
        ..Action::default()
    };
    Trigger {
        name: Some(name.to_owned()),
        workflow_name: workflow.map(str::to_owned),
        actions: jobs.iter().map(action).collect(),
        ..Trigger::default()
    }
}

pub(super) fn plan(name: &str) -> Plan {
    let deleted = DeletedPlan {
        name: name.to_owned(),
        ..DeletedPlan::default()
    };
    Plan {
        subject: Some(Subject::Deleted(deleted)),
        ..Plan::default()
    }
}

pub(super) fn plan_name(plan: &Plan) -> String {
    match &plan.subject {
        Some(Subject::Deleted(deleted)) => deleted.name.clone(),
        other => panic!("an unexpected plan: {other:?}"),
    }
}

pub(super) fn map(entries: Tags<'_>) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}
