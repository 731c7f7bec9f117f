//! Bugs and deaths that a test plants: bugs to see whether the simulation finds them, deaths to see what is left.
//!
//! A harness that finds nothing proves nothing unless it is known what it would have found. Each bug stands where it would
//! be made, as a condition that is constantly false, and gone from the machine code, unless the feature `plant` is on.

pub mod failpoint;

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug {
            $($(#[$doc])* $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Bug] = &[$(Bug::$name,)*];
        }
    };
}

bugs! {
    /// Engine: an outcome counts whatever its token is.
    NoFencing,
    /// Engine: a job is tried once more than it may be.
    RetryOffByOne,
    /// Engine: a job run that fails for good keeps its slot.
    LeakedSlot,
    /// Engine: a stop ends what runs and forgets that nothing may start after it.
    StopRace,
    /// Engine: a restart forgets which retries are due.
    LostRetryTimer,
    /// Engine: a schedule's next tick is not stored.
    DoubleCronTick,
    /// Engine: a trigger that needs one of its conditions fires for each of them.
    AnyFiresTwice,
    /// Engine: a trigger that needs all of its conditions is content with all but one.
    AndMissesOne,
    /// Engine: one run more than allowed.
    WorkflowLimitOffByOne,
    /// Engine: runs whose properties were under way at a crash are not sent on their way again.
    SeedNotRepeated,
    /// Engine: a restart forgets what waits for a worker.
    QueueForgotten,
    /// Engine: what a worker has ended still fills its slot.
    LeakedWorkerSlot,
    /// Run-scheduler: callers are answered before the commit.
    AcknowledgedBeforeCommit,
    /// Run-scheduler: a repeated call is a new one.
    NoDeduplication,
    /// Run-scheduler: a restart forgets which calls were made.
    ForgottenInvocations,
    /// Run-scheduler: the leases of a worker that is silent never end.
    EndlessLease,
    /// Properties-store: a repetition that comes late undoes what came after the first one.
    LateRepetition,
    /// Worker: an outcome is said once, whether or not it is heard.
    OutcomeSaidOnce,
}

#[cfg(feature = "plant")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(u8::MAX);

/// Plants a bug in this process in place of any other; none of them for `None`.
#[cfg(feature = "plant")]
pub fn plant(bug: Option<Bug>) {
    let number = bug.map_or(u8::MAX, |bug| bug as u8);
    PLANTED.store(number, std::sync::atomic::Ordering::SeqCst);
}

/// Whether a bug is planted.
#[cfg(feature = "plant")]
#[must_use]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::SeqCst) == bug as u8
}

/// Whether a bug is planted: never.
#[cfg(not(feature = "plant"))]
#[must_use]
pub const fn is_planted(_bug: Bug) -> bool {
    false
}
