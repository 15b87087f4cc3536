//! Sessions of the real Codex, of a tool and of a user: found, read and resumed.

use serde_json::{Value, json};

use crate::kit::play::session_of;
use crate::kit::real::{ByHand, obey};
use crate::kit::setup::{content, field, home, real};
use crate::kit::store::untouched;
use crate::kit::wait::wait_until;
use crate::support::client::Server;
use crate::support::model::Model;

/// Of all directories, unless the arguments name one.
fn sessions(server: &Server, arguments: &Value) -> Vec<Value> {
    let mut arguments = arguments.clone();
    if arguments["cwd"].is_null() {
        arguments["all"] = true.into();
    }
    let result = server.call("codex_sessions", &arguments);
    content(&result)["sessions"].as_array().expect("sessions are a list").clone()
}

fn said(server: &Server, session: &str) -> Vec<(String, String)> {
    let arguments = json!({"session_id": session, "include": ["commands"]});
    let page = server.call("codex_session_read", &arguments);
    let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
    let entries = content(&page)["entries"].as_array().expect("entries are a list").clone();
    entries.iter().map(|entry| (text(entry, "type"), text(entry, "text"))).collect()
}

#[test]
fn sessions_of_a_tool_and_of_a_user_are_found_read_and_resumed() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let chat = server.call("codex_chat", &json!({"prompt": "asked by an agent [run echo made]"}));
    ByHand::exec(&home, &["-"], "asked by a person").finish();
    let listed = sessions(&server, &json!({}));
    assert_eq!(listed.len(), 2, "{listed:?}");
    let (person, agent) = (&listed[0], &listed[1]);
    assert_eq!(
        (&agent["session_id"], &agent["tool"]),
        (&json!(field(&chat, "session_id")), &json!("codex_chat"))
    );
    assert_eq!(agent["first_prompt"], "asked by an agent [run echo made]");
    assert_eq!(agent["usage"], content(&chat)["usage"]);
    assert_eq!(
        (&person["first_prompt"], &person["tool"]),
        (&json!("asked by a person"), &Value::Null)
    );
    for session in &listed {
        assert_eq!((&session["turns"], &session["source"]), (&json!(1), &json!("exec")));
        assert_eq!(session["cwd"].as_str(), home.project().to_str(), "{session}");
        assert_eq!(session["model"], "gpt-5.5");
    }
    assert_eq!(sessions(&server, &json!({"source": "tools"})).len(), 1);

    // The id leads on, to codex_chat and back.
    let id = person["session_id"].as_str().expect("an id").to_owned();
    server.call("codex_chat", &json!({"prompt": "and an agent goes on", "session_id": id}));
    ByHand::exec(&home, &["fork", &id, "-"], "a fork").finish();
    let before = untouched(&home);
    let listed = sessions(&server, &json!({"cwd": home.project()}));
    assert_eq!(listed[0]["forked_from"], id, "{listed:?}");
    assert_eq!((&listed[1]["session_id"], &listed[1]["turns"]), (&json!(id), &json!(2)));
    assert_eq!(listed[1]["first_prompt"], "asked by a person");
    let reported = said(&server, &id);
    assert_eq!(
        (reported[0].1.as_str(), reported[2].1.as_str()),
        ("asked by a person", "and an agent goes on")
    );
    assert_eq!(reported.len(), 4, "{reported:?}");
    let reported = said(&server, field(&chat, "session_id"));
    assert_eq!(reported[1], ("command".into(), "echo made".into()));
    assert_eq!(untouched(&home), before, "nothing in Codex's store is touched");
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_is_busy_while_somebody_writes_to_it() {
    let model = Model::start(obey);
    let home = home(&model.url());
    let server = real(&home).start();
    let quiet = server.call("codex_chat", &json!({"prompt": "quiet"}));
    let busy = server.begin_call("codex_chat", &json!({"prompt": "[hang]"}));
    let session = session_of(&server, &busy);
    model.wait_for(|request| request.last_user_text().contains("[hang]"));
    let before = untouched(&home);
    let is_busy = |id: &str| {
        let listed = sessions(&server, &json!({}));
        let found = listed.into_iter().find(|listed| listed["session_id"] == id);
        found.unwrap_or_else(|| panic!("{id} is not listed"))["busy"].clone()
    };
    assert_eq!(is_busy(&session), true);
    assert_eq!(is_busy(field(&quiet, "session_id")), false);
    let read = server.call("codex_session_read", &json!({"session_id": session}));
    assert_eq!(content(&read)["busy"], true);
    assert_eq!(content(&read)["entries"][0]["text"], "[hang]");
    assert_eq!(untouched(&home), before, "who writes is left alone");
    server.cancel(&busy);
    wait_until("the session to be free", || is_busy(&session) == false);
    let read = server.call("codex_session_read", &json!({"session_id": session}));
    let entries = content(&read)["entries"].to_string();
    assert!(entries.contains("interrupted"), "{entries}");
}
