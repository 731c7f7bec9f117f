//! The disk of stores in memory, for simulations: writes take time on it, and fail when they are told to.

use std::{fmt, sync::Arc, time::Duration};

/// What becomes of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is durable after `before`, and whoever asked is told after `after` more.
    ///
    /// Whoever stops waiting in between (a crash) does not learn whether it is durable, as on a real disk.
    Written {
        /// How long it is not durable yet.
        before: Duration,
        /// How long it is durable and not answered yet.
        after: Duration,
    },
    /// Nothing is written, and whoever asked is told of a failure.
    Refused,
    /// All is written, and whoever asked is told of a failure.
    AnswerLost,
}

/// A write that failed on demand: whether it is durable is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk failed on demand")]
pub struct Failed;

/// A disk on which a simulation decides about every write; by default every write succeeds at once.
#[derive(Clone, Default)]
pub struct Disk {
    decide: Option<Arc<dyn Fn() -> Fate + Send + Sync>>,
}

/// A write that is under way: what is changed now is durable.
#[derive(Debug)]
#[must_use = "a write is answered when it is ended"]
pub struct Write {
    fate: Fate,
}

impl Disk {
    /// A disk that asks what becomes of each write.
    #[must_use]
    pub fn deciding(decide: impl Fn() -> Fate + Send + Sync + 'static) -> Disk {
        Disk {
            decide: Some(Arc::new(decide)),
        }
    }

    /// Begins a write: when this returns, the writer changes its memory.
    ///
    /// # Errors
    /// [`Failed`] when nothing is to be written.
    pub async fn begin(&self) -> Result<Write, Failed> {
        let fate = self.decide.as_ref().map_or(
            Fate::Written {
                before: Duration::ZERO,
                after: Duration::ZERO,
            },
            |decide| decide(),
        );
        match fate {
            Fate::Written { before, .. } => pause(before).await,
            Fate::AnswerLost => {}
            Fate::Refused => return Err(Failed),
        }
        Ok(Write { fate })
    }
}

impl Write {
    /// Ends a write: when this returns, it is answered.
    ///
    /// # Errors
    /// [`Failed`] when the answer is to be lost.
    pub async fn end(self) -> Result<(), Failed> {
        match self.fate {
            Fate::Written { after, .. } => {
                pause(after).await;
                Ok(())
            }
            Fate::AnswerLost | Fate::Refused => Err(Failed),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}
