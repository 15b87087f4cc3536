//! The part of the command line of `codex exec` that the stand-in understands. As with the real
//! one, options come before `resume`, and anything unknown is refused.

use std::path::PathBuf;

use uuid::Uuid;

const FLAGS: &[&str] =
    &["--skip-git-repo-check", "--json", "--ephemeral", "--ignore-rules", "--strict-config"];
const WITH_VALUE: &[&str] = &[
    "-C",
    "--cd",
    "-s",
    "--sandbox",
    "-m",
    "--model",
    "-c",
    "--config",
    "-i",
    "--image",
    "-p",
    "--profile",
    "-o",
    "--output-last-message",
    "--add-dir",
    "--output-schema",
];

/// The command line, as far as it matters here.
#[derive(Default)]
pub struct Arguments {
    /// The value of `-C`.
    pub directory: Option<PathBuf>,
    resume: Option<String>,
}

impl Arguments {
    /// Reads the arguments that follow the program's name.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut rest = arguments.iter().map(String::as_str);
        if rest.next() != Some("exec") {
            return Err("only `exec` and `--version` can be played".to_owned());
        }
        let mut parsed = Self::default();
        let mut subcommand = None;
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} wants a value"));
            match argument {
                "-" => {
                    return match rest.next() {
                        None => Ok(parsed),
                        Some(extra) => Err(format!("unexpected argument '{extra}'")),
                    };
                }
                "resume" if subcommand.is_none() => {
                    subcommand = Some(argument);
                    parsed.resume = Some(value()?.to_owned());
                }
                "fork" if subcommand.is_none() => {
                    subcommand = Some(argument);
                    value()?;
                }
                _ if subcommand.is_some() => {
                    return Err(format!("unexpected argument '{argument}'"));
                }
                "-C" | "--cd" => parsed.directory = Some(PathBuf::from(value()?)),
                _ if FLAGS.contains(&argument) => {}
                _ if WITH_VALUE.contains(&argument) => {
                    value()?;
                }
                _ => return Err(format!("unexpected argument '{argument}'")),
            }
        }
        Err("the prompt comes on stdin: the last argument must be '-'".to_owned())
    }

    /// The session that is resumed, or a new one. What is not a UUID starts a new session, as it
    /// does with the real program.
    pub fn session_id(&self) -> String {
        self.resume
            .as_deref()
            .and_then(|id| Uuid::try_parse(id).ok())
            .unwrap_or_else(Uuid::new_v4)
            .to_string()
    }
}
