//! Where in a pod's output a reader is.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// The most characters of the time before a line.
const TIME_LENGTH_MAX: usize = 40;

/// How much of an output was taken.
///
/// Several lines may have the same time, so those of the last one are counted, and the bytes of one that is not whole.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The time of the last line that was begun.
    last: Option<Timestamp>,
    /// How many lines of that time were taken whole.
    lines: usize,
    /// How many bytes of the line after those were taken.
    bytes: usize,
    /// How many bytes were taken in all.
    taken: u64,
    stream: Stream,
}

/// Where in the current stream a reader is.
#[derive(Debug)]
struct Stream {
    /// The time before the line, as far as it is read; `None` within the line.
    time: Option<Vec<u8>>,
    /// How many lines of the last time the stream had before this one.
    lines: usize,
    /// How many bytes of the line are left out, because an earlier stream had them.
    skipped: usize,
    /// How many bytes of the line the stream had.
    bytes: usize,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream {
            time: Some(Vec::new()),
            lines: 0,
            skipped: 0,
            bytes: 0,
        }
    }
}

impl Position {
    /// From when on a new stream should tell: whole seconds, and nothing is left out.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let second = Timestamp::from_second(self.last?.as_second()).ok()?;
        second.checked_sub(SignedDuration::from_secs(1)).ok()
    }

    /// How many bytes were taken in all.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// A new stream begins.
    pub(super) fn begin(&mut self) {
        self.stream = Stream::default();
    }

    /// Takes what a stream has next; passes on what no stream had before, without the times.
    pub(super) fn take(&mut self, mut rest: &[u8], mut pass: impl FnMut(&[u8])) {
        while let Some(&first) = rest.first() {
            if let Some(time) = &mut self.stream.time {
                rest = &rest[1..];
                time.push(first);
                // Without a space, it is something that is no line of the script's.
                if matches!(first, b' ' | b'\n') || time.len() >= TIME_LENGTH_MAX {
                    self.begin_line(&mut pass);
                }
                continue;
            }
            let end = rest.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            self.pass_on(text, &mut pass);
            if end.is_some() {
                self.end_line();
            }
        }
    }

    /// The time before a line is read.
    fn begin_line(&mut self, pass: &mut impl FnMut(&[u8])) {
        let time = self.stream.time.take().unwrap_or_default();
        self.stream.bytes = 0;
        self.stream.skipped = 0;
        let text = std::str::from_utf8(&time).ok().and_then(|text| text.strip_suffix(' '));
        let parsed = text.and_then(|text| text.parse::<Timestamp>().ok());
        let Some(parsed) = parsed else {
            // Words of the cluster's own, such as that a log was rotated: they have no time, and belong to no position.
            self.taken += time.len() as u64;
            pass(&time);
            if time.ends_with(b"\n") {
                self.stream.time = Some(Vec::new());
            }
            return;
        };
        match self.last {
            Some(last) if parsed < last => self.stream.skipped = usize::MAX,
            Some(last) if parsed == last => {
                if self.stream.lines < self.lines {
                    self.stream.skipped = usize::MAX;
                    self.stream.lines += 1;
                } else {
                    self.stream.skipped = self.bytes;
                }
            }
            _ => {
                self.last = Some(parsed);
                self.lines = 0;
                self.bytes = 0;
                self.stream.lines = 0;
            }
        }
    }

    fn pass_on(&mut self, text: &[u8], pass: &mut impl FnMut(&[u8])) {
        let stream = &mut self.stream;
        let left_out = stream.skipped.saturating_sub(stream.bytes).min(text.len());
        stream.bytes = stream.bytes.saturating_add(text.len());
        let news = &text[left_out..];
        if !news.is_empty() {
            self.bytes = stream.bytes;
            self.taken += news.len() as u64;
            pass(news);
        }
    }

    fn end_line(&mut self) {
        if self.stream.skipped != usize::MAX && self.last.is_some() {
            self.lines += 1;
            self.stream.lines += 1;
            self.bytes = 0;
        }
        self.stream.time = Some(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    const LINES: &str = "2026-11-21T08:00:00.000000001Z one\n\
                         2026-11-21T08:00:00.5Z two\n\
                         2026-11-21T08:00:00.5Z \n\
                         2026-11-21T08:00:00.5Z two\n\
                         2026-11-21T08:00:01.25Z three and more\n\
                         2026-11-21T08:00:02.25Z four";
    const TEXT: &str = "one\ntwo\n\ntwo\nthree and more\nfour";

    fn text_of(streams: &[&str], step: usize) -> String {
        let mut position = Position::default();
        let mut text = Vec::new();
        for stream in streams {
            position.begin();
            for part in stream.as_bytes().chunks(step) {
                position.take(part, |news| text.extend_from_slice(news));
            }
        }
        assert_eq!(position.taken(), text.len() as u64);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_stream_that_breaks_anywhere_any_number_of_times_loses_and_doubles_nothing() {
        for step in [1, 7, 1_000] {
            for one in 0..=LINES.len() {
                for other in [0, 40, one / 2, one, LINES.len()] {
                    assert_eq!(
                        text_of(&[&LINES[..one], &LINES[..other], LINES], step),
                        TEXT,
                        "{one} {other} {step}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_stream_that_begins_later_is_joined() {
        let from_second = LINES.split_inclusive('\n').skip(1).collect::<String>();
        assert_eq!(text_of(&[&LINES[..80], &from_second], 5), TEXT);
    }

    #[test]
    fn a_stream_is_asked_for_from_a_second_that_leaves_nothing_out() {
        let mut position = Position::default();
        assert_eq!(position.since(), None);
        position.take(b"2026-11-21T08:00:07.999Z x\n", |_| {});
        assert_eq!(position.since().unwrap().to_string(), "2026-11-21T08:00:06Z");
    }

    #[test]
    fn words_of_the_clusters_own_are_passed_on() {
        let own = "unable to retrieve container logs\n";
        assert_eq!(text_of(&[own, LINES], 3), format!("{own}{TEXT}"));
    }
}
