//! A client that does not read: its cancellations arrive, and memory stays bounded.

use super::*;

#[test]
fn a_cancellation_arrives_although_nobody_reads() {
    let home = offline_home();
    let server = scripted(&home).start();
    let call = begin_hanging(&server, &home, "first");
    clog(&server);
    let second = begin_hanging(&server, &home, "second");
    server.cancel(&call);
    wait_for(&interrupted(&home, "first"));
    // More than the 4 MiB of answers that are buffered without a reader: requests are held back now,
    // and fewer than the 256 that can be.
    for _ in 0..350 {
        server.begin("tools/list", &json!({}));
    }
    server.cancel(&second);
    wait_for(&interrupted(&home, "second"));

    server.resume_reading();
    assert_alive(&server);
    server.close_stdin();
    assert!(server.wait_exit(WAIT).success());
    server.wait_stdout_closed();
    assert_eq!(server.try_answer(&call), None, "nothing follows a cancellation");
    assert_eq!(server.try_answer(&second), None, "nothing follows a cancellation");
    assert_eq!(server.progress(&second), Vec::<Value>::new(), "nor does what had to wait");
}

#[test]
fn progress_that_nobody_reads_is_merged() {
    const STEPS: usize = 4;
    let home = offline_home();
    let read = scripted(&home).start();
    let unread = scripted(&home).start();
    // Both play the same steps. The one with a reader shows when each was reported.
    let mut steps = vec![json!({"started": {}})];
    for number in 0..STEPS {
        let item = json!({"id": format!("item_{number}"), "type": "command_execution",
                          "command": format!("step {number}"), "status": "in_progress"});
        steps.push(json!({"wait_for": format!("go-{number}")}));
        steps.push(json!({"event": {"type": "item.started", "item": item}}));
    }
    steps.push(json!({"wait_for": "end"}));
    steps.push(json!({"reply": "finished"}));
    let prompt = json!({"prompt": script(&Value::from(steps))});
    clog(&unread);
    let merged = unread.begin_call("codex_chat", &prompt);
    let reported = read.begin_call("codex_chat", &prompt);
    for number in 0..STEPS {
        File::create(home.project().join(format!("go-{number}"))).expect("it is writable");
        read.wait_progress(&reported, |message| message == format!("running: step {number}"));
    }
    unread.resume_reading();
    unread.wait_progress(&merged, |message| message == format!("running: step {}", STEPS - 1));
    File::create(home.project().join("end")).expect("it is writable");
    assert_eq!(field(&unread.answer(&merged)["result"], "reply"), "finished");
    assert!(read.progress(&reported).len() > STEPS, "each step was reported to the reader");
    // The last one may have arrived while the one before it was written.
    let progress = unread.progress(&merged);
    assert!(progress.len() <= 2, "{progress:?}");
}

/// The processor time that a process has used, in the system's units; it stands still when the
/// process waits.
fn processor_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Waits until a process is idle. False where that is unknown.
fn wait_idle(pid: u32) -> bool {
    const QUIET: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + patient(WAIT);
    let Some(mut last) = processor_time(pid) else { return false };
    let mut since = Instant::now();
    while since.elapsed() < QUIET {
        assert!(Instant::now() < deadline, "the server is always busy");
        thread::sleep(POLL);
        let now = processor_time(pid).expect("the server lives");
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    true
}

#[test]
fn a_flood_of_requests_takes_bounded_memory_while_nobody_reads() {
    let home = offline_home();
    let server = scripted(&home).start();
    server.stop_reading();
    // Unbounded, the answers would take 160 MB as JSON alone.
    for _ in 0..20_000 {
        server.begin("tools/list", &json!({}));
    }
    if !wait_idle(server.pid()) {
        return skipped("this system does not show what processes do");
    }
    let resident = server.rss_kib().expect("where there is a time there is a size");
    // A debug build maps some 20 MiB of its own file.
    assert!(resident < 96 * 1024, "{resident} KiB are resident");

    server.close_stdout();
    server.wait_exit(WAIT);
}

#[test]
fn a_flood_of_long_messages_takes_bounded_memory() {
    let home = offline_home();
    let server = scripted(&home).start();
    for _ in 0..8 {
        server.send_raw(&long_call("", "", 32 * MIB));
    }
    assert_alive(&server);
    if let Some(resident) = server.rss_kib() {
        assert!(resident < 96 * 1024, "{resident} KiB are resident after 256 MiB in 8 lines");
    }
}
