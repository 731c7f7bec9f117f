//! The workers, their free slots, and the tasks that wait for one.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use treenail_planted::{Bug, is_planted};

/// The id of a worker: what it calls itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// Names a worker.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches tasks with workers: first come, first served; the worker with the most free slots first.
///
/// `T` names a task. A task is in the pool once: either it waits, or one worker holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool<T: Ord> {
    workers: BTreeMap<WorkerId, Worker<T>>,
    /// The connected workers with free slots, by how many.
    free: BTreeSet<(u32, WorkerId)>,
    /// The sum of those.
    free_slots: u64,
    waiting: VecDeque<T>,
    withdrawn: BTreeSet<T>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Worker<T: Ord> {
    slots: u32,
    is_connected: bool,
    held: BTreeSet<T>,
}

impl<T: Ord> Worker<T> {
    fn free_slots(&self) -> u32 {
        let held = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        if self.is_connected {
            self.slots.saturating_sub(held)
        } else {
            0
        }
    }
}

impl<T: Ord + Clone> Default for Pool<T> {
    fn default() -> Self {
        Self {
            workers: BTreeMap::new(),
            free: BTreeSet::new(),
            free_slots: 0,
            waiting: VecDeque::new(),
            withdrawn: BTreeSet::new(),
        }
    }
}

impl<T: Ord + Clone> Pool<T> {
    /// Lets a task wait for a worker.
    pub fn enqueue(&mut self, task: T) {
        // A task that was withdrawn and comes back keeps its old place: one entry in the queue, as before.
        if !self.withdrawn.remove(&task) {
            self.waiting.push_back(task);
        }
    }

    /// Takes a waiting task out of the queue.
    pub fn withdraw(&mut self, task: &T) {
        // Cheaper than searching the queue: it is skipped when its turn comes.
        self.withdrawn.insert(task.clone());
    }

    /// Says that a worker is there and has so many slots.
    pub fn connect(&mut self, id: &WorkerId, slots: u32) {
        self.change(id, |worker| {
            worker.slots = slots;
            worker.is_connected = true;
        });
    }

    /// Says that a worker cannot be reached: it keeps what it holds and gets nothing more.
    pub fn disconnect(&mut self, id: &WorkerId) {
        self.change(id, |worker| worker.is_connected = false);
    }

    /// Forgets a worker.
    pub fn remove(&mut self, id: &WorkerId) {
        self.change(id, |worker| worker.is_connected = false);
        self.workers.remove(id);
    }

    /// Says that a worker holds a task, as it is found in the store.
    pub fn hold(&mut self, id: &WorkerId, task: T) {
        self.change(id, |worker| {
            worker.held.insert(task);
        });
    }

    /// Says that a worker no longer holds a task.
    pub fn release(&mut self, id: &WorkerId, task: &T) {
        self.change(id, |worker| {
            if !is_planted(Bug::LeakedWorkerSlot) {
                worker.held.remove(task);
            }
        });
    }

    /// The tasks that a worker holds.
    pub fn held(&self, id: &WorkerId) -> impl Iterator<Item = &T> {
        self.workers.get(id).into_iter().flat_map(|worker| &worker.held)
    }

    /// Whether a worker is connected.
    #[must_use]
    pub fn is_connected(&self, id: &WorkerId) -> bool {
        self.workers.get(id).is_some_and(|worker| worker.is_connected)
    }

    /// The workers that hold tasks and are not connected.
    pub fn absent(&self) -> impl Iterator<Item = &WorkerId> {
        self.workers
            .iter()
            .filter(|(_, worker)| !worker.is_connected && !worker.held.is_empty())
            .map(|(id, _)| id)
    }

    /// How many tasks wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len() - self.withdrawn.len()
    }

    /// The task that waits longest.
    pub fn oldest(&self) -> Option<&T> {
        self.waiting.iter().find(|task| !self.withdrawn.contains(task))
    }

    /// How many slots of connected workers are free.
    #[must_use]
    pub fn free_slots(&self) -> u64 {
        self.free_slots
    }

    /// Gives the next waiting task to a worker.
    pub fn assign(&mut self) -> Option<(T, WorkerId)> {
        let (_, worker) = self.free.last().cloned()?;
        while let Some(task) = self.waiting.pop_front() {
            if !self.withdrawn.remove(&task) {
                self.hold(&worker, task.clone());
                return Some((task, worker));
            }
        }
        None
    }

    fn change(&mut self, id: &WorkerId, change: impl FnOnce(&mut Worker<T>)) {
        let worker = self.workers.entry(id.clone()).or_insert_with(|| Worker {
            slots: 0,
            is_connected: false,
            held: BTreeSet::new(),
        });
        let before = worker.free_slots();
        self.free.remove(&(before, id.clone()));
        change(worker);
        let after = worker.free_slots();
        if after > 0 {
            self.free.insert((after, id.clone()));
        }
        self.free_slots = self.free_slots - u64::from(before) + u64::from(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name)
    }

    #[test]
    fn tasks_go_out_in_order_to_the_freest_worker_and_never_beyond_its_slots() {
        let mut pool = Pool::default();
        (1..=5).for_each(|task| pool.enqueue(task));
        assert_eq!(pool.assign(), None);
        pool.connect(&worker("a"), 1);
        pool.connect(&worker("b"), 3);
        assert_eq!((pool.oldest(), pool.free_slots()), (Some(&1), 4));
        let given: Vec<_> = std::iter::from_fn(|| pool.assign()).collect();
        assert_eq!(
            given,
            [(1, worker("b")), (2, worker("b")), (3, worker("b")), (4, worker("a"))]
        );
        assert_eq!((pool.oldest(), pool.free_slots()), (Some(&5), 0));
        pool.release(&worker("b"), &2);
        assert_eq!(pool.assign(), Some((5, worker("b"))));
        assert_eq!(pool.assign(), None);
    }

    #[test]
    fn a_withdrawn_task_is_never_given_and_may_come_back() {
        let mut pool = Pool::default();
        pool.enqueue(1);
        pool.enqueue(2);
        pool.withdraw(&1);
        assert_eq!(pool.waiting(), 1);
        pool.connect(&worker("a"), 9);
        assert_eq!(pool.assign(), Some((2, worker("a"))));
        assert_eq!(pool.assign(), None);
        pool.enqueue(1);
        assert_eq!(pool.assign(), Some((1, worker("a"))));
    }

    #[test]
    fn a_worker_that_is_away_keeps_its_tasks_and_gets_none() {
        let mut pool = Pool::default();
        pool.connect(&worker("a"), 2);
        pool.enqueue(1);
        pool.assign();
        pool.disconnect(&worker("a"));
        pool.enqueue(2);
        assert_eq!(pool.assign(), None);
        assert_eq!(pool.absent().collect::<Vec<_>>(), [&worker("a")]);
        pool.connect(&worker("a"), 2);
        assert_eq!(pool.held(&worker("a")).collect::<Vec<_>>(), [&1]);
        assert_eq!(pool.assign(), Some((2, worker("a"))));
    }
}
