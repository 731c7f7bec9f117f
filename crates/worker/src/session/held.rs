//! The tasks that a worker holds, from their assignment until their outcome is acknowledged.

use std::collections::BTreeMap;

use tokio::task::Id;
use tokio_util::sync::CancellationToken;
use treenail_proto::worker::v1::{HeldTask, Outcome, Task, TaskDeclined, TaskFinished, TaskStarted, work_request};

/// One hand-out of a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The task.
    pub(super) task_id: String,
    /// The token of this hand-out.
    pub(super) token: u64,
}

impl Key {
    /// The hand-out that a task came with.
    pub(super) fn of(task: &Task) -> Key {
        Key {
            task_id: task.task_id.clone(),
            token: task.token,
        }
    }

    /// Says that the process runs.
    pub(super) fn started(&self) -> work_request::Message {
        work_request::Message::Started(TaskStarted {
            task_id: self.task_id.clone(),
            token: self.token,
        })
    }

    /// Says that the task is not taken.
    pub(super) fn declined(&self) -> work_request::Message {
        work_request::Message::Declined(TaskDeclined {
            task_id: self.task_id.clone(),
            token: self.token,
        })
    }

    /// Says how the task ended.
    pub(super) fn finished(&self, outcome: Outcome) -> work_request::Message {
        work_request::Message::Finished(TaskFinished {
            task_id: self.task_id.clone(),
            token: self.token,
            outcome: Some(outcome),
        })
    }
}

/// A task that is held.
#[derive(Debug)]
pub(super) struct Held {
    /// Kills it.
    pub(super) cancel: CancellationToken,
    is_started: bool,
    outcome: Option<Outcome>,
    /// What executes it in this process.
    executed_by: Option<Id>,
}

/// All tasks that are held.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<Key, Held>,
}

impl Tasks {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// A task that is held.
    pub(super) fn get(&self, key: &Key) -> Option<&Held> {
        self.tasks.get(key)
    }

    /// Holds a task from now on; gives back what ends it.
    pub(super) fn take(&mut self, key: Key) -> CancellationToken {
        let cancel = CancellationToken::new();
        let held = Held {
            cancel: cancel.clone(),
            is_started: false,
            outcome: None,
            executed_by: None,
        };
        self.tasks.insert(key, held);
        cancel
    }

    /// Notes what executes a task in this process.
    pub(super) fn attach(&mut self, key: &Key, executed_by: Id) {
        if let Some(held) = self.tasks.get_mut(key) {
            held.executed_by = Some(executed_by);
        }
    }

    /// The task that something executes.
    pub(super) fn attached(&self, executed_by: Id) -> Option<Key> {
        let is_it = |held: &Held| held.executed_by == Some(executed_by);
        let found = self.tasks.iter().find(|(_, held)| is_it(held));
        found.map(|(key, _)| key.clone())
    }

    /// Notes that a process runs; answers whether its task is still held.
    pub(super) fn start(&mut self, key: &Key) -> bool {
        let held = self.tasks.get_mut(key);
        held.map(|held| held.is_started = true).is_some()
    }

    /// Notes how a task ended; answers whether it is still held.
    pub(super) fn end(&mut self, key: &Key, outcome: Outcome) -> bool {
        let held = self.tasks.get_mut(key);
        held.map(|held| held.outcome = Some(outcome)).is_some()
    }

    /// The outcome need not be said again. Whatever was not said yet is not acknowledged by this; answers whether it was.
    pub(super) fn acknowledge(&mut self, key: &Key) -> bool {
        let is_said = self.tasks.get(key).is_some_and(|held| held.outcome.is_some());
        if is_said {
            self.tasks.remove(key);
        }
        is_said
    }

    /// Asks all tasks to end.
    pub(super) fn cancel_all(&self) {
        for held in self.tasks.values() {
            held.cancel.cancel();
        }
    }

    /// Never speaks of the tasks again, and lets them run.
    pub(super) fn leave_all(&mut self) {
        self.tasks.clear();
    }

    /// Asks all tasks to end and never speaks of them again; gives back what they were.
    pub(super) fn forget_all(&mut self) -> Vec<Key> {
        self.cancel_all();
        std::mem::take(&mut self.tasks).into_keys().collect()
    }

    /// All tasks, as a new stream names them.
    pub(super) fn named(&self) -> Vec<HeldTask> {
        let name = |(key, held): (&Key, &Held)| HeldTask {
            task_id: key.task_id.clone(),
            token: key.token,
            started: held.is_started,
        };
        self.tasks.iter().map(name).collect()
    }

    /// The tasks whose processes run.
    pub(super) fn started(&self) -> Vec<Key> {
        let runs = |held: &Held| held.is_started && held.outcome.is_none();
        let running = self.tasks.iter().filter(|(_, held)| runs(held));
        running.map(|(key, _)| key.clone()).collect()
    }

    /// The outcomes that nobody acknowledged.
    pub(super) fn outcomes(&self) -> Vec<(Key, Outcome)> {
        let ended = |(key, held): (&Key, &Held)| Some((key.clone(), held.outcome.clone()?));
        self.tasks.iter().filter_map(ended).collect()
    }
}
