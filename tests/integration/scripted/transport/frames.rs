//! Messages that are not one line each: over several lines, several on one, and torn ones between them.

use super::*;

fn ping(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)
}

fn pretty(message: &Value) -> String {
    serde_json::to_string_pretty(message).expect("a value is JSON")
}

fn chat(id: u32, prompt: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
           "params": {"name": "codex_chat", "arguments": {"prompt": prompt}}})
}

#[test]
fn messages_may_have_several_lines_and_share_a_line() {
    let home = offline_home();
    let server = scripted(&home).start();
    let text = format!(
        "{}\n{}{}\n{}{}\r\n",
        pretty(&chat(7001, "a {\"prompt\"}\nwith lines")),
        ping(7002),
        ping(7003),
        ping(7004),
        pretty(&chat(7005, "the last")).replace('\n', "\r\n"),
    );
    server.send_raw(text.as_bytes());
    for id in 7002..=7004 {
        assert!(answer_to(&server, &json!(id))["result"].is_object());
    }
    for id in [7001, 7005] {
        assert_eq!(field(&answer_to(&server, &json!(id))["result"], "reply"), "done");
    }
    // Nothing has to follow the last bracket, not even a line end.
    for line in pretty(&chat(7006, "in pieces")).split_inclusive('\n') {
        server.send_raw(line.as_bytes());
    }
    assert_eq!(field(&answer_to(&server, &json!(7006))["result"], "reply"), "done");
    for id in 7007..7010 {
        server.send_raw(ping(id).as_bytes());
        answer_to(&server, &json!(id));
    }
    server.send_raw(format!("\n{}\n", ping(7010)).as_bytes());
    answer_to(&server, &json!(7010));
    let answered = |id: u32| server.messages().iter().filter(|it| it["id"] == id).count();
    assert!((7001..=7010).all(|id| answered(id) == 1), "each once");
}

#[test]
fn a_torn_message_is_answered_and_does_not_take_the_next_one_with_it() {
    let home = offline_home();
    let server = scripted(&home).start();
    let torn = |id: u32| {
        let text = pretty(&chat(id, "torn"));
        text[..text.find("\"arguments\"").expect("it has some")].to_owned()
    };
    // Followed by one on a line, on the same line, and over several lines.
    server.send_raw(format!("{}\n{}\n", torn(7001), ping(7002)).as_bytes());
    let message = assert_refused(&server, &json!(7001), -32700);
    assert!(message.contains("cut off"), "{message}");
    answer_to(&server, &json!(7002));
    let one_line = torn(7003).replace('\n', "");
    server.send_raw(format!("{one_line}{}\n", ping(7004)).as_bytes());
    assert_refused(&server, &json!(7003), -32700);
    answer_to(&server, &json!(7004));
    server.send_raw(format!("{}\n{}\n", torn(7005), pretty(&chat(7006, "next"))).as_bytes());
    assert_refused(&server, &json!(7005), -32700);
    assert_eq!(field(&answer_to(&server, &json!(7006))["result"], "reply"), "done");
    // Followed by nothing.
    server.send_raw(format!("{}\n", torn(7007)).as_bytes());
    assert_refused(&server, &json!(7007), -32700);
    server.send_raw(torn(7008).as_bytes());
    server.close_stdin();
    let message = answer_to(&server, &json!(7008))["error"]["message"].to_string();
    assert!(message.contains("cut off"), "{message}");
    assert!(server.wait_exit(WAIT).success());
}

#[test]
fn a_line_break_in_a_string_is_named_as_the_mistake() {
    let home = offline_home();
    let server = scripted(&home).start();
    let text = pretty(&chat(7001, "two lines")).replace("two ", "two\n");
    server.send_raw(format!("{text}\n{}\n", ping(7002)).as_bytes());
    let message = assert_refused(&server, &json!(7001), -32700);
    assert!(message.contains("line break") && message.contains("\\n"), "{message}");
    answer_to(&server, &json!(7002));
}

#[test]
fn a_message_over_several_lines_is_no_longer_than_one_on_a_line() {
    let home = offline_home();
    let server = scripted(&home).start();
    let padding = format!("\n  \"{}\",", "x".repeat(MIB)).repeat(17);
    let begin = "{\n\"jsonrpc\":\"2.0\",\n\"method\":\"tools/call\",\n\"params\":{\"x\":[";
    let text = format!("{begin}{padding}\n0]}},\n\"id\":7001}}\n{}\n", ping(7002));
    server.send_raw(text.as_bytes());
    let message = assert_refused(&server, &json!(7001), -32600);
    assert!(message.contains("16777216"), "{message}");
    answer_to(&server, &json!(7002));
    if let Some(resident) = server.rss_kib() {
        assert!(resident < 96 * 1024, "{resident} KiB are resident");
    }
}

#[test]
fn a_file_of_pretty_printed_requests_makes_a_file_of_answers() {
    let home = offline_home();
    let requests = home.path().join("request.json");
    let text = [chat(1, "one"), chat(2, " "), chat(3, "three")].map(|call| pretty(&call));
    fs::write(&requests, text.join("\n")).expect("the home is writable");
    let output = clean(&mut Command::new(PROGRAM), home.user())
        .env("CODEX_BIN", scripted_codex())
        .env("CODEX_HOME", home.path())
        .current_dir(home.project())
        .stdin(File::open(&requests).expect("it was just written"))
        .stderr(Stdio::null())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", output.status);
    let answers = String::from_utf8(output.stdout).expect("answers are text");
    let mut ids: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is a message")["id"].take())
        .collect();
    ids.sort_by_key(Value::as_i64);
    assert_eq!(ids, [1, 2, 3]);
}
