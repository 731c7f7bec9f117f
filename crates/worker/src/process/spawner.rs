//! The thread that starts all processes.
//!
//! The kernel kills a process when the *thread* that started it ends, and a runtime's threads may end at any time.

use std::{io, thread};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::tree;

/// Processes waiting to be started; one takes about a millisecond.
const QUEUE_MAX: usize = 64;

struct Request {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts processes from a thread that lives as long as this value: with it they end.
#[derive(Debug)]
pub(crate) struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread; call it within a tokio runtime.
    pub(crate) fn start() -> io::Result<Spawner> {
        // What scripts leave behind becomes this process's, which kills it.
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let runtime = Handle::current();
        // Ends by itself when the sender is dropped, so nobody joins it.
        thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || serve(&runtime, queue))?;
        Ok(Spawner { requests })
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.requests
            .send(Request { command, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn serve(runtime: &Handle, mut queue: mpsc::Receiver<Request>) {
    let _entered = runtime.enter();
    while let Some(Request { mut command, answer }) = queue.blocking_recv() {
        // Whoever asked may be gone; the process is then killed with the answer.
        drop(answer.send(spawn(&mut command)));
    }
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    // Held until the child is known, lest it be taken for something left behind.
    let mut leaders = tree::leaders();
    let child = command.spawn()?;
    leaders.extend(child.id().and_then(|id| i32::try_from(id).ok()));
    Ok(child)
}
