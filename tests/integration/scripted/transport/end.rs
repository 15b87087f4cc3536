//! What ends the server: the end of its input, a signal, or a client that is gone.

use super::*;

#[test]
fn at_the_end_of_the_input_the_calls_in_flight_are_finished() {
    let home = offline_home();
    // One at a time: all but the first start after the end of the input.
    let server = scripted(&home).arg("--max-concurrent=1").start();
    let go = home.project().join("go");
    let steps = json!([{"started": {}}, {"wait_for": go}, {"reply": "finished"}]);
    let prompt = json!({"prompt": script(&steps)});
    let calls: Vec<Call> = (0..4).map(|_| server.begin_call("codex_chat", &prompt)).collect();
    server.wait_progress(&calls[0], |message| message.contains("started"));
    server.close_stdin();
    File::create(&go).expect("the project is writable");
    for call in &calls {
        assert_eq!(field(&server.answer(call)["result"], "reply"), "finished");
    }
    assert!(server.wait_exit(WAIT).success());
}

#[test]
fn a_file_of_requests_makes_a_file_of_answers() {
    let home = offline_home();
    let requests = home.path().join("requests.jsonl");
    let answers = home.path().join("answers.jsonl");
    let call = |id: u32, prompt: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
               "params": {"name": "codex_chat", "arguments": {"prompt": prompt}}})
    };
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "tests", "version": "0"}}});
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let lines = [initialize, initialized, call(2, "hello"), call(3, " "), call(4, "hello")]
        .map(|line| line.to_string());
    fs::write(&requests, lines.join("\n")).expect("the home is writable");
    let status = clean(&mut Command::new(PROGRAM), home.user())
        .env("CODEX_BIN", scripted_codex())
        .env("CODEX_HOME", home.path())
        .current_dir(home.project())
        .stdin(File::open(&requests).expect("it was just written"))
        .stdout(File::create(&answers).expect("the home is writable"))
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{status}");
    let answers = fs::read_to_string(&answers).expect("answers are text");
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a message"))
        .collect();
    let answer = |id: u32| answers.iter().find(|answer| answer["id"] == id).expect("an answer");
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(answer(1)["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(content(&answer(2)["result"])["reply"], "done");
    assert_eq!(answer(3)["result"]["isError"], true);
    assert_eq!(content(&answer(4)["result"])["reply"], "done");
}

fn assert_leaves(server: &Server, bound: Duration) -> Option<i32> {
    let status = server.wait_exit(bound);
    server.wait_no_descendants(Duration::from_secs(5)).expect("nothing is left running");
    status.code()
}

#[test]
fn signals_end_the_server_quickly_with_its_input_open() {
    for (signal, status) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let home = offline_home();
        let server = scripted(&home).start();
        server.signal(signal);
        assert_eq!(server.wait_exit(Duration::from_secs(2)).code(), Some(status));
    }
}

#[test]
fn a_signal_ends_the_server_quickly_with_its_output_full() {
    let home = offline_home();
    let server = scripted(&home).start();
    let _call = begin_hanging(&server, &home, "it");
    clog(&server);
    let late = begin_hanging(&server, &home, "late");
    server.signal(Signal::SIGTERM);
    assert_eq!(assert_leaves(&server, Duration::from_secs(2)), Some(143));
    assert!(interrupted(&home, "it").exists() && interrupted(&home, "late").exists());
    assert_eq!(server.try_answer(&late), None, "nobody read it");
}

#[test]
fn calls_of_a_client_that_is_gone_are_stopped() {
    let home = offline_home();
    let server = scripted(&home).start();
    let _call = begin_hanging(&server, &home, "it");
    server.close_stdout();
    wait_for(&interrupted(&home, "it"));
    assert_leaves(&server, WAIT);
}

#[test]
fn unread_answers_do_not_keep_the_server_alive_forever() {
    let home = offline_home();
    let server = scripted(&home).start();
    clog(&server);
    let done = home.project().join("done");
    let steps = json!([{"started": {}}, {"reply": "finished"}, {"touch": done}]);
    server.begin_call("codex_chat", &json!({"prompt": script(&steps)}));
    wait_for(&done);
    server.close_stdin();
    assert_leaves(&server, WAIT);
}
