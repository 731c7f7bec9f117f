//! The clock that is moved by hand.

use treenail_control_plane::{Config, store::memory::MemoryStore};
use treenail_proto::ops::v1::{AdvanceClockRequest, GetClockRequest};
use treenail_rpc::Clock;

use crate::{
    scheduler::FakeScheduler,
    words::refused,
    world::{START_MS, World},
};

fn step(milliseconds: i64) -> AdvanceClockRequest {
    AdvanceClockRequest {
        milliseconds: Some(milliseconds),
    }
}

fn at(milliseconds: i64) -> Option<prost_types::Timestamp> {
    let nanos = i32::try_from(milliseconds % 1_000 * 1_000_000).expect("less than a second");
    Some(prost_types::Timestamp {
        seconds: milliseconds / 1_000,
        nanos,
    })
}

#[tokio::test]
async fn a_step_moves_the_scheduler_and_then_the_control_plane() {
    let world = World::start();
    let answer = world.clocks().advance_clock(step(60_000)).await.unwrap().into_inner();
    assert_eq!(answer.now, at(START_MS + 60_000));
    assert_eq!(Some(world.scheduler.state().now), answer.now);
    let answer = world.clocks().get_clock(GetClockRequest {}).await.unwrap().into_inner();
    assert_eq!((answer.now, answer.manual), (at(START_MS + 60_000), Some(true)));
}

#[tokio::test]
async fn a_step_begins_where_the_one_that_is_ahead_stands() {
    let world = World::start();
    world.scheduler.state().now = at(START_MS + 5_000).unwrap();
    let answer = world.clocks().advance_clock(step(1_000)).await.unwrap().into_inner();
    assert_eq!(answer.now, at(START_MS + 6_000));
}

#[tokio::test]
async fn a_step_that_the_scheduler_did_not_make_is_not_made() {
    let world = World::start();
    world.scheduler.state().is_down = true;
    let refusal = world.clocks().advance_clock(step(1_000)).await;
    refused(
        refusal,
        "ServiceUnavailableException",
        "The service cannot be reached at the moment.",
    );
    assert_eq!(world.clock.now().as_millis(), START_MS);
}

#[tokio::test]
async fn a_step_is_a_millisecond_to_a_year_and_the_clock_has_to_be_manual() {
    let world = World::start();
    let year = 366 * 24 * 60 * 60 * 1_000;
    let message = "A step takes 1 to 31622400000 milliseconds";
    for milliseconds in [0, -1, year + 1, i64::MAX] {
        refused(
            world.clocks().advance_clock(step(milliseconds)).await,
            "InvalidInputException",
            message,
        );
    }
    world.clocks().advance_clock(step(year)).await.unwrap();
    let real = World::start_at(
        Config::default(),
        MemoryStore::default(),
        FakeScheduler::default(),
        Clock::system(),
    );
    let message = "The clock can be moved only when the server was started with a manual clock";
    refused(
        real.clocks().advance_clock(step(1)).await,
        "InvalidInputException",
        message,
    );
    let answer = real.clocks().get_clock(GetClockRequest {}).await.unwrap().into_inner();
    assert_eq!(answer.manual, Some(false));
}
