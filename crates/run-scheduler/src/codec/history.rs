//! The event history, as it is stored.

use treenail_engine::{
    Timestamp,
    glue::{Cause, EndState, EventKind, HistoryEvent},
    ids::{JobRunId, WorkflowRunId},
};
use treenail_proto::glue::v1::{CrawlState, WorkflowRunStatus};
use treenail_proto::internal::v1::{
    StoredCause, StoredConditionMet, StoredCrawlEnded, StoredEvent, StoredEventIds, StoredJobRunChanged,
    StoredJobRunCreated, StoredMark, StoredRetryScheduled, StoredTriggerFired, stored_cause, stored_event::Kind,
};

use super::opened;
use super::{Malformed, plan, to_u32, workflow_run};
use crate::store::EventRow;

/// An event as it is stored.
pub(crate) fn to_stored(event: &EventKind) -> StoredEvent {
    let kind = match event {
        EventKind::Started(cause) => Kind::Started(to_cause(cause)),
        EventKind::Refused(cause) => Kind::Refused(to_cause(cause)),
        EventKind::PropertiesSeeded => Kind::PropertiesSeeded(StoredMark {}),
        EventKind::TriggerFired { trigger } => Kind::TriggerFired(StoredTriggerFired {
            trigger: trigger.clone(),
        }),
        EventKind::ConditionMet {
            trigger,
            condition,
            end,
        } => Kind::ConditionMet(condition_met(trigger, *condition, *end)),
        EventKind::JobRunCreated {
            node,
            job_run,
            trigger,
            state,
        } => Kind::JobRunCreated(StoredJobRunCreated {
            node: to_u32(*node),
            job_run: job_run.to_string(),
            trigger: trigger.clone().unwrap_or_default(),
            state: plan::to_job_run_state(*state).into(),
        }),
        EventKind::JobRunChanged { job_run, state } => Kind::JobRunChanged(StoredJobRunChanged {
            job_run: job_run.to_string(),
            state: plan::to_job_run_state(*state).into(),
        }),
        EventKind::RetryScheduled { job_run, at } => Kind::RetryScheduled(StoredRetryScheduled {
            job_run: job_run.to_string(),
            at_ms: at.as_millis(),
        }),
        EventKind::JobRunRequeued { job_run } => Kind::JobRunRequeued(job_run.to_string()),
        EventKind::JobRunDelayed { job_run } => Kind::JobRunDelayed(job_run.to_string()),
        EventKind::CrawlEnded { node, end } => Kind::CrawlEnded(StoredCrawlEnded {
            node: to_u32(*node),
            state: match end {
                EndState::Crawl(state) => plan::to_crawl_state(*state).into(),
                EndState::Job(_) => CrawlState::Unspecified.into(),
            },
        }),
        EventKind::StopRequested => Kind::StopRequested(StoredMark {}),
        EventKind::Ended(status) => Kind::Ended(workflow_run::to_status(*status).into()),
    };
    StoredEvent { kind: Some(kind) }
}

fn condition_met(trigger: &str, condition: usize, end: EndState) -> StoredConditionMet {
    let mut met = StoredConditionMet {
        trigger: trigger.to_owned(),
        condition: to_u32(condition),
        ..StoredConditionMet::default()
    };
    match end {
        EndState::Job(state) => met.job_run_state = plan::to_job_run_state(state).into(),
        EndState::Crawl(state) => met.crawl_state = plan::to_crawl_state(state).into(),
    }
    met
}

fn to_cause(cause: &Cause) -> StoredCause {
    let cause = match cause {
        Cause::Call => stored_cause::Cause::Call(StoredMark {}),
        Cause::OnDemand => stored_cause::Cause::OnDemand(StoredMark {}),
        Cause::Schedule(at) => stored_cause::Cause::ScheduleMs(Timestamp::as_millis(*at)),
        Cause::Events(ids) => stored_cause::Cause::Events(StoredEventIds { ids: ids.clone() }),
        Cause::Resume(run) => stored_cause::Cause::Resume(run.to_string()),
    };
    StoredCause { cause: Some(cause) }
}

/// An event of a run, from its row.
pub(crate) fn from_stored(run: WorkflowRunId, row: &EventRow) -> Result<HistoryEvent, Malformed> {
    let stored = opened::<StoredEvent>(&row.data, "event")?;
    Ok(HistoryEvent {
        run,
        sequence: row.sequence,
        at: Timestamp::from_millis(row.at_ms),
        kind: from_kind(stored.kind.ok_or(Malformed("event"))?)?,
    })
}

fn from_kind(kind: Kind) -> Result<EventKind, Malformed> {
    let id = |text: &str| text.parse::<JobRunId>().map_err(|_| Malformed("event"));
    Ok(match kind {
        Kind::Started(cause) => EventKind::Started(from_cause(cause)?),
        Kind::Refused(cause) => EventKind::Refused(from_cause(cause)?),
        Kind::PropertiesSeeded(StoredMark {}) => EventKind::PropertiesSeeded,
        Kind::TriggerFired(StoredTriggerFired { trigger }) => EventKind::TriggerFired { trigger },
        Kind::ConditionMet(met) => EventKind::ConditionMet {
            end: match met.crawl_state() {
                CrawlState::Unspecified => EndState::Job(plan::job_run_state(met.job_run_state())?),
                state => EndState::Crawl(plan::crawl_state(state)?),
            },
            condition: met.condition as usize,
            trigger: met.trigger,
        },
        Kind::JobRunCreated(created) => EventKind::JobRunCreated {
            node: created.node as usize,
            job_run: id(&created.job_run)?,
            state: plan::job_run_state(created.state())?,
            trigger: Some(created.trigger).filter(|trigger| !trigger.is_empty()),
        },
        Kind::JobRunChanged(changed) => EventKind::JobRunChanged {
            job_run: id(&changed.job_run)?,
            state: plan::job_run_state(changed.state())?,
        },
        Kind::RetryScheduled(retry) => EventKind::RetryScheduled {
            job_run: id(&retry.job_run)?,
            at: Timestamp::from_millis(retry.at_ms),
        },
        Kind::JobRunRequeued(job_run) => EventKind::JobRunRequeued { job_run: id(&job_run)? },
        Kind::JobRunDelayed(job_run) => EventKind::JobRunDelayed { job_run: id(&job_run)? },
        Kind::CrawlEnded(ended) => EventKind::CrawlEnded {
            node: ended.node as usize,
            end: EndState::Crawl(plan::crawl_state(ended.state())?),
        },
        Kind::StopRequested(StoredMark {}) => EventKind::StopRequested,
        Kind::Ended(status) => {
            let status = WorkflowRunStatus::try_from(status).map_err(|_| Malformed("event"))?;
            EventKind::Ended(workflow_run::from_status(status)?)
        }
    })
}

fn from_cause(cause: StoredCause) -> Result<Cause, Malformed> {
    Ok(match cause.cause.ok_or(Malformed("event"))? {
        stored_cause::Cause::Call(StoredMark {}) => Cause::Call,
        stored_cause::Cause::OnDemand(StoredMark {}) => Cause::OnDemand,
        stored_cause::Cause::ScheduleMs(at) => Cause::Schedule(Timestamp::from_millis(at)),
        stored_cause::Cause::Events(StoredEventIds { ids }) => Cause::Events(ids),
        stored_cause::Cause::Resume(run) => Cause::Resume(workflow_run::run_id(&run)?),
    })
}

#[cfg(test)]
mod tests {
    use treenail_engine::{
        glue::{CrawlState as Crawl, JobRunState, RunStatus},
        ids::Ids,
    };

    use super::*;
    use crate::codec::sealed;

    const NOW: Timestamp = Timestamp::from_millis(1_795_201_200_000);

    fn row(data: Vec<u8>) -> EventRow {
        EventRow {
            run_id: "not looked at".to_owned(),
            sequence: 7,
            at_ms: NOW.as_millis(),
            data,
        }
    }

    fn kinds(ids: &mut Ids) -> Vec<EventKind> {
        let (job_run, run) = (ids.job_run(NOW).next_attempt(), ids.workflow_run(NOW));
        let trigger = "t".to_owned();
        let met = |end| EventKind::ConditionMet {
            trigger: "t".to_owned(),
            condition: 3,
            end,
        };
        let created = |trigger| EventKind::JobRunCreated {
            node: 2,
            job_run,
            trigger,
            state: JobRunState::Waiting,
        };
        let crawled = EndState::Crawl(Crawl::Error);
        vec![
            EventKind::Started(Cause::Call),
            EventKind::Started(Cause::OnDemand),
            EventKind::Started(Cause::Events(vec!["1".to_owned(), "2".to_owned()])),
            EventKind::Started(Cause::Resume(run)),
            EventKind::Refused(Cause::Schedule(NOW)),
            EventKind::PropertiesSeeded,
            EventKind::TriggerFired { trigger },
            met(EndState::Job(JobRunState::Timeout)),
            met(crawled),
            created(Some("t".to_owned())),
            created(None),
            EventKind::JobRunChanged {
                job_run,
                state: JobRunState::Stopping,
            },
            EventKind::RetryScheduled { job_run, at: NOW },
            EventKind::JobRunRequeued { job_run },
            EventKind::JobRunDelayed { job_run },
            EventKind::CrawlEnded { node: 4, end: crawled },
            EventKind::StopRequested,
            EventKind::Ended(RunStatus::Stopped),
        ]
    }

    #[test]
    fn every_event_is_read_back_as_it_was() {
        let mut ids = Ids::new([1; 32]);
        let run = ids.workflow_run(NOW);
        for kind in kinds(&mut ids) {
            let read = from_stored(run, &row(sealed(&to_stored(&kind))));
            let expected = HistoryEvent {
                run,
                sequence: 7,
                at: NOW,
                kind,
            };
            assert_eq!(read, Ok(expected));
        }
    }

    #[test]
    fn an_event_that_does_not_say_what_it_must_is_malformed() {
        let run = Ids::new([1; 32]).workflow_run(NOW);
        let garbled = [
            Kind::Started(StoredCause { cause: None }),
            Kind::JobRunRequeued("jr_".to_owned()),
            Kind::JobRunChanged(StoredJobRunChanged::default()),
            Kind::CrawlEnded(StoredCrawlEnded::default()),
            Kind::Ended(99),
        ];
        let mut rows: Vec<Vec<u8>> = garbled.map(|kind| sealed(&StoredEvent { kind: Some(kind) })).to_vec();
        rows.extend([sealed(&StoredEvent { kind: None }), vec![0xff; 9], Vec::new()]);
        for data in rows {
            assert!(from_stored(run, &row(data)).is_err());
        }
    }
}
