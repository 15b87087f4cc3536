//! The library without MCP: the example of the crate's documentation, on the real Codex.

use std::process::Command;

use crate::kit::setup::{home, resume_command};
use crate::support::environment::clean;
use crate::support::example;
use crate::support::model::{Model, echo};
use crate::support::real_codex;

#[test]
fn the_documentation_s_example_continues_its_session() {
    let model = Model::start(echo);
    let home = home(&model.url());
    // The library finds `codex` on the PATH, as a user's program does, where no turn can have put it.
    let bin = home.user().join(".local/bin");
    std::fs::create_dir_all(&bin).expect("the home directory is the test's own");
    std::os::unix::fs::symlink(&real_codex::install().script, bin.join("codex"))
        .expect("it is new");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)));
    let output = clean(&mut Command::new(example("ask")), home.user())
        .env("PATH", path.expect("these paths were in a PATH before"))
        .env("CODEX_HOME", home.path())
        .env("XDG_STATE_HOME", home.state())
        .current_dir(home.project())
        .output()
        .expect("the example can be started");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = stdout.lines().collect();
    let session = lines[0].strip_prefix("session ").expect("the session comes first");
    assert_eq!(lines[1..3], ["echo: What is in this directory?", "echo: And what is it for?"]);
    assert_eq!(lines[3], resume_command(&home, session));
    let asked = model.wait_for(|request| request.last_user_text().contains("what is it for"));
    assert!(asked.user_texts().contains(&"What is in this directory?".into()));
}

mod listeners {
    use std::time::Duration;

    use codex_persistent_mcp::{
        Codex, Event, FailureKind, Prompt, Settings, Turn, TurnRequest, WorkingDir,
    };
    use serde_json::{Value, json};

    use crate::kit::setup::{scratch, script};
    use crate::kit::wait::WAIT;
    use crate::support::environment::patient;
    use crate::support::scripted_codex;

    fn begin(steps: &Value, limit: Duration) -> (Codex, Turn) {
        let mut settings = Settings::default();
        settings.state_dir = None;
        settings.codex_bin = scripted_codex().into();
        settings.working_dir = WorkingDir::existing(scratch()).expect("tests may write there");
        let codex = Codex::new(settings);
        let prompt = Prompt::new(script(steps)).expect("it is not empty");
        let turn = codex.start(TurnRequest::new(prompt).total_limit(limit));
        (codex, turn)
    }

    /// More events than are buffered for a listener, and fewer than the pipe holds.
    fn many_events() -> Vec<Value> {
        let error = |number| json!({"event": {"type": "error", "message": format!("{number}")}});
        std::iter::once(json!({"started": {}})).chain((0..500).map(error)).collect()
    }

    #[tokio::test]
    async fn a_slow_listener_gets_every_event_although_codex_is_long_gone() {
        let mut steps = many_events();
        steps.push(json!({"reply": "all told"}));
        let (_codex, mut turn) = begin(&json!(steps), patient(WAIT));
        turn.next_event().await.expect("the session comes first");
        // Longer than the library waits for the output of a Codex that has exited.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut reported = 0;
        while let Some(event) = turn.next_event().await {
            reported += usize::from(matches!(event, Event::Error { .. }));
        }
        assert_eq!(reported, 500);
        assert_eq!(turn.outcome().await.expect("a good turn").reply, "all told");
    }

    #[tokio::test]
    async fn an_inattentive_listener_does_not_block_the_timeout() {
        let outcome_of = async |ending: Value| {
            let mut steps = many_events();
            steps.push(ending);
            let (codex, turn) = begin(&json!(steps), Duration::from_secs(2));
            assert!(
                codex.finished(patient(Duration::from_secs(20))).await,
                "a turn is still there"
            );
            turn.outcome().await
        };
        let stopped = outcome_of(json!({"hang": {}})).await.expect_err("it hangs");
        assert!(matches!(stopped.kind, FailureKind::TimedOut { .. }), "{stopped:?}");
        let unheard = outcome_of(json!({"reply": "unheard"})).await.expect("a good turn");
        assert_eq!(unheard.reply, "unheard");
    }
}
