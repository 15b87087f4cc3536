//! The steps of a script, read from JSON. The list of them is in the documentation of `main.rs`.

use std::path::PathBuf;

use serde_json::{Value, json};

/// One step, as the documentation of the program describes it.
pub enum Step {
    Started,
    Event(Value),
    Reply(String),
    Completed(Value),
    Raw(String),
    Bytes(Vec<u8>),
    Stderr(String),
    Flood { bytes: usize, line: usize },
    LongLine(usize),
    Record(Value),
    Touch(PathBuf),
    WaitFor(PathBuf),
    Hang,
    Ignore(Vec<String>),
    NoteSignals(PathBuf),
    OnInterrupt(Vec<Step>),
    Grandchild(Grandchild),
    CloseStdout,
    Exit(i32),
}

/// A sleeping process.
pub struct Grandchild {
    pub seconds: u64,
    pub hold_stdout: bool,
    pub own_group: bool,
}

impl Step {
    /// Reads a whole script, so that a mistake at its end shows before its beginning is played.
    pub fn parse_list(json: &str) -> Result<Vec<Self>, String> {
        let list: Value =
            serde_json::from_str(json).map_err(|error| format!("not a script: {error}"))?;
        Self::list(&list)
    }

    fn list(value: &Value) -> Result<Vec<Self>, String> {
        value
            .as_array()
            .ok_or_else(|| format!("not a list of steps: {value}"))?
            .iter()
            .map(|step| Self::parse(step).ok_or_else(|| format!("not a step: {step}"))?)
            .collect()
    }

    /// The inner result is an error of a nested list; none means that this is no step.
    fn parse(step: &Value) -> Option<Result<Self, String>> {
        let object = step.as_object().filter(|object| object.len() == 1)?;
        let (name, value) = object.iter().next()?;
        let text = || value.as_str().map(str::to_owned);
        let size = |key| usize::try_from(value.get(key)?.as_u64()?).ok();
        let flag = |key| value.get(key).is_some_and(|flag| flag == &json!(true));
        Some(Ok(match name.as_str() {
            "started" => Self::Started,
            "event" => Self::Event(value.clone()),
            "reply" => Self::Reply(text()?),
            "completed" => Self::Completed(value.clone()),
            "raw" => Self::Raw(text()?),
            "bytes" => Self::Bytes(from_hex(value.as_str()?)?),
            "stderr" => Self::Stderr(text()?),
            "flood" => Self::Flood { bytes: size("bytes")?, line: size("line")? },
            "long_line" => Self::LongLine(size("bytes")?),
            "record" => Self::Record(value.clone()),
            "touch" => Self::Touch(text()?.into()),
            "wait_for" => Self::WaitFor(text()?.into()),
            "hang" => Self::Hang,
            "ignore" => Self::Ignore(
                value
                    .as_array()?
                    .iter()
                    .map(|signal| signal.as_str().map(str::to_owned))
                    .collect::<Option<_>>()?,
            ),
            "note_signals" => Self::NoteSignals(text()?.into()),
            "on_interrupt" => return Some(Self::list(value).map(Self::OnInterrupt)),
            "grandchild" => Self::Grandchild(Grandchild {
                seconds: value.get("seconds")?.as_u64()?,
                hold_stdout: flag("hold_stdout"),
                own_group: flag("own_group"),
            }),
            "close_stdout" => Self::CloseStdout,
            "exit" => Self::Exit(i32::try_from(value.as_i64()?).ok()?),
            _ => return None,
        }))
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [_, _] => u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok(),
            _ => None,
        })
        .collect()
}
