//! What job runs write, kept in one file a job run.
//!
//! A file is a sequence of frames: a byte that names the output, the length of what follows (four bytes, big-endian),
//! and the bytes. A frame that was cut off by a crash ends the file.

use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
    sync::Notify,
};
use treenail_engine::{Timestamp, ids::JobRunId};
use treenail_proto::worker::v1::{LogChunk, LogStream};

/// How many bytes one job run's output takes at the most; what comes beyond is dropped.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many bytes one reading gives at the most.
const READ_BYTES_MAX: usize = 256 * 1024;
/// How many digits of an id are its time in milliseconds.
const TIME_DIGITS: usize = 12;
/// How many of these name the folder of its file: files of a quarter of an hour or so lie together.
const FOLDER_DIGITS: usize = 7;
/// How many bytes stand before a frame's own.
const HEADER_BYTES: usize = 5;

/// The outputs of job runs.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    folder: Arc<Path>,
    news: Arc<Notify>,
}

impl Logs {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            news: Arc::new(Notify::new()),
        }
    }

    /// Appends to a job run's output.
    pub(crate) async fn append(&self, job_run: JobRunId, chunks: &[LogChunk]) -> io::Result<()> {
        let path = self.path(job_run);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .await?;
        let mut length = file.metadata().await?.len();
        let mut frames = Vec::new();
        for chunk in chunks {
            length += u64::try_from(HEADER_BYTES + chunk.data.len()).unwrap_or(u64::MAX);
            if length > FILE_BYTES_MAX {
                break;
            }
            let size = u32::try_from(chunk.data.len()).map_err(io::Error::other)?;
            frames.push(u8::try_from(chunk.stream).unwrap_or_default());
            frames.extend_from_slice(&size.to_be_bytes());
            frames.extend_from_slice(&chunk.data);
        }
        file.write_all(&frames).await?;
        file.flush().await?;
        self.wake();
        Ok(())
    }

    /// Reads from a position on; gives what follows it, and the position after that.
    pub(crate) async fn read(&self, job_run: JobRunId, position: u64) -> io::Result<(Vec<LogChunk>, u64)> {
        let mut file = match File::open(self.path(job_run)).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), position)),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(position)).await?;
        let mut bytes = Vec::new();
        // One frame more than is wanted may be cut off: it is read again next time.
        let most = u64::try_from(READ_BYTES_MAX + treenail_rpc::limits::GRPC_MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
        file.take(most).read_to_end(&mut bytes).await?;
        let (chunks, read) = parse(&bytes);
        Ok((chunks, position + read))
    }

    /// Removes what job runs wrote that started before a time; says how many folders it were.
    pub(crate) async fn prune(&self, before: Timestamp) -> io::Result<usize> {
        if self.folder.as_os_str().is_empty() {
            // A simulation, whose jobs write nothing: file operations run on threads, which no seed decides about.
            return Ok(0);
        }
        let mut folders = match fs::read_dir(&self.folder).await {
            Ok(folders) => folders,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut removed = 0;
        while let Some(folder) = folders.next_entry().await? {
            let ends_before = folder.file_name().to_str().and_then(end_of_folder);
            if ends_before.is_some_and(|end| end <= before.as_millis()) {
                fs::remove_dir_all(folder.path()).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Wakes whoever waits for more.
    pub(crate) fn wake(&self) {
        self.news.notify_waiters();
    }

    /// What wakes when there may be more; made before looking, so that nothing is missed.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    fn path(&self, job_run: JobRunId) -> PathBuf {
        let name = job_run.to_string();
        self.folder
            .join(name.get(3..3 + FOLDER_DIGITS).unwrap_or_default())
            .join(format!("{name}.log"))
    }
}

/// When the last job run may have started whose output lies in a folder of that name, in milliseconds, exclusively.
fn end_of_folder(name: &str) -> Option<i64> {
    let number = u64::from_str_radix(name, 16)
        .ok()
        .filter(|_| name.len() == FOLDER_DIGITS)?;
    i64::try_from((number + 1) << (4 * (TIME_DIGITS - FOLDER_DIGITS))).ok()
}

/// The whole frames at the start of bytes, up to what one reading gives, and how many bytes they take.
fn parse(bytes: &[u8]) -> (Vec<LogChunk>, u64) {
    let (mut chunks, mut read) = (Vec::new(), 0);
    while read < READ_BYTES_MAX
        && let Some((header, rest)) = bytes[read..].split_first_chunk::<HEADER_BYTES>()
    {
        let [stream, size @ ..] = *header;
        let size = u32::from_be_bytes(size) as usize;
        let Some(data) = rest.get(..size) else { break };
        let stream = LogStream::try_from(i32::from(stream)).unwrap_or_default();
        chunks.push(LogChunk {
            stream: stream.into(),
            data: data.to_vec(),
        });
        read += HEADER_BYTES + size;
    }
    (chunks, u64::try_from(read).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use treenail_engine::{Timestamp, ids::Ids};

    use super::*;

    fn chunk(stream: LogStream, text: &str) -> LogChunk {
        LogChunk {
            stream: stream.into(),
            data: text.as_bytes().to_vec(),
        }
    }

    #[tokio::test]
    async fn what_is_appended_is_read_in_order_and_from_where_a_reader_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path());
        let id = Ids::new([1; 32]).job_run(Timestamp::from_millis(0));
        assert_eq!(logs.read(id, 0).await.unwrap(), (Vec::new(), 0));
        let first = [chunk(LogStream::Stdout, "one"), chunk(LogStream::Stderr, "two")];
        logs.append(id, &first).await.unwrap();
        let (read, position) = logs.read(id, 0).await.unwrap();
        assert_eq!(read, first);
        logs.append(id, &[chunk(LogStream::Stdout, "three")]).await.unwrap();
        assert_eq!(
            logs.read(id, position).await.unwrap().0,
            [chunk(LogStream::Stdout, "three")]
        );
    }

    #[tokio::test]
    async fn what_is_old_is_removed_and_what_is_not_stays() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::new(folder.path());
        assert_eq!(logs.prune(Timestamp::from_millis(0)).await.unwrap(), 0);
        let mut ids = Ids::new([1; 32]);
        let (old, new) = (
            Timestamp::from_millis(1_773_489_600_000),
            Timestamp::from_millis(1_773_499_600_000),
        );
        let (old_run, new_run) = (ids.job_run(old), ids.job_run(new));
        for run in [old_run, new_run] {
            logs.append(run, &[chunk(LogStream::Stdout, "one")]).await.unwrap();
        }
        assert_eq!(logs.prune(old).await.unwrap(), 0);
        assert_eq!(logs.prune(new).await.unwrap(), 1);
        assert!(logs.read(old_run, 0).await.unwrap().0.is_empty());
        assert!(!logs.read(new_run, 0).await.unwrap().0.is_empty());
    }

    #[test]
    fn a_frame_that_was_cut_off_ends_the_file() {
        let whole = [1, 0, 0, 0, 2, b'h', b'i', 2, 0, 0, 0, 9, b'x'];
        for cut in 7..whole.len() {
            let (chunks, read) = parse(&whole[..cut]);
            assert_eq!((chunks.len(), read), (1, 7), "cut at {cut}");
        }
    }
}
