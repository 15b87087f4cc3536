//! The list of Codex's sessions and their transcripts, from records that are written here.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::kit::play::Stage;
use crate::kit::setup::{PROGRAM, content, error_text, resume_command};
use crate::kit::store::{Made, VERSIONS, put_recorded, untouched};
use crate::support::client::Server;
use crate::support::environment::clean;
use crate::support::real_codex::Home;

/// Of all directories, unless the arguments say otherwise.
fn list(server: &Server, arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    if arguments["cwd"].is_null() && arguments["all"].is_null() {
        arguments["all"] = true.into();
    }
    content(&server.call("codex_sessions", &arguments)).clone()
}

/// The ids in a list, in order.
fn ids(listed: &Value) -> Vec<String> {
    let sessions = listed["sessions"].as_array().expect("sessions are a list").iter();
    sessions.map(|session| session["session_id"].as_str().expect("each has one").into()).collect()
}

fn read(server: &Server, session: &str, more: &Value) -> Value {
    let mut arguments = json!({"session_id": session});
    for (name, value) in more.as_object().expect("arguments are an object") {
        arguments[name] = value.clone();
    }
    content(&server.call("codex_session_read", &arguments)).clone()
}

/// Type and text of each entry.
fn said(page: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
    let entries = page["entries"].as_array().expect("entries are a list").iter();
    entries.map(|entry| (text(entry, "type"), text(entry, "text"))).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The index in the state folder.
fn index(home: &Home) -> Option<PathBuf> {
    let entries = fs::read_dir(home.state()).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
}

/// The highest memory of the server so far, where the system reports it.
fn peak_kib(server: &Server) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

/// Enough sessions to be written into the index.
fn put_many(home: &Home, count: usize) -> Vec<Made> {
    let made: Vec<Made> = (0..count).map(Made::new).collect();
    made.iter().for_each(|made| made.put(home));
    made
}

#[test]
fn records_of_each_version_are_listed_and_read() {
    for version in VERSIONS {
        let stage = Stage::new();
        put_recorded(&stage.home, version);
        let server = stage.server().start();
        let listed = list(&server, &json!({}));
        let sessions = listed["sessions"].as_array().expect("sessions are a list");
        let with = |prompt: &str| {
            let found = sessions.iter().find(|session| {
                session["first_prompt"].as_str().is_some_and(|first| first.starts_with(prompt))
            });
            found.unwrap_or_else(|| panic!("{version}: no {prompt} in {listed}"))
        };
        let looked = with("Look around [[SHELL");
        assert_eq!(looked["cwd"], "/home/me/project", "{version}");
        assert_eq!((&looked["turns"], &looked["source"]), (&json!(2), &json!("exec")), "{version}");
        assert_eq!((&looked["model"], &looked["tool"]), (&json!("gpt-5.5"), &Value::Null));
        let total = if version == "0.77.0" { 200 } else { 400 };
        assert_eq!(looked["usage"]["input_tokens"], total, "{version}");
        let id = looked["session_id"].as_str().expect("an id");
        assert_eq!(looked["resume_command"], Value::Null, "only who reads it needs that");
        let page = read(&server, id, &json!({"limit": 1}));
        assert_eq!(page["resume_command"], resume_command(&stage.home, id));
        let (created, updated) = (&looked["created_at"], &looked["updated_at"]);
        assert!(created.as_str() < updated.as_str(), "{created} {updated}");

        // The caller's own text, and not the header around it.
        let asked = with("What is in here?");
        assert_eq!((&asked["tool"], &asked["turns"]), (&json!("codex_chat"), &json!(1)));

        let page = read(&server, id, &json!({}));
        let kinds = |page: &Value| said(page).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds(&page), ["user", "agent", "user", "agent"], "{version}");
        let include = json!({"include": ["commands", "changes", "reasoning", "tools"]});
        let page = read(&server, id, &include);
        let reported = page["entries"].to_string();
        for part in ["ls -a; false", "**Thinking about it** details", "Add File: note.txt"] {
            // From 0.153 on a change is recorded with its result.
            let part = if version != "0.77.0" && part.starts_with("Add") {
                "note.txt\\nhello"
            } else {
                part
            };
            assert!(reported.contains(part), "{version}: {part} is not in {reported}");
        }
        let failed = page["entries"].as_array().expect("a list").iter();
        let failed = failed.filter(|entry| entry["exit_code"] == 1).count();
        assert_eq!(failed, 1, "{version}: {reported}");

        if version != "0.77.0" {
            let fork = with("Fork and go on");
            assert_eq!((&fork["forked_from"], &fork["turns"]), (&json!(id), &json!(2)));
            let page = read(&server, fork["session_id"].as_str().expect("an id"), &json!({}));
            assert_eq!(said(&page)[0], ("user".into(), "Fork and go on".into()));
        }
    }
}

#[test]
fn sessions_are_found_by_their_properties() {
    let stage = Stage::new();
    let mut made: Vec<Made> = (0..6).map(Made::new).collect();
    made[1] = made[1].clone().prompt("Mend the ÜBERLAUF in the parser");
    made[2].source = "vscode".into();
    made[3].source = json!({"subagent": {"thread_spawn": {}}});
    made[4].cwd = stage.home.project().to_str().expect("test paths are text").into();
    made[5].archived = true;
    let mark = "0123456789ab";
    made[0] = made[0].clone().prompt(&format!(
        "[MCP request {mark} | tool: codex_guard_plan | origin: x]\nAn AI agent sent this.\n\nReview.\n\n\
         --- {mark} requirements ---\nfast\n--- {mark} end ---\n\n--- {mark} plan ---\nwait\n--- {mark} end ---\n"
    ));
    made.iter().for_each(|made| made.put(&stage.home));
    let server = stage.server().start();
    let found = |arguments: Value| -> Vec<usize> {
        let ids = ids(&list(&server, &arguments));
        let number = |id: &String| made.iter().position(|made| made.id() == *id);
        ids.iter().map(|id| number(id).expect("it was made here")).collect()
    };
    // The newest first, and sessions of other sources only on request.
    assert_eq!(found(json!({})), [5, 4, 2, 1, 0]);
    assert_eq!(found(json!({"source": "subagent"})), [3]);
    assert_eq!(found(json!({"source": "vscode"})), [2]);
    assert_eq!(found(json!({"source": "tools"})), [0]);
    assert_eq!(found(json!({"source": "cli"})), [0; 0]);
    assert_eq!(found(json!({"text": "überlauf"})), [1]);
    assert_eq!(found(json!({"text": "an ai agent"})), [0; 0], "the header is none of the prompt");
    assert_eq!(found(json!({"cwd": stage.home.project()})), [4]);
    let other_name = stage.home.path().join("link");
    std::os::unix::fs::symlink(stage.home.project(), &other_name).expect("a fresh name");
    assert_eq!(found(json!({"cwd": other_name})), [4]);
    assert_eq!(found(json!({"since": made[2].time(), "until": made[4].time()})), [4, 2]);
    assert_eq!(found(json!({"until": "2026-01-01T04:30:00+02:00"})), [2, 1, 0]);
    assert_eq!(found(json!({"since": "2h"})), [0; 0], "all are long ago");
    assert_eq!(found(json!({"text": "prompt", "source": "exec", "limit": 1})), [5]);

    let listed = list(&server, &json!({}));
    assert_eq!(listed["sessions"][0]["archived"], true);
    let resume = resume_command(&stage.home, &made[5].id());
    let unarchived = format!("{} && {resume}", resume.replace(" resume ", " unarchive "));
    assert_eq!(listed["sessions"][1]["archived"], Value::Null);
    assert_eq!(listed["sessions"][4]["first_prompt"], "requirements:\nfast\n\nplan:\nwait");
    let page = read(&server, &made[5].id(), &json!({}));
    assert_eq!((said(&page).len(), &page["resume_command"]), (2, &json!(unarchived)));
}

#[test]
fn pages_have_no_gaps_and_no_duplicates() {
    let stage = Stage::new();
    let mut made: Vec<Made> = (0..45).map(Made::new).collect();
    // Several at the same time.
    made.iter_mut().for_each(|made| made.at = made.at / 10_000 * 10_000);
    made.iter().for_each(|made| made.put(&stage.home));
    let server = stage.server().start();
    let mut arguments = json!({"limit": 7});
    let mut all = Vec::new();
    loop {
        let listed = list(&server, &arguments);
        all.extend(ids(&listed));
        if listed["more"] == false {
            assert_eq!(listed["cursor"], Value::Null);
            break;
        }
        arguments["cursor"] = listed["cursor"].clone();
    }
    let mut expected = made.clone();
    expected.sort_by_key(|made| (made.at, made.id()));
    let expected: Vec<String> = expected.iter().rev().map(Made::id).collect();
    assert_eq!(all, expected);
    assert_eq!(ids(&list(&server, &json!({"limit": 200}))), expected);
}

#[test]
fn a_session_is_read_in_pages_from_either_end_while_it_grows() {
    let stage = Stage::new();
    let mut made = Made::new(1);
    made.prompts = (0..25).map(|number| format!("question {number}")).collect();
    made.put(&stage.home);
    let server = stage.server().start();
    let id = made.id();
    let whole = said(&read(&server, &id, &json!({"limit": 200})));
    assert_eq!((whole.len(), &whole[49].1), (50, &"re: question 24".to_owned()));

    let mut all = Vec::new();
    let mut cursor = 0;
    loop {
        let page = read(&server, &id, &json!({"limit": 7, "cursor": cursor}));
        all.extend(said(&page));
        cursor = number(&page["cursor"]);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(all, whole);

    let mut pages = Vec::new();
    let mut page = read(&server, &id, &json!({"limit": 7, "from_end": true}));
    assert_eq!(number(&page["cursor"]), cursor, "what comes next is read from there");
    loop {
        pages.push(said(&page));
        if page["before"].is_null() {
            break;
        }
        page = read(&server, &id, &json!({"limit": 7, "before": page["before"]}));
    }
    let backwards: Vec<_> = pages.into_iter().rev().flatten().collect();
    assert_eq!(backwards, whole);

    // Half a line does not count yet.
    let turn = made.turn("and now?");
    let (half, rest) = turn.split_at(turn.len() - 30);
    made.add(&stage.home, half);
    assert_eq!(said(&read(&server, &id, &json!({"cursor": cursor}))).len(), 1);
    let end = read(&server, &id, &json!({"from_end": true, "limit": 1}));
    assert_eq!(said(&end), [("user".to_owned(), "and now?".to_owned())]);
    made.add(&stage.home, rest);
    let after = read(&server, &id, &json!({"cursor": cursor}));
    assert_eq!(said(&after)[1].1, "re: and now?");
    let after = read(&server, &id, &json!({"cursor": end["cursor"]}));
    assert_eq!(said(&after), [("agent".to_owned(), "re: and now?".to_owned())]);
    // The cursor of an entry continues after it.
    let first = read(&server, &id, &json!({"limit": 1}));
    let second = json!({"limit": 1, "cursor": first["entries"][0]["cursor"]});
    assert_eq!(said(&read(&server, &id, &second))[0].1, "re: question 0");
}

#[test]
fn long_texts_are_cut_and_a_page_is_bounded() {
    let stage = Stage::new();
    let mut made = Made::new(1);
    let long = "ab".repeat(40_000);
    made.prompts = (0..5).map(|number| format!("{number} {long}")).collect();
    // Longer than the part of a line that is kept.
    made.prompts.push(format!("overlong {}", "c\\\"é\n".repeat(900_000)));
    made.put(&stage.home);
    let server = stage.server().start();
    let page = read(&server, &made.id(), &json!({}));
    assert_eq!(said(&page).len(), 12);
    assert!(page["entries"].to_string().len() < 60_000);
    assert!(said(&page)[0].1.contains("characters …]"), "it says that it is cut");
    let page = read(&server, &made.id(), &json!({"truncate": 0}));
    assert_eq!((said(&page).len(), &page["more"]), (2, &json!(true)));
    assert_eq!(said(&page)[0].1, made.prompts[0]);
    let page = read(&server, &made.id(), &json!({"truncate": 20}));
    assert!(said(&page)[10].1.starts_with("overlong c\\\""), "{}", said(&page)[10].1);
    let mut first = Made::new(2);
    first.prompts = vec![made.prompts[5].clone()];
    first.put(&stage.home);
    let listed = list(&server, &json!({"text": "OVERLONG"}));
    assert_eq!(ids(&listed), [first.id()]);
}

#[test]
fn wrong_ids_cursors_and_limits_are_reported_by_name() {
    let stage = Stage::new();
    let made = Made::new(1);
    made.put(&stage.home);
    let server = stage.server().start();
    let id = made.id();
    let unknown = Made::new(2).id();
    let reading = "codex_session_read";
    for (tool, arguments, begins) in [
        ("codex_sessions", json!({"limit": 0}), "bad_input: limit must be"),
        ("codex_sessions", json!({"limit": 201}), "bad_input: limit must be"),
        ("codex_sessions", json!({"cursor": "x"}), "bad_input: cursor must be"),
        ("codex_sessions", json!({"since": "yesterday"}), "bad_input: since must be"),
        ("codex_sessions", json!({"until": 7}), "bad_input: until must be"),
        ("codex_sessions", json!({"txt": "x"}), "bad_input: txt is not a parameter"),
        (reading, json!({}), "bad_input: session_id is required"),
        (reading, json!({"session_id": "last"}), "bad_input: session_id must be"),
        (reading, json!({"session_id": unknown}), "session_not_found: "),
        (reading, json!({"session_id": id, "cursor": 1}), "bad_input: cursor is 1,"),
        (reading, json!({"session_id": id, "cursor": 1_000_000}), "bad_input: cursor is 1000000,"),
        (reading, json!({"session_id": id, "before": 3}), "bad_input: before is 3,"),
        (reading, json!({"session_id": id, "before": u64::MAX}), "bad_input: before is 18446"),
        (reading, json!({"session_id": id, "before": 0, "cursor": 0}), "bad_input: before cannot"),
        (reading, json!({"session_id": id, "from_end": true, "cursor": 0}), "bad_input: from_end"),
        (reading, json!({"session_id": id, "include": ["thoughts"]}), "bad_input: include may"),
        (reading, json!({"session_id": id, "limit": 201}), "bad_input: limit must be"),
    ] {
        let result = server.call(tool, &arguments);
        let text = error_text(&result);
        assert!(text.starts_with(begins), "{arguments}: {text}");
        assert!(text.contains("\n\nNext: "), "{text}");
    }
    let result = server.call(reading, &json!({"session_id": unknown}));
    assert!(error_text(&result).contains("codex_sessions lists all"), "{result}");
}

#[test]
fn an_unreadable_record_hides_no_other() {
    let stage = Stage::new();
    let home = &stage.home;
    let made = put_many(home, 3);
    let day = home.path().join("sessions/2026/01/09");
    fs::create_dir_all(day.join("rollout-a-folder.jsonl")).expect("the home exists");
    let name = |number: usize| format!("rollout-x-{}.jsonl", Made::new(number).id());
    fs::write(day.join(name(90)), "garbage\n\n{}\n[1]\n\u{0}").expect("the folder exists");
    fs::write(day.join(name(91)), "").expect("the folder exists");
    fs::write(day.join(name(92)), [0xff; 5_000]).expect("the folder exists");
    fs::write(day.join("rollout-no-id.jsonl"), "{}\n").expect("the folder exists");
    fs::write(day.join(name(93) + ".zst"), "compressed").expect("the folder exists");
    std::os::unix::fs::symlink("nowhere", day.join(name(94))).expect("the folder exists");
    // One with garbage in its middle.
    made[2].add(home, "{\"type\":\"event_msg\",\"payload\":\n\u{7}\n");
    made[2].add(home, &made[2].turn("after the garbage"));
    let before = untouched(home);
    let server = stage.server().start();
    let listed = list(&server, &json!({}));
    assert_eq!(ids(&listed), [made[2].id(), made[1].id(), made[0].id()]);
    assert_eq!(listed["sessions"][0]["turns"], 2);
    let warnings = listed["warnings"].to_string();
    assert!(
        warnings.contains("1 sessions are missing, because Codex has compressed"),
        "{warnings}"
    );
    let page = read(&server, &made[2].id(), &json!({}));
    assert_eq!(said(&page)[3].1, "re: after the garbage");
    let page = read(&server, &Made::new(90).id(), &json!({}));
    assert_eq!((said(&page).len(), &page["more"]), (0, &json!(false)));
    assert_eq!(untouched(home), before, "nothing is written there");
}

#[test]
fn a_home_without_sessions_reports_which_folder_was_searched() {
    let stage = Stage::new();
    let listed = list(&stage.server().start(), &json!({}));
    assert_eq!(ids(&listed).len(), 0);
    assert!(listed["warnings"][0].as_str().is_some_and(|reported| reported.contains("CODEX_HOME")));
}

#[test]
fn ten_thousand_sessions_are_read_once_and_listed_in_little_memory() {
    let stage = Stage::new();
    let home = &stage.home;
    let made = put_many(home, 10_000);
    let server = stage.server().start();
    let newest: Vec<String> = made.iter().rev().take(200).map(Made::id).collect();
    let idle = peak_kib(&server);
    let mut listed = list(&server, &json!({"limit": 200}));
    // A slow machine may not have read all of them in time.
    while !listed["warnings"].is_null() {
        listed = list(&server, &json!({"limit": 200}));
    }
    assert_eq!(ids(&listed), newest);
    if let (Some(idle), Some(peak)) = (idle, peak_kib(&server)) {
        assert!(peak - idle < 16 << 10, "{} KiB more than before", peak - idle);
    }

    // The index is trusted: other content with the same size and time goes unnoticed.
    let path = made[5_000].path(home);
    let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("it exists");
    let record = made[5_000].record().replace("prompt", "PROMPT");
    fs::write(&path, record).expect("it exists");
    let file = fs::File::options().write(true).open(&path).expect("it exists");
    file.set_modified(modified).expect("it is ours");
    let found = list(&server, &json!({"text": "prompt 5000"}));
    assert_eq!(found["sessions"][0]["first_prompt"], "prompt 5000");
    // Another server uses the index too, and continues where a record has grown.
    drop(server);
    let server = stage.server().start();
    made[5_000].add(home, &made[5_000].turn("more"));
    let found = list(&server, &json!({"text": "prompt 5000"}));
    assert_eq!(
        (&found["sessions"][0]["first_prompt"], &found["sessions"][0]["turns"]),
        (&json!("prompt 5000"), &json!(2))
    );
    // A removed session is no longer listed, and a new one is.
    fs::remove_file(made[9_999].path(home)).expect("it exists");
    Made::new(10_000).put(home);
    let listed = list(&server, &json!({"limit": 2}));
    assert_eq!(ids(&listed), [Made::new(10_000).id(), made[9_998].id()]);
}

#[test]
fn a_lost_or_broken_index_is_rebuilt() {
    let stage = Stage::new();
    let home = &stage.home;
    let made = put_many(home, 100);
    let server = stage.server().start();
    let all = json!({"limit": 200});
    let expected = list(&server, &all);
    assert_eq!(ids(&expected).len(), 100);
    let path = index(home).expect("there is an index");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).expect("it exists"));
    assert_eq!(mode & 0o777, 0o600, "prompts are nobody else's business");
    let good = fs::read(&path).expect("it can be read");
    let upside_down = String::from_utf8_lossy(&good).lines().rev().collect::<Vec<_>>().join("\n");
    let garbage = [b"{}\n", &[b'x'; 200_000][..], b"\n\n\xff\n{\"path\":1}\n"].concat();
    let with_hole = [&good[..good.len() / 3], b"\0\0\0", &good[good.len() / 2..]].concat();
    for broken in [vec![], garbage, good[..good.len() / 2].to_vec(), with_hole, upside_down.into()]
    {
        fs::write(&path, broken).expect("it is ours");
        assert_eq!(list(&server, &all), expected);
    }
    fs::remove_file(&path).expect("it is ours");
    assert_eq!(list(&server, &all), expected);
    assert!(path.exists(), "it is there again");
    // A record that was replaced is read from its start.
    let other = made[7].clone().prompt(&"another prompt ".repeat(50));
    fs::remove_file(made[7].path(home)).expect("it is ours");
    other.put(home);
    assert_eq!(ids(&list(&server, &json!({"text": "another"}))), [other.id()]);
}

#[test]
fn without_a_folder_for_state_sessions_are_listed_too() {
    let stage = Stage::new();
    let made = put_many(&stage.home, 100);
    let blocked = stage.home.path().join("blocked");
    fs::write(&blocked, "not a folder").expect("the home exists");
    let server =
        stage.server().env("CODEX_PERSISTENT_MCP_STATE_DIR", blocked.join("state")).start();
    for _ in 0..2 {
        assert_eq!(ids(&list(&server, &json!({"limit": 1}))), [made[99].id()]);
    }
}

#[test]
fn servers_that_read_at_the_same_time_do_not_disturb_each_other() {
    let stage = Stage::new();
    let made = put_many(&stage.home, 500);
    let servers = [0, 1, 2].map(|_| stage.server().start());
    let expected: Vec<String> = made.iter().rev().take(100).map(Made::id).collect();
    for _ in 0..3 {
        let calls: Vec<_> = servers
            .iter()
            .flat_map(|server| [server, server])
            .map(|server| {
                (server, server.begin_call("codex_sessions", &json!({"limit": 100, "all": true})))
            })
            .collect();
        for (server, call) in calls {
            let result = crate::kit::play::result_of(server, &call);
            assert_eq!(ids(content(&result)), expected);
        }
        fs::remove_file(index(&stage.home).expect("there is one")).expect("it is ours");
    }
}

struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program as a user does.
fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    let mut program = Command::new(PROGRAM);
    let Output { status, stdout, stderr } = clean(&mut program, stage.home.user())
        .args(arguments)
        .env("CODEX_HOME", stage.home.path())
        .env("CODEX_PERSISTENT_MCP_STATE_DIR", stage.home.state())
        .current_dir(stage.home.project())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
    Ran { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn parsed(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn a_user_lists_and_reads_sessions() {
    let stage = Stage::new();
    let mut made = put_many(&stage.home, 3);
    made[1] = made[1].clone().prompt("\u{1b}[31mred\u{1b}[0m\nand more");
    made[1].cwd = stage.home.project().to_str().expect("test paths are text").into();
    made[1].prompts.extend((0..30).map(|number| format!("question {number}")));
    made[1].put(&stage.home);
    let listed = run(&stage, &["sessions"]);
    assert_eq!((listed.status, listed.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("FIRST PROMPT"), "{}", lines[0]);
    assert!(lines[1].starts_with(&made[2].id()) && lines[1].ends_with("prompt 2"), "{}", lines[1]);
    assert!(
        lines[2].contains(" 31 ") && lines[2].ends_with("red\\u{1b}[0m and more"),
        "{}",
        lines[2]
    );
    assert!(!listed.stdout.contains('\u{1b}'));
    assert_eq!(run(&stage, &["sessions", "--limit", "1"]).stdout.lines().count(), 2);

    let project = made[1].cwd.clone();
    for arguments in [
        &["sessions", "--cwd", &project, "--json"][..],
        &["sessions", "--text", "RED", "--json"],
        &[
            "sessions",
            "--since",
            "2026-01-01T00:30:00Z",
            "--until",
            "2026-01-01T01:30:00Z",
            "--json",
        ],
    ] {
        let found = parsed(&run(&stage, arguments).stdout);
        assert_eq!(
            (found.len(), &found[0]["session_id"]),
            (1, &json!(made[1].id())),
            "{arguments:?}"
        );
    }
    let none = run(&stage, &["sessions", "--source", "vscode"]);
    assert_eq!((none.status, none.stdout.as_str()), (Some(0), ""));
    assert_eq!(none.stderr, "No sessions found.\n");
    assert_eq!(run(&stage, &["sessions", "--since", "yesterday"]).status, Some(2));

    let id = made[1].id();
    let shown = run(&stage, &["sessions", "show", &id[30..]]);
    assert_eq!((shown.status, shown.stderr.as_str()), (Some(0), ""));
    assert!(shown.stdout.contains(&format!("codex resume {id}")), "{}", shown.stdout);
    assert!(shown.stdout.contains("--all shows earlier entries"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("question 5\n"), "{}", shown.stdout);
    assert!(shown.stdout.ends_with("re: question 29\n"), "{}", shown.stdout);
    let shown = run(&stage, &["sessions", "show", &id, "--all"]);
    assert!(shown.stdout.contains("\\u{1b}[31mred"), "{}", shown.stdout);
    assert!(shown.stdout.contains("question 5\n") && !shown.stdout.contains("--all"));
    let shown = parsed(&run(&stage, &["sessions", "show", &id, "--all", "--json"]).stdout);
    assert_eq!(
        (shown.len(), &shown[0]["session_id"], &shown[1]["type"]),
        (63, &json!(id), &json!("user"))
    );

    let alike = run(&stage, &["sessions", "show", &id[..13]]);
    assert_eq!((alike.status, alike.stdout.as_str()), (Some(2), ""));
    assert!(made.iter().all(|made| alike.stderr.contains(&made.id())), "{}", alike.stderr);
    for wrong in ["", "001", "zzzz"] {
        let ran = run(&stage, &["sessions", "show", wrong]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

#[test]
fn paging_while_a_listed_session_grows_repeats_none() {
    let stage = Stage::new();
    let made = put_many(&stage.home, 10);
    let server = stage.server().start();
    let first = list(&server, &json!({"limit": 5}));
    let mut later = made[8].clone();
    later.at = 1_000_000;
    later.add(&stage.home, &later.turn("again"));
    let second = list(&server, &json!({"limit": 5, "cursor": first["cursor"]}));
    let all: HashSet<String> = ids(&first).into_iter().chain(ids(&second)).collect();
    assert_eq!((all.len(), second["more"].clone()), (10, json!(false)));
    assert_eq!(ids(&list(&server, &json!({"limit": 1}))), [made[8].id()], "it is the newest now");
}
