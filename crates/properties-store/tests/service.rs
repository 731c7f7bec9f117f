//! The service as its callers see it, through a channel.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use tonic::Status;
use treenail_properties_store::{
    Config, Deps, build,
    store::memory::{Failure, Memory},
};
use treenail_proto::{
    glue::v1::{
        GetWorkflowRunPropertiesRequest, PutWorkflowRunPropertiesRequest,
        run_properties_service_client::RunPropertiesServiceClient,
    },
    internal::v1::{
        BatchGetRunPropertiesRequest, ForgetRunPropertiesRequest, Seed, SeedRunPropertiesRequest,
        seed_service_client::SeedServiceClient,
    },
};
use treenail_rpc::{Caller, Channel, Fault, Reason, Scope, in_process};

/// A served properties-store and its callers.
struct Fixture {
    store: Memory,
    jobs: RunPropertiesServiceClient<Channel>,
    scheduler: SeedServiceClient<Channel>,
    caller: Caller,
}

impl Fixture {
    fn with(config: Config) -> Fixture {
        let store = Memory::new();
        let channel = in_process(build(config, Deps { store: store.clone() }).routes());
        Fixture {
            store,
            jobs: RunPropertiesServiceClient::new(channel.clone()),
            scheduler: SeedServiceClient::new(channel),
            caller: Caller::default(),
        }
    }

    async fn seed(&mut self, run_id: &str, pairs: &[(&str, &str)]) {
        let request = SeedRunPropertiesRequest {
            seeds: vec![seed(run_id, pairs)],
        };
        self.scheduler
            .seed_run_properties(self.caller.request(request))
            .await
            .unwrap();
    }

    async fn get(&mut self, workflow: &str, run_id: &str) -> Result<BTreeMap<String, String>, Status> {
        let request = GetWorkflowRunPropertiesRequest {
            name: Some(workflow.to_owned()),
            run_id: Some(run_id.to_owned()),
        };
        let answer = self
            .jobs
            .get_workflow_run_properties(self.caller.request(request))
            .await?;
        Ok(answer.into_inner().run_properties)
    }

    async fn put(&mut self, workflow: &str, run_id: &str, pairs: &[(&str, &str)]) -> Result<(), Status> {
        let request = PutWorkflowRunPropertiesRequest {
            name: Some(workflow.to_owned()),
            run_id: Some(run_id.to_owned()),
            run_properties: map(pairs),
        };
        self.jobs
            .put_workflow_run_properties(self.caller.request(request))
            .await?;
        Ok(())
    }
}

fn seed(run_id: &str, pairs: &[(&str, &str)]) -> Seed {
    Seed {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        workflow_name: "nightly".to_owned(),
        run_id: run_id.to_owned(),
        copy_from_run_id: String::new(),
        properties: map(pairs),
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn check_refused<T: std::fmt::Debug>(answer: Result<T, Status>, reason: Reason, message: &str) {
    assert_eq!(Fault::from_status(&answer.unwrap_err()), Fault::new(reason, message));
}

#[tokio::test]
async fn a_job_reads_what_the_run_was_seeded_with_and_what_jobs_put_since() {
    let mut fixture = Fixture::with(Config::default());
    fixture.seed("wr_1", &[("day", "monday"), ("source", "s3://raw")]).await;
    fixture
        .put("nightly", "wr_1", &[("day", "tuesday"), ("rows", "7")])
        .await
        .unwrap();
    let expected = map(&[("day", "tuesday"), ("rows", "7"), ("source", "s3://raw")]);
    assert_eq!(fixture.get("nightly", "wr_1").await.unwrap(), expected);
}

#[tokio::test]
async fn a_run_is_found_only_under_its_workflow_and_scope() {
    let mut fixture = Fixture::with(Config::default());
    fixture.seed("wr_1", &[]).await;
    let rows = [("weekly", "wr_1"), ("nightly", "wr_2"), ("NIGHTLY", "wr_1")];
    for (workflow, run_id) in rows {
        let got = fixture.get(workflow, run_id).await;
        check_refused(got, Reason::EntityNotFoundException, "Entity not found");
        let put = fixture.put(workflow, run_id, &[("a", "1")]).await;
        check_refused(put, Reason::EntityNotFoundException, "Entity not found");
    }
    fixture.caller = Caller::new(Scope {
        account: "111111111111".to_owned(),
        ..Scope::default()
    });
    let got = fixture.get("nightly", "wr_1").await;
    check_refused(got, Reason::EntityNotFoundException, "Entity not found");
}

#[tokio::test]
async fn a_put_beyond_a_limit_names_the_limit() {
    let mut fixture = Fixture::with(Config {
        run_properties_max: 2,
        run_bytes_max: 20,
    });
    fixture.seed("wr_1", &[("a", "1")]).await;
    check_refused(
        fixture.put("nightly", "wr_1", &[("b", "2"), ("c", "3")]).await,
        Reason::ResourceNumberLimitExceededException,
        "The number of run properties has exceeded the limit. A workflow run is limited to 2 properties.",
    );
    check_refused(
        fixture.put("nightly", "wr_1", &[("b", "0123456789012345678")]).await,
        Reason::ResourceNumberLimitExceededException,
        "The size of run properties has exceeded the limit. A workflow run is limited to 20 bytes.",
    );
    fixture
        .put("nightly", "wr_1", &[("b", "01234567890123456")])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_without_its_names_is_refused() {
    let mut fixture = Fixture::with(Config::default());
    check_refused(
        fixture.get("", "wr_1").await,
        Reason::InvalidInputException,
        "name must not be empty",
    );
    check_refused(
        fixture.put("nightly", "", &[]).await,
        Reason::InvalidInputException,
        "runId must not be empty",
    );
}

#[tokio::test]
async fn the_scheduler_seeds_reads_and_forgets_runs_by_the_thousand() {
    let mut fixture = Fixture::with(Config::default());
    let run_ids: Vec<String> = (0..1_000).map(|number| format!("wr_{number}")).collect();
    let seeds = run_ids.iter().map(|run_id| seed(run_id, &[("id", run_id)])).collect();
    fixture
        .scheduler
        .seed_run_properties(SeedRunPropertiesRequest { seeds })
        .await
        .unwrap();

    let wanted = BatchGetRunPropertiesRequest {
        run_ids: run_ids.clone(),
    };
    let found = fixture
        .scheduler
        .batch_get_run_properties(wanted.clone())
        .await
        .unwrap()
        .into_inner()
        .runs;
    assert_eq!(found.len(), 1_000);
    assert_eq!(found["wr_999"].properties["id"], "wr_999");

    fixture
        .scheduler
        .forget_run_properties(ForgetRunPropertiesRequest { run_ids })
        .await
        .unwrap();
    let found = fixture
        .scheduler
        .batch_get_run_properties(wanted)
        .await
        .unwrap()
        .into_inner()
        .runs;
    assert!(found.is_empty());
}

#[tokio::test]
async fn more_runs_than_a_call_may_name_are_refused() {
    let mut fixture = Fixture::with(Config::default());
    let run_ids = vec!["wr_1".to_owned(); 1_001];
    let seeds = vec![seed("wr_1", &[]); 1_001];
    let (reason, message) = (Reason::InvalidInputException, "run_ids may have at most 1000 members");
    let forget = ForgetRunPropertiesRequest {
        run_ids: run_ids.clone(),
    };
    check_refused(fixture.scheduler.forget_run_properties(forget).await, reason, message);
    let get = BatchGetRunPropertiesRequest { run_ids };
    check_refused(fixture.scheduler.batch_get_run_properties(get).await, reason, message);
    let seeded = fixture
        .scheduler
        .seed_run_properties(SeedRunPropertiesRequest { seeds })
        .await;
    check_refused(seeded, reason, "seeds may have at most 1000 members");
}

#[tokio::test]
async fn a_store_that_fails_is_our_fault_and_its_words_stay_inside() {
    let mut fixture = Fixture::with(Config::default());
    fixture.seed("wr_1", &[]).await;
    fixture.store.fail_next_write(Failure::BeforeCommit);
    let failure = Fault::from_status(&fixture.put("nightly", "wr_1", &[("a", "1")]).await.unwrap_err());
    assert_eq!(failure, Fault::internal());
    fixture.put("nightly", "wr_1", &[("a", "1")]).await.unwrap();
}
