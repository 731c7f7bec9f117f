//! Which image runs which jobs.

use std::collections::BTreeMap;

use treenail_proto::worker::v1::JobTask;

/// Images by the commands of jobs, and by their versions.
///
/// A key is a command, such as `pythonshell`, or a command and a version, such as `glueetl:5.0`: of Python for
/// `pythonshell`, of Glue for the others. A version stands for all that begin with it: `pythonshell:3` also for 3.9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    images: BTreeMap<String, String>,
}

/// An image that is not said as `KEY=IMAGE`.
#[derive(Debug, thiserror::Error)]
#[error(
    "an image is said as COMMAND=IMAGE or COMMAND:VERSION=IMAGE, such as pythonshell:3.9=python:3.9-slim, not as {0:?}"
)]
pub struct InvalidImage(String);

impl Images {
    /// Reads images in the form of `KEY=IMAGE`.
    ///
    /// # Errors
    /// When one is in another form.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Images, InvalidImage> {
        let mut images = BTreeMap::new();
        for text in texts {
            let pair = text.split_once('=').map(|(key, image)| (key.trim(), image.trim()));
            // What begins with a dash would be an option of the engine's.
            let is_whole =
                |(key, image): &(&str, &str)| !key.is_empty() && !image.is_empty() && !image.starts_with('-');
            let (key, image) = pair.filter(is_whole).ok_or_else(|| InvalidImage(text.to_owned()))?;
            images.insert(key.to_owned(), image.to_owned());
        }
        Ok(Images { images })
    }

    /// The image for a job: the one whose key says most of its version.
    ///
    /// # Errors
    /// In words when there is none.
    pub(super) fn of(&self, job: &JobTask) -> Result<&str, String> {
        let command = job.command.as_ref();
        let name = command.map_or("", |command| command.name());
        let version = match name {
            "pythonshell" => command.map_or("", |command| command.python_version()),
            _ => &job.glue_version,
        };
        let mut prefix = version;
        loop {
            let key = if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{name}:{prefix}")
            };
            if let Some(image) = self.images.get(&key) {
                return Ok(image);
            }
            if prefix.is_empty() {
                break;
            }
            prefix = prefix.rsplit_once('.').map_or("", |(shorter, _)| shorter);
        }
        let key = if version.is_empty() {
            name.to_owned()
        } else {
            format!("{name}:{version}")
        };
        Err(format!(
            "This worker has no image for {key}: it is to be started with --image {name}=IMAGE or --image {key}=IMAGE"
        ))
    }
}

#[cfg(test)]
mod tests {
    use treenail_proto::{glue::v1::JobCommand, worker::v1::JobTask};

    use super::Images;

    fn job(command: &str, python: &str, glue: &str) -> JobTask {
        JobTask {
            command: Some(JobCommand {
                name: Some(command.to_owned()),
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
            "pythonshell=a",
            "pythonshell:3=b",
            "pythonshell:3.9=c",
            "glueetl:5.0=host:5000/d:latest",
        ])
        .unwrap();
        let rows = [
            (job("pythonshell", "3.9", ""), Ok("c")),
            (job("pythonshell", "3.6", "1.0"), Ok("b")),
            (job("pythonshell", "2", ""), Ok("a")),
            (job("pythonshell", "", ""), Ok("a")),
            (job("glueetl", "3", "5.0"), Ok("host:5000/d:latest")),
            (job("glueetl", "3", "4.0"), Err("glueetl:4.0")),
            (job("gluestreaming", "3", ""), Err("gluestreaming")),
        ];
        for (job, expected) in rows {
            match (images.of(&job), expected) {
                (Ok(image), Ok(expected)) => assert_eq!(image, expected),
                (Err(words), Err(key)) => assert!(words.contains(&format!("no image for {key}:")), "{words}"),
                (told, expected) => panic!("{told:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn an_image_in_another_form_is_refused() {
        for wrong in ["", "pythonshell", "=image", "pythonshell=", "pythonshell=--privileged"] {
            assert!(Images::parse([wrong]).is_err(), "{wrong}");
        }
    }
}
