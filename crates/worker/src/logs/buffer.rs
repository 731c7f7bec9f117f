//! A task's output until it is uploaded: its beginning, its end, and a word on what lies between.

use std::collections::VecDeque;

use treenail_proto::worker::v1::{LogChunk, LogStream};

/// The most bytes of one chunk.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of one batch of chunks: well below what a gRPC message may be.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How much of the end of standard error is kept for the job run's detail, in bytes.
const ERROR_TAIL_BYTES: usize = 4 * 1024;

/// Output in the order in which it was read. Never holds more than the head and the tail may have together.
#[derive(Debug)]
pub(super) struct Buffer {
    pending: VecDeque<LogChunk>,
    head_left: usize,
    tail: Tail,
    error_tail: VecDeque<u8>,
}

impl Buffer {
    /// A buffer for the first `head_bytes` and the last `tail_bytes` of an output.
    pub(super) fn new(head_bytes: usize, tail_bytes: usize) -> Buffer {
        Buffer {
            pending: VecDeque::new(),
            head_left: head_bytes,
            tail: Tail::new(tail_bytes),
            error_tail: VecDeque::new(),
        }
    }

    /// Takes what was read.
    pub(super) fn push(&mut self, stream: LogStream, bytes: &[u8]) {
        if stream == LogStream::Stderr {
            self.note_error(bytes);
        }
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        self.head_left -= head.len();
        append(&mut self.pending, stream, head);
        self.tail.push(stream, rest);
    }

    /// Notes what may be why the script fails.
    pub(super) fn note_error(&mut self, bytes: &[u8]) {
        self.error_tail.extend(bytes);
        let excess = self.error_tail.len().saturating_sub(ERROR_TAIL_BYTES);
        self.error_tail.drain(..excess);
    }

    /// Makes the tail pending: nothing is pushed after this.
    pub(super) fn finish(&mut self) {
        if self.tail.dropped > 0 {
            let note = format!(
                "\n[treenail: {} bytes of output are left out here]\n",
                self.tail.dropped
            );
            append(&mut self.pending, LogStream::Stdout, note.as_bytes());
        }
        self.pending.append(&mut self.tail.chunks);
    }

    /// The next chunks to upload; empty when nothing is pending.
    pub(super) fn take_batch(&mut self) -> Vec<LogChunk> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(chunk) = self.pending.front() {
            bytes += chunk.data.len();
            if bytes > BATCH_BYTES_MAX && !batch.is_empty() {
                break;
            }
            batch.extend(self.pending.pop_front());
        }
        batch
    }

    /// The end of standard error.
    pub(super) fn error_tail(&mut self) -> String {
        String::from_utf8_lossy(self.error_tail.make_contiguous()).into_owned()
    }
}

/// The end of an output, in chunks; the oldest are dropped.
#[derive(Debug)]
struct Tail {
    chunks: VecDeque<LogChunk>,
    bytes: usize,
    bytes_max: usize,
    dropped: u64,
}

impl Tail {
    fn new(bytes_max: usize) -> Tail {
        Tail {
            chunks: VecDeque::new(),
            bytes: 0,
            bytes_max,
            dropped: 0,
        }
    }

    fn push(&mut self, stream: LogStream, bytes: &[u8]) {
        append(&mut self.chunks, stream, bytes);
        self.bytes += bytes.len();
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.bytes -= oldest.data.len();
            self.dropped += oldest.data.len() as u64;
        }
    }
}

/// Adds bytes to the last chunk when it is of the same stream and has room, so that small writes cost little.
fn append(chunks: &mut VecDeque<LogChunk>, stream: LogStream, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = chunks
            .back_mut()
            .filter(|last| last.stream() == stream && last.data.len() < CHUNK_BYTES_MAX);
        let Some(last) = room else {
            chunks.push_back(LogChunk {
                stream: stream.into(),
                data: Vec::new(),
            });
            continue;
        };
        let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES_MAX - last.data.len()));
        last.data.extend_from_slice(now);
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use treenail_proto::worker::v1::LogStream;

    use super::{Buffer, CHUNK_BYTES_MAX};

    fn all(buffer: &mut Buffer) -> String {
        let mut bytes = Vec::new();
        loop {
            let batch = buffer.take_batch();
            if batch.is_empty() {
                return String::from_utf8(bytes).unwrap();
            }
            for chunk in batch {
                assert!(chunk.data.len() <= CHUNK_BYTES_MAX);
                bytes.extend(chunk.data);
            }
        }
    }

    #[test]
    fn what_fits_is_kept_whole_and_in_order() {
        let mut buffer = Buffer::new(100, 10);
        buffer.push(LogStream::Stdout, b"one ");
        buffer.push(LogStream::Stderr, b"two ");
        buffer.push(LogStream::Stdout, b"three");
        buffer.finish();
        assert_eq!(all(&mut buffer), "one two three");
        assert_eq!(buffer.error_tail(), "two ");
    }

    #[test]
    fn of_a_flood_the_beginning_and_the_end_are_kept() {
        let mut buffer = Buffer::new(4, 2 * CHUNK_BYTES_MAX);
        for turn in 0..100 {
            buffer.push(
                LogStream::Stdout,
                format!("{turn:04}").repeat(CHUNK_BYTES_MAX / 4).as_bytes(),
            );
            assert!(buffer.tail.bytes <= 2 * CHUNK_BYTES_MAX);
        }
        buffer.finish();
        let kept = all(&mut buffer);
        assert!(kept.starts_with("0000\n[treenail: "), "{}", &kept[..80]);
        assert!(kept.contains("bytes of output are left out here]"));
        assert!(kept.ends_with("0099"));
        assert!(kept.len() < 3 * CHUNK_BYTES_MAX);
    }
}
