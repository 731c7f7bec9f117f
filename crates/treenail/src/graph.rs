//! A workflow run as a graph of text: its nodes in layers, each with its state and how long it took.

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{JobRun, JobRunState, Node, NodeType, WorkflowRun, WorkflowRunStatus};

const RESET: &str = "\x1b[0m";

/// Draws a run: one line a node, indented by its distance from the start.
pub(crate) fn draw(run: &WorkflowRun, colours: bool) -> Vec<String> {
    let Some(graph) = &run.graph else { return Vec::new() };
    let depths = depths(graph);
    let sources = sources(graph);
    let mut lines = Vec::with_capacity(graph.nodes.len() + 1);
    for node in &graph.nodes {
        let indent = "  ".repeat(depths.get(node.unique_id()).copied().unwrap_or_default());
        let (glyph, colour, text) = describe(node);
        let after = match (node.r#type(), sources.get(node.unique_id())) {
            (NodeType::Trigger, Some(names)) if names.len() > 1 => format!("  <- {}", names.join(", ")),
            _ => String::new(),
        };
        let line = format!("{indent}{glyph} {}{text}{after}", node.name());
        lines.push(if colours {
            format!("{colour}{line}{RESET}")
        } else {
            line
        });
    }
    lines.push(progress(run));
    lines
}

/// What changed since the last look, as lines; remembers what was told.
pub(crate) fn changes(run: &WorkflowRun, told: &mut BTreeMap<String, JobRunState>) -> Vec<String> {
    let nodes = run.graph.iter().flat_map(|graph| &graph.nodes);
    let job_runs = nodes
        .filter_map(|node| node.job_details.as_ref())
        .flat_map(|details| &details.job_runs);
    let mut lines = Vec::new();
    for job_run in job_runs {
        let state = job_run.job_run_state();
        if told.insert(job_run.id().to_owned(), state) != Some(state) {
            let attempt = if job_run.attempt() > 0 {
                format!(" attempt {}", job_run.attempt())
            } else {
                String::new()
            };
            lines.push(format!(
                "{}{attempt}: {}{}",
                job_run.job_name(),
                state_word(state),
                duration(job_run)
            ));
        }
    }
    lines
}

/// A status in AWS's word.
pub(crate) fn status_word(status: WorkflowRunStatus) -> &'static str {
    status.as_str_name().trim_start_matches("WORKFLOW_RUN_STATUS_")
}

/// A state in AWS's word.
pub(crate) fn state_word(state: JobRunState) -> &'static str {
    state.as_str_name().trim_start_matches("JOB_RUN_STATE_")
}

fn progress(run: &WorkflowRun) -> String {
    let statistics = run.statistics.unwrap_or_default();
    let total = usize::try_from(statistics.total_actions.unwrap_or_default()).unwrap_or_default();
    let ended: i32 = [
        statistics.succeeded_actions,
        statistics.failed_actions,
        statistics.timeout_actions,
        statistics.stopped_actions,
        statistics.errored_actions,
    ]
    .into_iter()
    .flatten()
    .sum();
    let ended = usize::try_from(ended).unwrap_or_default().min(total);
    format!(
        "[{}{}] {ended}/{total} {}",
        "#".repeat(ended),
        ".".repeat(total - ended),
        status_word(run.status())
    )
}

fn describe(node: &Node) -> (&'static str, &'static str, String) {
    const GREEN: &str = "\x1b[32m";
    const RED: &str = "\x1b[31m";
    const YELLOW: &str = "\x1b[33m";
    const DIM: &str = "\x1b[2m";
    if node.r#type() == NodeType::Trigger {
        return ("<>", DIM, String::new());
    }
    let Some(last) = node.job_details.as_ref().and_then(|details| details.job_runs.last()) else {
        return ("( )", DIM, String::new());
    };
    let attempt = if last.attempt() > 0 {
        format!(", attempt {}", last.attempt())
    } else {
        String::new()
    };
    let text = format!("  {}{}{attempt}", state_word(last.job_run_state()), duration(last));
    match last.job_run_state() {
        JobRunState::Succeeded => ("(+)", GREEN, text),
        JobRunState::Starting | JobRunState::Running | JobRunState::Stopping | JobRunState::Waiting => {
            ("(~)", YELLOW, text)
        }
        JobRunState::Failed
        | JobRunState::Timeout
        | JobRunState::Error
        | JobRunState::Stopped
        | JobRunState::Expired
        | JobRunState::Unspecified => ("(x)", RED, text),
    }
}

fn duration(job_run: &JobRun) -> String {
    let (Some(from), Some(to)) = (&job_run.started_on, &job_run.completed_on) else {
        return String::new();
    };
    let millis = (to.seconds - from.seconds) * 1000 + i64::from((to.nanos - from.nanos) / 1_000_000);
    format!(" in {}.{:01} s", millis / 1000, millis % 1000 / 100)
}

/// How far each node is from the start, by its id; what is reached on several ways counts the longest.
fn depths(graph: &treenail_proto::glue::v1::WorkflowGraph) -> BTreeMap<&str, usize> {
    let mut depths: BTreeMap<&str, usize> = graph.nodes.iter().map(|node| (node.unique_id(), 0)).collect();
    // As many rounds as there are nodes reach the end of any path; a cycle goes no further.
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for edge in &graph.edges {
            let from = depths.get(edge.source_id()).copied().unwrap_or_default();
            if let Some(to) = depths.get_mut(edge.destination_id())
                && *to <= from
                && from < graph.nodes.len()
            {
                *to = from + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    depths
}

fn sources(graph: &treenail_proto::glue::v1::WorkflowGraph) -> BTreeMap<&str, Vec<&str>> {
    let names: BTreeMap<&str, &str> = graph.nodes.iter().map(|node| (node.unique_id(), node.name())).collect();
    let mut sources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in &graph.edges {
        sources
            .entry(edge.destination_id())
            .or_default()
            .extend(names.get(edge.source_id()));
    }
    sources
}
