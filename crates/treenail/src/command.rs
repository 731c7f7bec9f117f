//! The commands that use a server.

pub(crate) mod apply;
pub(crate) mod clock;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod healthcheck;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod stage;
pub(crate) mod stop;
pub(crate) mod trust;
