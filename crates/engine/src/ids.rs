//! Ids in AWS's forms, and the seeded source that they come from.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use treenail_schedule::Timestamp;

/// How many bytes an id has. The first eight say when it was drawn, so that ids sort as they were drawn and rows that
/// belong together lie together; the others are random.
const ID_BYTES: usize = 32;

/// How many bits of an id's first eight bytes count within a millisecond.
const COUNT_BITS: u32 = 16;

/// The id of a workflow run: `wr_` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowRunId([u8; ID_BYTES]);

/// The id of a job run: `jr_` and 64 lower-case hexadecimal digits, and `_attempt_N` from the first retry on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobRunId {
    random: [u8; ID_BYTES],
    attempt: u32,
}

/// The id of a chain: the job runs that descend from one firing of a trigger outside workflows.
/// Users never see it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId([u8; ID_BYTES]);

/// The id of a crawl: a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrawlId([u8; 16]);

/// A text that is not an id of the form that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id")]
pub struct MalformedId;

/// The source of all ids: the same seed gives the same ids in the same order.
#[derive(Clone, PartialEq, Eq)]
pub struct Ids {
    seed: [u8; 32],
    drawn: u64,
    /// The first eight bytes of the last id: milliseconds, and a count within the millisecond.
    last: u64,
}

impl Ids {
    /// Begins a sequence of ids; two sources with different seeds do not give the same id twice.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            drawn: 0,
            last: 0,
        }
    }

    /// Draws the id of a new workflow run.
    pub fn workflow_run(&mut self, now: Timestamp) -> WorkflowRunId {
        WorkflowRunId(self.draw(now))
    }

    /// Draws the id of a new job run's first attempt.
    pub fn job_run(&mut self, now: Timestamp) -> JobRunId {
        JobRunId {
            random: self.draw(now),
            attempt: 0,
        }
    }

    /// Draws the id of a new chain.
    pub fn chain(&mut self, now: Timestamp) -> ChainId {
        ChainId(self.draw(now))
    }

    /// Draws the id of a new crawl, in the form of a version 4 UUID.
    pub fn crawl(&mut self, now: Timestamp) -> CrawlId {
        let drawn = self.draw(now);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&drawn[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        CrawlId(bytes)
    }

    /// Draws only ids that sort after those of a shard's rows, whatever the clock says: for a source that goes on where
    /// another one ended.
    pub(crate) fn go_on_after(&mut self, last: DrawnAt) {
        self.last = self.last.max(last.0);
    }

    fn draw(&mut self, now: Timestamp) -> [u8; ID_BYTES] {
        self.drawn += 1;
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        self.last = (millis << COUNT_BITS).max(self.last + 1);
        let mut id: [u8; ID_BYTES] = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.drawn.to_be_bytes())
            .finalize()
            .into();
        id[..8].copy_from_slice(&self.last.to_be_bytes());
        id
    }
}

/// When an id was drawn: the place of its source among all that it has drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DrawnAt(u64);

impl DrawnAt {
    fn of(id: &[u8; ID_BYTES]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&id[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl WorkflowRunId {
    pub(crate) fn drawn_at(&self) -> DrawnAt {
        DrawnAt::of(&self.0)
    }
}

impl JobRunId {
    pub(crate) fn drawn_at(&self) -> DrawnAt {
        DrawnAt::of(&self.random)
    }

    /// Which attempt of its activation the run is; 0 is the first.
    #[must_use]
    pub fn attempt(self) -> u32 {
        self.attempt
    }

    /// The id of the first attempt of the activation that this one belongs to.
    #[must_use]
    pub fn first_attempt(self) -> Self {
        Self { attempt: 0, ..self }
    }

    /// The id of the attempt after this one.
    #[must_use]
    pub fn next_attempt(self) -> Self {
        Self {
            random: self.random,
            attempt: self.attempt + 1,
        }
    }

    /// The internal job id that Glue gives to a Spark script as `--JOB_ID`: `j_` and 64 hexadecimal digits, the same
    /// for all attempts.
    #[must_use]
    pub fn internal_job_id(self) -> String {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(b"JOB_ID")
            .chain_update(self.random)
            .finalize()
            .into();
        format!("j_{}", Hex(&digest))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for WorkflowRunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wr_{}", Hex(&self.0))
    }
}

impl fmt::Display for JobRunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jr_{}", Hex(&self.random))?;
        if self.attempt > 0 {
            write!(f, "_attempt_{}", self.attempt)?;
        }
        Ok(())
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chain_{}", Hex(&self.0))
    }
}

impl fmt::Display for CrawlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.0;
        write!(f, "{}-{}-{}-", Hex(&bytes[..4]), Hex(&bytes[4..6]), Hex(&bytes[6..8]))?;
        write!(f, "{}-{}", Hex(&bytes[8..10]), Hex(&bytes[10..]))
    }
}

macro_rules! debug_as_display {
    ($($id:ty),*) => {
        $(impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        })*
    };
}

debug_as_display!(WorkflowRunId, JobRunId, ChainId, CrawlId);

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids")
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}

impl FromStr for WorkflowRunId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        parse_hex(text.strip_prefix("wr_").ok_or(MalformedId)?).map(Self)
    }
}

impl FromStr for ChainId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        parse_hex(text.strip_prefix("chain_").ok_or(MalformedId)?).map(Self)
    }
}

impl FromStr for JobRunId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let rest = text.strip_prefix("jr_").ok_or(MalformedId)?;
        let (random, attempt) = match rest.split_once("_attempt_") {
            None => (rest, 0),
            Some((random, attempt)) => (random, parse_attempt(attempt)?),
        };
        Ok(Self {
            random: parse_hex(random)?,
            attempt,
        })
    }
}

impl FromStr for CrawlId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let digits: String = text.split('-').collect();
        let id = Self(parse_hex(&digits)?);
        // Only the one spelling that `Display` gives is an id.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(MalformedId)
        }
    }
}

fn parse_attempt(text: &str) -> Result<u32, MalformedId> {
    let attempt: u32 = text.parse().map_err(|_| MalformedId)?;
    if attempt == 0 || attempt.to_string() != text {
        Err(MalformedId)
    } else {
        Ok(attempt)
    }
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], MalformedId> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(MalformedId);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = parse_digit(pair[0])? << 4 | parse_digit(pair[1])?;
    }
    Ok(bytes)
}

fn parse_digit(digit: u8) -> Result<u8, MalformedId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(MalformedId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn ids_sort_as_they_were_drawn_even_when_the_clock_steps_back() {
        let mut ids = Ids::new([3; 32]);
        let drawn: Vec<_> = [0, 0, 5, -7, 5].map(|step| ids.job_run(NOW.plus_millis(step))).to_vec();
        assert!(drawn.is_sorted());
    }

    #[test]
    fn ids_print_and_parse_to_themselves() {
        let mut ids = Ids::new([7; 32]);
        let run = ids.workflow_run(NOW);
        assert_eq!(run.to_string().parse(), Ok(run));
        let job_run = ids.job_run(NOW);
        assert_eq!(job_run.to_string().parse(), Ok(job_run));
        let retry = job_run.next_attempt().next_attempt();
        assert!(retry.to_string().ends_with("_attempt_2"));
        assert_eq!(retry.to_string().parse(), Ok(retry));
        let crawl = ids.crawl(NOW);
        assert_eq!(crawl.to_string().parse(), Ok(crawl));
        let chain = ids.chain(NOW);
        assert_eq!(chain.to_string().parse(), Ok(chain));
    }

    #[test]
    fn a_seed_gives_the_same_ids_again_and_another_seed_others() {
        assert_eq!(Ids::new([1; 32]).workflow_run(NOW), Ids::new([1; 32]).workflow_run(NOW));
        assert_ne!(Ids::new([1; 32]).workflow_run(NOW), Ids::new([2; 32]).workflow_run(NOW));
    }

    #[test]
    fn other_texts_are_not_ids() {
        let hex = "0".repeat(64);
        let mut texts = vec![
            String::new(),
            "wr_".into(),
            format!("wr_{}", "g".repeat(64)),
            format!("wr_{hex}0"),
        ];
        texts.extend(
            [
                "_attempt_0",
                "_attempt_01",
                "_attempt_",
                "_attempt_-1",
                "_attempt_99999999999",
                "_attempt_1 ",
            ]
            .map(|end| format!("jr_{hex}{end}")),
        );
        texts.push(format!("jr_{}", "A".repeat(64)));
        for text in texts {
            assert_eq!(text.parse::<WorkflowRunId>(), Err(MalformedId), "{text}");
            assert_eq!(text.parse::<JobRunId>(), Err(MalformedId), "{text}");
            assert_eq!(text.parse::<CrawlId>(), Err(MalformedId), "{text}");
        }
    }
}
