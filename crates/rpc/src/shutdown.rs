//! The wish of the operating system or the user that the process ends.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal as listen};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::AbortOnDropHandle,
};

/// The exit code of a process that was told twice to stop: that of one killed by SIGINT.
const EXIT_CODE_IMPATIENT: i32 = 130;

/// Tells everything in the process when it is to stop.
#[derive(Debug)]
pub struct Shutdown {
    requested: CancellationToken,
    /// Ends with this value: then signals are no longer looked at.
    _listener: AbortOnDropHandle<()>,
}

impl Shutdown {
    /// Completes once the process is to stop; as many as like may wait.
    pub fn requested(&self) -> WaitForCancellationFutureOwned {
        self.requested.clone().cancelled_owned()
    }

    /// The token behind [`Shutdown::requested`], for those who ask rather than wait, or who want to stop the process.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.requested.clone()
    }
}

/// Listens for SIGTERM and SIGINT from now on. The first asks the process to stop, the second ends it at once.
///
/// Call it within a tokio runtime and keep the answer for as long as signals count.
///
/// # Errors
/// When the operating system refuses signal handlers.
pub fn signal() -> io::Result<Shutdown> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let requested = CancellationToken::new();
    let request = requested.clone();
    let listener = tokio::spawn(async move {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal stops at once");
        request.cancel();
        next(&mut terminate, &mut interrupt).await;
        exit_at_once();
    });
    Ok(Shutdown {
        requested,
        _listener: AbortOnDropHandle::new(listener),
    })
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[expect(
    clippy::exit,
    reason = "whoever signals twice wants no drain, and what is durable stays so"
)]
fn exit_at_once() {
    process::exit(EXIT_CODE_IMPATIENT);
}
