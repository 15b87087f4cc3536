//! `codex_guard_plan` and `codex_guard_final`: a review before the work and one after it.
//!
//! Both run read-only, and do not change the sandbox of later turns in the session.

use serde_json::{Value, json};

use super::arguments::{Arguments, Result, invalid};
use super::definition::{CALL_TOTAL, Effect, Tool};
use super::error::Family;
use super::reply::{Form, content};
use super::schema::{closed, merged, object, string};
use super::{plain, turn, verdict};
use crate::model::diff::Diff;
use crate::model::options::Options;
use crate::model::outcome::Answer;
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;

/// The fields with the text of the review.
const PLAN_TEXT: &str = "critique";
const WORK_TEXT: &str = "review";

pub(super) fn plan() -> Tool {
    let own = json!({
        "requirements": string("What the plan must achieve"),
        "plan": string("The plan, step by step"),
        "constraints": string("What must not change"),
    });
    Tool {
        name: "codex_guard_plan",
        title: "Review a plan with Codex",
        description: "Have Codex review a plan before any code is written. Read-only. Returns \
                      verdict (approve, revise, block), findings, critique, session_id.",
        input: closed(merged(own, turn::listed_properties(CALL_TOTAL)), &["requirements", "plan"]),
        output: turn::output(PLAN_TEXT, verdict_output()),
        effect: Effect::Reviews,
        family: Family::Turn,
        plain: plain::turn,
        search_hint: Some("gpt, ask another model, second opinion, critique, code review"),
        always_load: false,
        unlisted: turn::unlisted_properties(),
        run: |call| Box::pin(turn::run(plan_request, Form::Review { field: PLAN_TEXT }, call)),
    }
}

pub(super) fn work() -> Tool {
    let own = json!({
        "change_summary": string("What was changed, why, in which files or commits"),
        "diff": string("The change: uncommitted, base:<branch> or commit:<sha>"),
        "test_results": string("Tests that were run, with results"),
        "open_questions": string("What you are unsure about"),
    });
    Tool {
        name: "codex_guard_final",
        title: "Review finished work with Codex",
        description: "Have Codex review finished work. Read-only. Returns verdict, findings, \
                      review, session_id.",
        input: closed(merged(own, turn::listed_properties(CALL_TOTAL)), &["change_summary"]),
        output: turn::output(WORK_TEXT, verdict_output()),
        effect: Effect::Reviews,
        family: Family::Turn,
        plain: plain::turn,
        search_hint: Some("gpt, ask another model, second opinion, code review, check my work"),
        always_load: false,
        unlisted: turn::unlisted_properties(),
        run: |call| Box::pin(turn::run(work_request, Form::Review { field: WORK_TEXT }, call)),
    }
}

/// The request of a `codex_guard_final` that no client called.
pub(crate) fn review_request(
    change_summary: &str,
    diff: &str,
    origin: &Origin,
) -> Result<TurnRequest> {
    let tool = work();
    let arguments = json!({ "change_summary": change_summary, "diff": diff });
    work_request(Arguments::new(tool.name, &tool.input, &tool.unlisted, object(arguments))?, origin)
}

/// What it answers, as text: the verdict first, if there is one.
pub(crate) fn review_text(answer: Answer) -> String {
    plain::turn(&content(Form::Review { field: WORK_TEXT }, answer))
}

fn verdict_output() -> Value {
    json!({
        "verdict": { "type": "string", "enum": verdict::VERDICTS },
        "findings": {
            "type": "array",
            "items": { "type": "object" },
            "description": "severity, title, where, why, suggestion",
        },
    })
}

const PLAN_TASK: &str = "\
Review the plan below against its requirements, before any code is written. You may read files and \
run commands that change nothing; do not change anything. Read the code that the plan affects before \
you judge. Report:
1. Blockers: what would make the plan fail or cause harm, each with the reason and a way to avoid it.
2. Missing or misread requirements.
3. Risks: data loss, security, concurrency, compatibility, performance, and how each would be detected.
4. Open questions that must be answered first.
5. Tests to write, as concrete cases.
6. Suggestions: improvements that are not required.
Keep blockers separate from suggestions. Name files and lines where you can. If you find nothing for \
an item, say so. Your verdict: approve if the plan can be carried out as it is, revise if it must be \
changed first, block if it must not be carried out. Answer in the language of the request.";

const WORK_TASK: &str = "\
Review the finished work summarized below. You may read files and run commands that change nothing; \
do not change anything. Read the code itself, and its history if there is one; do not rely on the \
summary. Report:
1. Blockers: wrong results, lost data, security holes, broken contracts, each with a case that shows it.
2. Regressions: what worked before and may not work now.
3. Test gaps: what is not tested, and what the tests would not detect.
4. Rollback: how the change can be undone, and what cannot be undone.
5. Answers to the open questions, if there are any.
6. Suggestions: improvements that are not required.
Keep blockers separate from suggestions. Name files and lines. If you find nothing for an item, say so. \
Your verdict: approve if the work can stay as it is, revise if it must be fixed, block if it must not \
be used. Answer in the language of the request.";

fn plan_request(arguments: Arguments, origin: &Origin) -> Result<TurnRequest> {
    let review = Review {
        task: PLAN_TASK,
        text_field: PLAN_TEXT,
        required: &["requirements", "plan"],
        optional: &["constraints"],
    };
    review.request(arguments, origin)
}

fn work_request(arguments: Arguments, origin: &Origin) -> Result<TurnRequest> {
    let review = Review {
        task: WORK_TASK,
        text_field: WORK_TEXT,
        required: &["change_summary"],
        optional: &["test_results", "open_questions"],
    };
    review.request(arguments, origin)
}

/// A kind of review.
struct Review {
    task: &'static str,
    text_field: &'static str,
    /// The parameters whose texts go into the prompt.
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

impl Review {
    fn request(self, mut arguments: Arguments, origin: &Origin) -> Result<TurnRequest> {
        let Self { task, text_field, required, optional } = self;
        let mut texts = Vec::new();
        for &name in required {
            texts.push((name, arguments.text(name)?));
        }
        for &name in optional {
            texts.extend(arguments.optional_text(name)?.map(|text| (name, text)));
        }
        // Only the review of finished work has this parameter.
        let diff = arguments.parsed("diff", str::parse::<Diff>)?;
        texts.extend(diff.as_ref().and_then(Diff::caller_part).map(|named| ("diff", named)));
        let task = match &diff {
            Some(diff) => format!("{task}\n\n{}", diff.instructions()),
            None => task.to_owned(),
        };
        let titles: Vec<String> = texts.iter().map(|(name, _)| name.replace('_', " ")).collect();
        let parts: Vec<Part<'_>> =
            titles.iter().zip(&texts).map(|(title, (_, text))| Part { title, text }).collect();
        let prompt = compose(origin, arguments.tool(), Some(&task), &parts)
            .map_err(|problem| invalid(&[required, optional].concat().join(" + "), problem))?;
        let output_schema = Some(verdict::schema(text_field));
        let options = Options { output_schema, ..Options::default() };
        let request = arguments.into_request(prompt, options)?.diff(diff);
        Ok(request.sandbox(SandboxChoice::Once(Sandbox::ReadOnly)))
    }
}
