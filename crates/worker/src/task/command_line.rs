//! What a job run's command asks for, and the arguments that its script sees.

use std::{ffi::OsString, path::Path};

use sha2::{Digest as _, Sha256};
use treenail_proto::worker::v1::{JobTask, Task};

use crate::outcome::Engine;

/// Arguments that the service sets for Spark jobs: what a user says of them is not heard.
const SPARK_OWN: [&str; 3] = ["--JOB_NAME", "--JOB_ID", "--JOB_RUN_ID"];
/// Arguments that the service sets within workflow runs.
const WORKFLOW_OWN: [&str; 2] = ["--WORKFLOW_NAME", "--WORKFLOW_RUN_ID"];

/// Becomes pyspark's own `spark-submit`, or that of the image, which runs the script with this interpreter on this machine's
/// cores; nothing of it listens beyond loopback.
const SPARK_SUBMIT: &str = "import os, sys
try:
    import pyspark
    home = os.path.dirname(pyspark.__file__)
except ImportError:
    if 'SPARK_HOME' not in os.environ:
        raise
    home = os.environ['SPARK_HOME']
os.environ.setdefault('PYSPARK_PYTHON', sys.executable)
os.environ.setdefault('PYSPARK_DRIVER_PYTHON', sys.executable)
os.environ.setdefault('SPARK_LOCAL_IP', '127.0.0.1')
submit = os.path.join(home, 'bin', 'spark-submit')
os.execv(submit, [submit, '--master', 'local[*]', '--conf', 'spark.ui.enabled=false', *sys.argv[1:]])";

/// What the interpreter is told: how it runs the script, the script, and its arguments.
pub(crate) fn of(task: &Task, job: &JobTask, engine: Engine, script: &Path) -> Vec<OsString> {
    let how = match engine {
        Engine::PythonShell => vec!["-u"],
        Engine::Spark => vec!["-u", "-c", SPARK_SUBMIT],
    };
    let how = how.into_iter().map(OsString::from);
    let arguments = arguments(task, job, engine).into_iter().map(OsString::from);
    how.chain([script.as_os_str().to_owned()]).chain(arguments).collect()
}

/// Which engine runs the job.
///
/// # Errors
/// In words when there is none for it; for an unknown name in AWS's.
pub(crate) fn engine(job: &JobTask) -> Result<Engine, String> {
    let name = job.command.as_ref().and_then(|command| command.name.as_deref());
    let is_scala = job
        .arguments
        .get("--job-language")
        .is_some_and(|language| language == "scala");
    match name.unwrap_or_default() {
        "pythonshell" => Ok(Engine::PythonShell),
        "glueetl" | "gluestreaming" if is_scala => Err("This worker runs scripts in Python, not in Scala.".to_owned()),
        "glueetl" | "gluestreaming" => Ok(Engine::Spark),
        "glueray" => Err("This worker does not run Ray jobs.".to_owned()),
        _ => Err("Could not find command for the given criteria".to_owned()),
    }
}

/// The script's arguments: every argument as its name and its value, one without a value as its name alone.
fn arguments(task: &Task, job: &JobTask, engine: Engine) -> Vec<String> {
    let mut own: Vec<(&str, String)> = Vec::new();
    match engine {
        Engine::PythonShell => {}
        Engine::Spark => {
            let [name, id, run_id] = SPARK_OWN;
            own.push((name, job.job_name.clone()));
            own.push((id, job_id(task, job)));
            own.push((run_id, job.job_run_id.clone()));
        }
    }
    if !job.workflow_run_id.is_empty() {
        let [name, run_id] = WORKFLOW_OWN;
        own.push((name, job.workflow_name.clone()));
        own.push((run_id, job.workflow_run_id.clone()));
    }
    let mut arguments = Vec::new();
    let users = job
        .arguments
        .iter()
        .filter(|(key, _)| own.iter().all(|(name, _)| name != key));
    for (key, value) in users {
        arguments.push(key.clone());
        if !value.is_empty() {
            arguments.push(value.clone());
        }
    }
    for (name, value) in own {
        arguments.push(name.to_owned());
        arguments.push(value);
    }
    arguments
}

/// The job's id in the form of AWS's, the same for all runs of the job.
fn job_id(task: &Task, job: &JobTask) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", task.account, task.region, job.job_name));
    digest
        .iter()
        .fold("j_".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use treenail_proto::{
        glue::v1::JobCommand,
        worker::v1::{JobTask, Task},
    };

    use super::{arguments, engine};
    use crate::outcome::Engine;

    fn job(command: &str, given: &[(&str, &str)]) -> JobTask {
        JobTask {
            job_name: "etl".to_owned(),
            job_run_id: "jr_1".to_owned(),
            command: Some(JobCommand {
                name: Some(command.to_owned()),
                ..JobCommand::default()
            }),
            arguments: given
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..JobTask::default()
        }
    }

    #[test]
    fn a_command_names_its_engine() {
        let rows = [
            ("pythonshell", Ok(Engine::PythonShell)),
            ("glueetl", Ok(Engine::Spark)),
            ("gluestreaming", Ok(Engine::Spark)),
            ("", Err("Could not find command for the given criteria".to_owned())),
            (
                "nonsense",
                Err("Could not find command for the given criteria".to_owned()),
            ),
        ];
        for (name, expected) in rows {
            assert_eq!(engine(&job(name, &[])), expected, "{name}");
        }
        assert!(engine(&job("glueetl", &[("--job-language", "scala")])).is_err());
    }

    #[test]
    fn a_shell_script_sees_the_users_arguments_only() {
        let job = job("pythonshell", &[("--a", "1"), ("--flag", ""), ("--JOB_NAME", "mine")]);
        let seen = arguments(&Task::default(), &job, Engine::PythonShell);
        assert_eq!(seen, ["--JOB_NAME", "mine", "--a", "1", "--flag"]);
    }

    #[test]
    fn a_spark_script_in_a_workflow_sees_its_run() {
        let job = JobTask {
            workflow_name: "flow".to_owned(),
            workflow_run_id: "wr_1".to_owned(),
            ..job("glueetl", &[("--a", "1"), ("--JOB_NAME", "mine")])
        };
        let seen = arguments(&Task::default(), &job, Engine::Spark);
        let id = seen.iter().find(|argument| argument.starts_with("j_")).unwrap().clone();
        assert_eq!(id.len(), 66);
        assert_eq!(
            seen,
            [
                "--a",
                "1",
                "--JOB_NAME",
                "etl",
                "--JOB_ID",
                id.as_str(),
                "--JOB_RUN_ID",
                "jr_1",
                "--WORKFLOW_NAME",
                "flow",
                "--WORKFLOW_RUN_ID",
                "wr_1",
            ]
        );
    }
}
