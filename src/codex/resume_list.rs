//! Adds a session to the list that plain `codex resume` shows. This is the only place that writes to Codex's
//! store, and only if a setting enables it.
//!
//! The list contains the sessions whose record says in its first line that they were started from the
//! terminal: `"source":"cli"` (0.77 to 0.171; no option of `codex exec` changes its `"exec"`). So that value
//! is replaced, with a space added, because Codex refers to parts of a record by byte offset and these must
//! not change. A record that is not exactly as expected is not touched.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::rollout;
use crate::model::session_id::SessionId;

/// The value in the record, as JSON, and its replacement. Both have the same length.
const EXEC: &[u8; 6] = br#""exec""#;
const CLI: &[u8; 6] = br#""cli" "#;

/// Maximum length of a first line, in bytes. It contains the instructions and usually has about 20 KiB.
const MAX_LINE: u64 = 4 << 20;

/// Adds a session to the list. Its own Codex must have exited; `is_written` says whether another one has the
/// session open.
///
/// # Errors
///
/// If the session is in use, or its record cannot be accessed or is not as expected.
pub(crate) fn add(
    codex_home: &Path,
    session: SessionId,
    is_written: impl Fn() -> bool,
) -> io::Result<()> {
    let path = rollout::find(codex_home, session).ok_or(io::ErrorKind::NotFound)?;
    let mut file = open(&path)?;
    let metadata = file.metadata()?;
    let mut line = Vec::new();
    BufReader::new(&file).take(MAX_LINE).read_until(b'\n', &mut line)?;
    let offset = source_offset(&line, session)
        .ok_or_else(|| io::Error::other("the first line of its record is not as expected"))?;
    if is_written() {
        return Err(io::Error::other("another process has it open"));
    }
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(CLI)?;
    // The list is sorted by modification time.
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

/// Opens a record, which must be a regular file and not a symbolic link.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK,
    );
    let is_file = path.symlink_metadata()?.is_file();
    let file = if is_file { options.open(path)? } else { return Err(not_a_file()) };
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_a_file()) }
}

fn not_a_file() -> io::Error {
    io::Error::other("its record is not a regular file")
}

/// The byte offset of the `source` value in the first line of the session's record, if it is `"exec"` and
/// replacing it changes nothing else.
fn source_offset(line: &[u8], session: SessionId) -> Option<u64> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(borrow)]
        payload: Meta<'a>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        id: SessionId,
        #[serde(borrow)]
        source: &'a RawValue,
    }
    // A line without a line feed is incomplete.
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let Line { kind, payload: Meta { id, source } } = serde_json::from_str(text).ok()?;
    if kind != "session_meta" || id != session || source.get().as_bytes() != EXEC {
        return None;
    }
    // The raw value borrows from the line, so its address gives its offset.
    let offset = source.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let mut changed = text.as_bytes().to_vec();
    changed.get_mut(offset..offset + EXEC.len())?.copy_from_slice(CLI);
    let mut expected: Value = serde_json::from_str(text).ok()?;
    *expected.get_mut("payload")?.get_mut("source")? = "cli".into();
    let is_expected = serde_json::from_slice::<Value>(&changed).is_ok_and(|is| is == expected);
    if is_expected { u64::try_from(offset).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};
    use uuid::Uuid;

    const SESSION: &str = "01a1fef0-cc2e-7c21-b08c-265047d0a828";

    fn id(text: &str) -> SessionId {
        text.parse().expect("a session id")
    }

    /// The recorded sessions of all Codex versions.
    fn recorded() -> Vec<PathBuf> {
        let mut folders =
            vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                    found.push(path);
                }
            }
        }
        found
    }

    fn session_of(path: &Path) -> SessionId {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("text");
        id(&stem[stem.len() - 36..])
    }

    /// A Codex home that contains this record.
    fn home_with(session: SessionId, record: &[u8]) -> (PathBuf, PathBuf) {
        let home = crate::testing::scratch().join(format!("listing-{}", Uuid::new_v4()));
        let folder = home.join("sessions/2026/01/01");
        std::fs::create_dir_all(&folder).expect("a fresh folder");
        let path = folder.join(format!("rollout-2026-01-01T00-00-00-{session}.jsonl"));
        std::fs::write(&path, record).expect("there is room");
        (home, path)
    }

    #[test]
    fn in_the_record_of_each_version_only_one_value_changes() {
        let recorded = recorded();
        assert_eq!(recorded.len(), 11, "{recorded:?}");
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for recorded in recorded {
            let session = session_of(&recorded);
            let before = std::fs::read_to_string(&recorded).expect("records are text");
            let (home, path) = home_with(session, before.as_bytes());
            File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_modified(past))
                .expect("ours");
            let refused = add(&home, session, || true);
            assert!(refused.is_err_and(|why| why.to_string().contains("open")));
            assert_eq!(std::fs::read_to_string(&path).expect("text"), before);
            add(&home, session, || false).expect("it is as expected");
            let after = std::fs::read_to_string(&path).expect("still text");
            assert_eq!(after, before.replacen(r#""source":"exec","#, r#""source":"cli" ,"#, 1));
            assert_ne!(after, before);
            assert_eq!(path.metadata().and_then(|is| is.modified()).expect("a time"), past);
            assert!(add(&home, session, || false).is_err(), "it is in the list");
            std::fs::remove_dir_all(&home).expect("it is ours");
        }
    }

    /// A complete first line with this in its payload.
    fn line(payload: &str) -> String {
        format!(r#"{{"type":"session_meta","payload":{{"id":"{SESSION}",{payload}}}}}"#) + "\n"
    }

    #[test]
    fn an_unexpected_record_is_not_touched() {
        let good = line(r#""source":"exec""#);
        assert_eq!(
            source_offset(good.as_bytes(), id(SESSION)),
            good.find(r#""exec""#).map(|at| at as u64)
        );
        let other = id("01a1fef0-cc2e-7c21-b08c-265047d0a829");
        assert_eq!(source_offset(good.as_bytes(), other), None, "another session's");
        for bad in [
            good.trim_end(),
            "",
            "\n",
            "[]\n",
            &good.replace("session_meta", "event_msg"),
            &good.replace("}}", "}"),
            &line(r#""source":"cli""#),
            &line(r#""source":"vscode""#),
            &line(r#""source":{"subagent":"exec"}"#),
            &line(r#""source":null"#),
            &line(r#""source":"\u0065xec""#),
            &line(r#""source":"exec","source":"exec""#),
            &line(r#""git":{"source":"exec"}"#),
            &line(r#""instructions":"\"source\":\"exec\"""#),
        ] {
            assert_eq!(source_offset(bad.as_bytes(), id(SESSION)), None, "{bad}");
        }
    }

    #[test]
    fn only_the_source_of_the_payload_is_found() {
        let lines = line(
            r#""instructions":"\"source\":\"exec\"","git":{"source":"exec"},"source" : "exec" ,"x":{"source":"exec"}"#,
        );
        let at = lines.find(r#""source" : "exec""#).expect("it is there") + r#""source" : "#.len();
        assert_eq!(source_offset(lines.as_bytes(), id(SESSION)), Some(at as u64));
        let outside = lines.replacen('{', r#"{"source":"exec","#, 1);
        assert_eq!(source_offset(outside.as_bytes(), id(SESSION)), Some(at as u64 + 16));
    }

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_is_not_touched() {
        let record = line(r#""source":"exec""#);
        let (home, path) = home_with(id(SESSION), record.as_bytes());
        let elsewhere = home.join("elsewhere");
        std::fs::rename(&path, &elsewhere).expect("ours");
        assert!(add(&home, id(SESSION), || false).is_err(), "there is none");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("ours");
        let refused = add(&home, id(SESSION), || false);
        assert!(refused.is_err_and(|why| why.to_string().contains("not a regular file")));
        assert_eq!(std::fs::read_to_string(&elsewhere).expect("text"), record);
        std::fs::remove_dir_all(&home).expect("it is ours");
    }
}
