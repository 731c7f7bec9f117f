//! Which image runs which command, by what the operator says.

use std::{collections::BTreeMap, iter::successors};

use treenail_proto::worker::v1::JobTask;

/// Images by the commands that they run: `pythonshell`, or with the version `pythonshell:3.9` and `glueetl:5.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    by_key: BTreeMap<String, String>,
}

impl Images {
    /// Reads `KEY=IMAGE` entries; a later one of the same key wins.
    ///
    /// # Errors
    /// In words when an entry is not in that form, or its key names no command.
    pub fn parse<'e>(entries: impl IntoIterator<Item = &'e str>) -> Result<Images, String> {
        const COMMANDS: [&str; 3] = ["pythonshell", "glueetl", "gluestreaming"];
        let mut by_key = BTreeMap::new();
        for entry in entries {
            let (key, image) = entry
                .split_once('=')
                // What begins with a dash would be an option of an engine's.
                .filter(|(_, image)| !image.trim().is_empty() && !image.trim().starts_with('-'))
                .ok_or_else(|| format!("an image is COMMAND=IMAGE or COMMAND:VERSION=IMAGE, not {entry}"))?;
            let command = key.split(':').next().unwrap_or_default().trim();
            if !COMMANDS.contains(&command) {
                return Err(format!("an image runs one of {}, not {command}", COMMANDS.join(", ")));
            }
            by_key.insert(key.trim().to_owned(), image.trim().to_owned());
        }
        Ok(Images { by_key })
    }

    /// The image for a job: that of its command and version, else of what the version begins with, as 3.9 does with 3, else
    /// that of its command. What runs `glueetl` also runs
    /// `gluestreaming`, where nothing else is said of it.
    ///
    /// # Errors
    /// In words when there is none.
    pub(crate) fn of(&self, job: &JobTask) -> Result<&str, String> {
        let command = job.command.as_ref();
        let name = command.map_or("", |command| command.name());
        let version = match name {
            "pythonshell" => command.map_or("", |command| command.python_version()),
            _ => job.glue_version.as_str(),
        };
        let names = match name {
            "gluestreaming" => vec![name, "glueetl"],
            _ => vec![name],
        };
        let found = names.iter().find_map(|name| {
            let versions = successors(Some(version), |version| Some(version.rsplit_once('.')?.0));
            let exact = versions.filter_map(|version| self.by_key.get(&format!("{name}:{version}")));
            exact.chain(self.by_key.get(*name)).next()
        });
        found.map(String::as_str).ok_or_else(|| {
            format!("This worker has no image for the command {name} {version}")
                .trim_end()
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use treenail_proto::{glue::v1::JobCommand, worker::v1::JobTask};

    use super::Images;

    fn job(name: &str, python: &str, glue: &str) -> JobTask {
        JobTask {
            command: Some(JobCommand {
                name: Some(name.to_owned()),
                python_version: Some(python.to_owned()),
                ..JobCommand::default()
            }),
            glue_version: glue.to_owned(),
            ..JobTask::default()
        }
    }

    #[test]
    fn the_most_exact_image_wins() {
        let images = Images::parse([
            "pythonshell=python:2",
            "pythonshell:3=python:3.6",
            "pythonshell:3.9=python:3.9",
            "glueetl=spark:3",
            "glueetl:5.0=registry.example.com:5000/spark:3.5",
        ])
        .unwrap();
        let rows = [
            (job("pythonshell", "3.9", ""), Some("python:3.9")),
            (job("pythonshell", "3.6", ""), Some("python:3.6")),
            (job("pythonshell", "2", ""), Some("python:2")),
            (job("pythonshell", "", ""), Some("python:2")),
            (job("glueetl", "3", "5.0"), Some("registry.example.com:5000/spark:3.5")),
            (job("glueetl", "3", "4.0"), Some("spark:3")),
            (
                job("gluestreaming", "3", "5.0"),
                Some("registry.example.com:5000/spark:3.5"),
            ),
            (job("glueray", "3.9", ""), None),
        ];
        for (job, image) in rows {
            assert_eq!(images.of(&job).ok(), image, "{job:?}");
        }
    }

    #[test]
    fn what_names_no_command_is_refused() {
        for entry in [
            "pythonshell",
            "pythonshell=",
            "python=image",
            "=image",
            "",
            "pythonshell=--privileged",
        ] {
            assert!(Images::parse([entry]).is_err(), "{entry}");
        }
    }
}
