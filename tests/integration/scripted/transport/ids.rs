//! Ids as clients choose them: several requests with the same one, numbers, and strings.

use super::*;

/// A chat call that ends when the test makes a file, with its name as the reply.
fn send_call(server: &Server, home: &Home, id: &Value, name: &str) {
    let here = home.project().join(format!("{name}-runs"));
    let steps = json!([
        {"on_interrupt": [{"touch": format!("{name}-interrupted")}]},
        {"started": {}},
        {"touch": here},
        {"wait_for": format!("{name}-ends")},
        {"reply": name},
    ]);
    server.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": "codex_chat", "arguments": {"prompt": script(&steps)}}}));
    wait_for(&here);
}

fn end_call(home: &Home, name: &str) {
    File::create(home.project().join(format!("{name}-ends"))).expect("the project is writable");
}

/// The replies under an id, in the order of their answers.
fn replies(server: &Server, id: &Value) -> Vec<String> {
    let messages = server.messages();
    let answers = messages.iter().filter(|it| &it["id"] == id && it.get("method").is_none());
    answers.map(|answer| field(&answer["result"], "reply").to_owned()).collect()
}

#[test]
fn requests_that_share_an_id_are_all_answered_under_it() {
    let home = offline_home();
    let server = scripted(&home).start();
    let (number, string) = (json!(7), json!("7"));
    for (id, name) in [(&number, "a"), (&string, "b"), (&number, "c"), (&string, "d")] {
        send_call(&server, &home, id, name);
    }
    server.close_stdin();
    for name in ["c", "b", "a", "d"] {
        end_call(&home, name);
        server.wait_message(|message| message["result"]["structuredContent"]["reply"] == name);
    }
    assert!(server.wait_exit(WAIT).success());
    server.wait_stdout_closed();
    assert_eq!(replies(&server, &number), ["c", "a"]);
    assert_eq!(replies(&server, &string), ["b", "d"]);
}

#[test]
fn a_cancellation_stops_the_oldest_of_those_that_share_an_id() {
    let home = offline_home();
    let server = scripted(&home).start();
    let id = json!(7);
    send_call(&server, &home, &id, "first");
    send_call(&server, &home, &id, "second");
    server.notify("notifications/cancelled", &json!({"requestId": id}));
    wait_for(&interrupted(&home, "first"));
    // The id of the cancelled one may be used at once.
    send_call(&server, &home, &id, "third");
    end_call(&home, "third");
    end_call(&home, "second");
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    server.wait_stdout_closed();
    let mut replies = replies(&server, &id);
    replies.sort();
    assert_eq!(replies, ["second", "third"]);
    assert!(!interrupted(&home, "second").exists());
}
