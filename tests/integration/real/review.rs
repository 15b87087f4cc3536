//! Reviews by the guards: the verdict beside the text, and the diff in git.

use serde_json::{Value, json};

use crate::kit::setup::{content, error_text, field, git, home, real};
use crate::support::model::{Model, Response};

/// A model with this review.
fn reviewer(review: &Value) -> Model {
    let review = review.to_string();
    Model::start(move |_| Response::message(review.clone()))
}

#[test]
fn both_guards_answer_a_verdict_and_findings_that_a_program_can_act_on() {
    let finding = json!({
        "severity": "blocker", "title": "t", "where": "src/a.rs:1", "why": "w", "suggestion": "s",
    });
    let review = json!({
        "critique": "A bad plan.", "review": "Bad work.", "verdict": "block", "findings": [finding],
    });
    let model = reviewer(&review);
    let home = home(&model.url());
    let server = real(&home).start();
    for (tool, arguments, text) in [
        (
            "codex_guard_plan",
            json!({"requirements": "r", "plan": "p"}),
            ("critique", "A bad plan."),
        ),
        ("codex_guard_final", json!({"change_summary": "c"}), ("review", "Bad work.")),
    ] {
        let answer = server.call(tool, &arguments);
        assert_eq!(field(&answer, text.0), text.1);
        assert_eq!(content(&answer)["verdict"], "block");
        assert_eq!(content(&answer)["findings"], json!([finding]));
        assert!(content(&answer).get("warnings").is_none(), "{answer}");
        let asked = model.requests().pop().expect("the model was asked");
        let format = &asked.body["text"]["format"];
        assert_eq!(format["type"], "json_schema", "{format}");
        assert!(format["schema"]["properties"]["verdict"].is_object(), "{format}");
    }
}

#[test]
fn a_review_without_the_expected_form_has_no_verdict() {
    for review in [json!("Just text."), json!({"verdict": "fine", "findings": [], "critique": "x"})]
    {
        let model = reviewer(&review);
        let home = home(&model.url());
        let server = real(&home).start();
        let answer = server.call("codex_guard_plan", &json!({"requirements": "r", "plan": "p"}));
        assert_eq!(field(&answer, "critique"), review.to_string());
        assert!(content(&answer).get("verdict").is_none(), "{answer}");
        assert_eq!(content(&answer)["warnings"].as_array().map(Vec::len), Some(1), "{answer}");
    }
}

#[test]
fn the_diff_to_review_is_checked_against_git_before_codex_starts() {
    let model = reviewer(&json!("Fine."));
    let home = home(&model.url());
    let project = home.project();
    let server = real(&home).start();
    let review = |diff: &str| {
        server.call("codex_guard_final", &json!({"change_summary": "c", "diff": diff}))
    };
    let refused = |diff: &str| {
        let answer = review(diff);
        let text = error_text(&answer).to_owned();
        assert!(text.starts_with("bad_input: diff "), "{diff}: {text}");
        text
    };
    let here = project.canonicalize().expect("it exists");
    let inside = here.ancestors().any(|dir| dir.join(".git").exists());
    if !inside {
        refused("uncommitted");
    }
    git(project, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(project.join("a"), "one").expect("the test's folder is writable");
    git(project, &["add", "."]);
    git(project, &["commit", "--quiet", "--message=one"]);
    for wrong in
        [" ", "HEAD", "base:", "base:nobody", "base:--help", "commit:0123abc", "commit:main"]
    {
        refused(wrong);
    }
    assert_eq!(model.requests().len(), 0, "nothing was asked");
    for (diff, shown) in [("uncommitted", "git diff HEAD"), ("base:main", "\nbase:main\n")] {
        content(&review(diff));
        let asked = model.requests().pop().expect("the model was asked").last_user_text();
        assert!(asked.contains(shown), "{asked}");
    }
}
