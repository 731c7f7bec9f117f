//! The RPCs: decode, one call, encode.

mod bookmark;
mod clock;
mod event;
pub(crate) mod history;
mod invocation;
mod job_run;
mod log;
mod page;
mod plan;
mod watch;
mod worker;
mod workflow_run;

use treenail_rpc::Clock;

use crate::{logs::Logs, news::News, queries::Queries, retention::Sweeper, scheduler::Handle};

/// What the RPCs work with.
#[derive(Debug, Clone)]
pub(crate) struct Api<S> {
    pub(crate) store: S,
    pub(crate) scheduler: Handle,
    pub(crate) queries: Queries<S>,
    pub(crate) sweeper: Sweeper<S>,
    pub(crate) logs: Logs,
    pub(crate) news: News,
    pub(crate) clock: Clock,
}
