//! Steps at which a test lets a process die, as if the power had gone at that moment.
//!
//! In a build with the feature `failpoints`, `TREENAIL_FAILPOINT=<step>:<n>` ends the process, without any unwinding, when
//! it passes the step for the n-th time. In all other builds a step is nothing at all.

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A step of a commit or of a task's way to a worker and back.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Step {
            $($(#[$doc])* $name,)*
        }

        impl Step {
            /// All of them, in the order of a run.
            pub const ALL: &'static [Step] = &[$(Step::$name,)*];

            /// The name that `TREENAIL_FAILPOINT` has for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Step::$name => $text,)*
                }
            }
        }
    };
}

steps! {
    /// Storage: jobs have gathered and nothing of them is written.
    BatchGathered = "batch-gathered",
    /// Storage: all jobs of a batch are in the transaction, which is not committed.
    BatchWritten = "batch-written",
    /// Storage: the transaction is durable and nobody was told.
    BatchCommitted = "batch-committed",
    /// Control-plane: a definition is durable and the run-scheduler does not know its plan.
    PlanStored = "plan-stored",
    /// Control-plane: the run-scheduler knows a plan that is still marked as unpublished.
    PlanPublished = "plan-published",
    /// Run-scheduler: inputs were decided on and nothing of it is stored.
    Decided = "decided",
    /// Run-scheduler: a decision is stored; no answer and no effect has left.
    Stored = "stored",
    /// Run-scheduler: answers have left, effects have not.
    Answered = "answered",
    /// Run-scheduler: effects have left, acknowledgements to workers have not.
    Acted = "acted",
    /// Run-scheduler: properties are about to be sent to the properties-store.
    Seeding = "seeding",
    /// Run-scheduler: the properties-store has properties and the run-scheduler has not taken notice.
    Seeded = "seeded",
    /// Worker: a task has arrived and nothing of it runs.
    TaskTaken = "task-taken",
    /// Worker: a task has ended and nobody was told.
    TaskEnded = "task-ended",
    /// Worker: the run-scheduler has acknowledged an outcome and the worker has not taken notice.
    OutcomeAcknowledged = "outcome-acknowledged",
}

/// The variable that names the step at which the process dies, and at which of its passes: `decided:3`.
pub const VARIABLE: &str = "TREENAIL_FAILPOINT";

/// Why `TREENAIL_FAILPOINT` cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The build has no failpoints.
    NotBuiltIn,
    /// The value is not `<step>:<n>`.
    Malformed,
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use super::{Refused, Step};

    struct Failpoint {
        step: Step,
        passes_left: AtomicU32,
    }

    static ARMED: OnceLock<Failpoint> = OnceLock::new();

    pub(super) fn arm(value: &str) -> Result<(), Refused> {
        let (name, count) = value.split_once(':').ok_or(Refused::Malformed)?;
        let step = Step::ALL.iter().find(|step| step.name() == name);
        let passes = count.parse().ok().filter(|passes| *passes > 0);
        let (Some(&step), Some(passes)) = (step, passes) else {
            return Err(Refused::Malformed);
        };
        ARMED.get_or_init(|| Failpoint {
            step,
            passes_left: AtomicU32::new(passes),
        });
        Ok(())
    }

    pub(super) fn pass(step: Step) {
        if let Some(armed) = ARMED.get()
            && armed.step == step
            && armed.passes_left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            std::process::abort();
        }
    }
}

/// Obeys a value of `TREENAIL_FAILPOINT`; the first that is given counts.
///
/// # Errors
///
/// When the value names no step, and in a build without the feature `failpoints` always: a test that means to kill must not
/// pass because nothing was killed.
#[cfg(feature = "failpoints")]
pub fn arm(value: &str) -> Result<(), Refused> {
    armed::arm(value)
}

/// Refuses.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "failpoints"))]
pub const fn arm(_value: &str) -> Result<(), Refused> {
    Err(Refused::NotBuiltIn)
}

/// Passes a step: the process dies here if it is to.
#[cfg(feature = "failpoints")]
pub fn pass(step: Step) {
    armed::pass(step);
}

/// Passes a step: nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn pass(_step: Step) {}
