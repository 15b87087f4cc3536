//! Puts a session of ours into the list that plain `codex resume` shows. The one place that writes
//! into Codex's store, and only if a setting says so.
//!
//! That list has the sessions whose record says in its first line that the terminal began them:
//! `"source":"cli"` (0.77 to 0.171; nothing that `codex exec` can be told changes its `"exec"`). So
//! that word is changed, with a blank behind it: Codex refers to places in a record by bytes, and all
//! of them stay. Whatever is not as expected is left alone.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::rollout;
use crate::model::session_id::SessionId;

/// What is written in the record, as JSON, and what takes its place. They are of one length.
const EXEC: &[u8; 6] = br#""exec""#;
const CLI: &[u8; 6] = br#""cli" "#;

/// The longest first line that is read, in bytes. It has the instructions in it: 20 KiB are usual.
const MAX_LINE: u64 = 4 << 20;

/// Puts a session into the list whose Codex is gone, unless `is_written` says that there is another
/// one.
///
/// # Errors
///
/// Why it was left alone.
pub(crate) fn list(
    codex_home: &Path,
    session: SessionId,
    is_written: impl Fn() -> bool,
) -> io::Result<()> {
    let path = rollout::find(codex_home, session).ok_or(io::ErrorKind::NotFound)?;
    let mut file = open(&path)?;
    let metadata = file.metadata()?;
    let mut line = Vec::new();
    BufReader::new(&file).take(MAX_LINE).read_until(b'\n', &mut line)?;
    let place = place(&line, session)
        .ok_or_else(|| io::Error::other("its first line is not as expected"))?;
    if is_written() {
        return Err(io::Error::other("somebody has it open"));
    }
    file.seek(SeekFrom::Start(place))?;
    file.write_all(CLI)?;
    // The list is in the order in which sessions were written last.
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

/// Opens a record, which must be a file and not the name of another one.
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
    io::Error::other("its record is no file")
}

/// Where in the first line of the session's record the word is that says who began it, if that is
/// `codex exec` and nothing else would change with it.
fn place(line: &[u8], session: SessionId) -> Option<u64> {
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
    // A line without an end is not all there.
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let Line { kind, payload: Meta { id, source } } = serde_json::from_str(text).ok()?;
    if kind != "session_meta" || id != session || source.get().as_bytes() != EXEC {
        return None;
    }
    // The value was not copied, so it tells where it stands.
    let place = source.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let mut changed = text.as_bytes().to_vec();
    changed.get_mut(place..place + EXEC.len())?.copy_from_slice(CLI);
    let mut expected: Value = serde_json::from_str(text).ok()?;
    *expected.get_mut("payload")?.get_mut("source")? = "cli".into();
    let is_expected = serde_json::from_slice::<Value>(&changed).is_ok_and(|is| is == expected);
    if is_expected { u64::try_from(place).ok() } else { None }
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

    /// All recorded sessions of all versions.
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

    /// A home with this record in it.
    fn home_with(session: SessionId, record: &[u8]) -> (PathBuf, PathBuf) {
        let home = crate::testing::scratch().join(format!("listing-{}", Uuid::new_v4()));
        let folder = home.join("sessions/2026/01/01");
        std::fs::create_dir_all(&folder).expect("a fresh folder");
        let path = folder.join(format!("rollout-2026-01-01T00-00-00-{session}.jsonl"));
        std::fs::write(&path, record).expect("there is room");
        (home, path)
    }

    #[test]
    fn in_the_record_of_each_version_one_word_changes_and_no_place_and_no_time() {
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
            let refused = list(&home, session, || true);
            assert!(refused.is_err_and(|why| why.to_string().contains("open")));
            assert_eq!(std::fs::read_to_string(&path).expect("text"), before);
            list(&home, session, || false).expect("it is as expected");
            let after = std::fs::read_to_string(&path).expect("still text");
            assert_eq!(after, before.replacen(r#""source":"exec","#, r#""source":"cli" ,"#, 1));
            assert_ne!(after, before);
            assert_eq!(path.metadata().and_then(|is| is.modified()).expect("a time"), past);
            assert!(list(&home, session, || false).is_err(), "it is in the list");
            std::fs::remove_dir_all(&home).expect("it is ours");
        }
    }

    /// A first line with this in its payload, and an end.
    fn line(payload: &str) -> String {
        format!(r#"{{"type":"session_meta","payload":{{"id":"{SESSION}",{payload}}}}}"#) + "\n"
    }

    #[test]
    fn what_is_not_as_expected_is_left_alone() {
        let good = line(r#""source":"exec""#);
        assert_eq!(place(good.as_bytes(), id(SESSION)), good.find(r#""exec""#).map(|at| at as u64));
        let other = id("01a1fef0-cc2e-7c21-b08c-265047d0a829");
        assert_eq!(place(good.as_bytes(), other), None, "another session's");
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
            assert_eq!(place(bad.as_bytes(), id(SESSION)), None, "{bad}");
        }
    }

    #[test]
    fn only_the_key_of_the_payload_is_meant() {
        let lines = line(
            r#""instructions":"\"source\":\"exec\"","git":{"source":"exec"},"source" : "exec" ,"x":{"source":"exec"}"#,
        );
        let at = lines.find(r#""source" : "exec""#).expect("it is there") + r#""source" : "#.len();
        assert_eq!(place(lines.as_bytes(), id(SESSION)), Some(at as u64));
        let outside = lines.replacen('{', r#"{"source":"exec","#, 1);
        assert_eq!(place(outside.as_bytes(), id(SESSION)), Some(at as u64 + 16));
    }

    #[test]
    #[cfg(unix)]
    fn the_name_of_another_file_is_left_alone() {
        let record = line(r#""source":"exec""#);
        let (home, path) = home_with(id(SESSION), record.as_bytes());
        let elsewhere = home.join("elsewhere");
        std::fs::rename(&path, &elsewhere).expect("ours");
        assert!(list(&home, id(SESSION), || false).is_err(), "there is none");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("ours");
        let refused = list(&home, id(SESSION), || false);
        assert!(refused.is_err_and(|why| why.to_string().contains("no file")));
        assert_eq!(std::fs::read_to_string(&elsewhere).expect("text"), record);
        std::fs::remove_dir_all(&home).expect("it is ours");
    }
}
