//! What a task writes: always read, bounded in memory, and uploaded while it runs.

mod buffer;
mod upload;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{ChildStderr, ChildStdout},
};
use treenail_proto::worker::v1::LogStream;

pub(crate) use upload::Upload;

use self::buffer::Buffer;

/// How much is read from a pipe at once, in bytes; the kernel's pipes hold 64 KiB.
const READ_BYTES: usize = 16 * 1024;

/// How often output is uploaded while it comes.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How long the outputs of a process that has ended are read on: something that it started may hold them open.
const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// The output of one process on its way to the run-scheduler.
#[derive(Debug)]
pub(crate) struct Logs {
    buffer: Arc<Mutex<Buffer>>,
    upload: Upload,
}

/// Takes what was read.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    buffer: Arc<Mutex<Buffer>>,
}

impl Sink {
    /// Takes what one of the outputs had.
    pub(crate) fn push(&self, stream: LogStream, bytes: &[u8]) {
        lock(&self.buffer).push(stream, bytes);
    }

    /// Takes what came from either output, nobody knows which: it is told as standard output, and may be an error.
    pub(crate) fn push_either(&self, bytes: &[u8]) {
        let mut buffer = lock(&self.buffer);
        buffer.note_error(bytes);
        buffer.push(LogStream::Stdout, bytes);
    }
}

impl Logs {
    /// Output of which the first `head_bytes` and the last `tail_bytes` are kept.
    pub(crate) fn new(upload: Upload, head_bytes: usize, tail_bytes: usize) -> Logs {
        Logs {
            buffer: Arc::new(Mutex::new(Buffer::new(head_bytes, tail_bytes))),
            upload,
        }
    }

    /// Where what is read goes.
    pub(crate) fn sink(&self) -> Sink {
        Sink {
            buffer: Arc::clone(&self.buffer),
        }
    }

    /// Reads and uploads until `process` completes and its outputs are read; gives back what `process` did.
    ///
    /// The rest of the output is uploaded within `upload_timeout` or given up.
    pub(crate) async fn follow<T>(
        self,
        outputs: Option<(ChildStdout, ChildStderr)>,
        process: impl Future<Output = T>,
        upload_timeout: Duration,
    ) -> (T, String) {
        let sink = self.sink();
        let reading = async {
            if let Some((stdout, stderr)) = outputs {
                tokio::join!(
                    read(&sink, stdout, LogStream::Stdout),
                    read(&sink, stderr, LogStream::Stderr)
                );
            }
        };
        let running = async {
            tokio::pin!(reading, process);
            tokio::select! {
                ended = &mut process => {
                    let left = tokio::time::timeout(LEFTOVER_TIMEOUT, reading).await;
                    if left.is_err() {
                        tracing::debug!("an output outlived its process and is no longer read");
                    }
                    ended
                }
                // A process may close its outputs and live on.
                () = &mut reading => process.await,
            }
        };
        self.upload_during(running, upload_timeout).await
    }

    /// Uploads what the sink gets until `running` completes; gives back what that did, and the end of the errors.
    ///
    /// The rest of the output is uploaded within `upload_timeout` or given up.
    pub(crate) async fn upload_during<T>(
        mut self,
        running: impl Future<Output = T>,
        upload_timeout: Duration,
    ) -> (T, String) {
        tokio::pin!(running);
        let ended = loop {
            tokio::select! {
                ended = &mut running => break ended,
                () = self.flush_regularly() => {}
            }
        };
        lock(&self.buffer).finish();
        if tokio::time::timeout(upload_timeout, self.flush_all()).await.is_err() {
            tracing::warn!("the end of a task's output could not be uploaded in time");
        }
        let error_tail = lock(&self.buffer).error_tail();
        (ended, error_tail)
    }

    async fn flush_regularly(&mut self) {
        tokio::time::sleep(FLUSH_INTERVAL).await;
        self.flush_all().await;
    }

    /// Uploads all that is pending. What is in flight when this is dropped is taken up again by the next call.
    async fn flush_all(&mut self) {
        loop {
            if self.upload.is_idle() {
                let batch = lock(&self.buffer).take_batch();
                if batch.is_empty() {
                    return;
                }
                self.upload.begin(batch);
            }
            self.upload.finish().await;
        }
    }
}

async fn read(sink: &Sink, mut output: impl AsyncRead + Unpin, stream: LogStream) {
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match output.read(&mut bytes).await {
            Ok(0) => return,
            Ok(count) => sink.push(stream, &bytes[..count]),
            Err(error) => {
                tracing::warn!(%error, "a task's output cannot be read");
                return;
            }
        }
    }
}

fn lock(buffer: &Mutex<Buffer>) -> std::sync::MutexGuard<'_, Buffer> {
    // Whoever panicked inside left a buffer that is still one.
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}
