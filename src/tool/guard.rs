//! `codex_guard_plan` and `codex_guard_final`: a review before the work and one after it.
//!
//! Both run read-only, and leave what their session's later turns may do as it was.

use rmcp::model::JsonObject;

use super::arguments::{Arguments, Result, invalid};
use super::{Tool, verdict};
use crate::model::diff::Diff;
use crate::model::options::Options;
use crate::model::prompt_envelope::{Part, compose};
use crate::model::request::TurnRequest;
use crate::model::sandbox::{Sandbox, SandboxChoice};
use crate::model::settings::Origin;

const PLAN_TASK: &str = "\
Review the plan below against its requirements, before any code is written. You may read files and \
run commands that change nothing; change nothing. Look at the code that the plan touches before you \
judge. Report:
1. Blockers: what would make the plan fail or do harm, each with the reason and a way out.
2. Missing or misread requirements.
3. Risks: data loss, security, concurrency, compatibility, performance, and how each would be noticed.
4. Open questions that must be answered first.
5. Tests to write, as concrete cases.
6. Suggestions: improvements that are not required.
Keep blockers apart from suggestions. Name files and lines where you can. Say so where you find \
nothing. Your verdict: approve if the plan can be carried out as it is, revise if it must be changed \
first, block if it must not be carried out. Answer in the language of the request.";

const FINAL_TASK: &str = "\
Review the finished work that is summarised below. You may read files and run commands that change \
nothing; change nothing. Look at the code itself, and its history where there is one, and do not rely \
on the summary. Report:
1. Blockers: wrong results, lost data, security holes, broken contracts, each with a case that shows it.
2. Regressions: what worked before and may not now.
3. Gaps in the tests: what is not tested, and what the tests would not notice.
4. Rollback: how the change can be undone, and what cannot.
5. Answers to the open questions, if there are any.
6. Suggestions: improvements that are not required.
Keep blockers apart from suggestions. Name files and lines. Say so where you find nothing. Your \
verdict: approve if the work can stay as it is, revise if it must be mended, block if it must not be \
used. Answer in the language of the request.";

pub(super) fn plan_request(arguments: JsonObject, origin: &Origin) -> Result<TurnRequest> {
    let fields = ["requirements", "plan"];
    request(Tool::GuardPlan, PLAN_TASK, &fields, &["constraints"], arguments, origin)
}

pub(super) fn final_request(arguments: JsonObject, origin: &Origin) -> Result<TurnRequest> {
    let optional = ["test_results", "open_questions"];
    request(Tool::GuardFinal, FINAL_TASK, &["change_summary"], &optional, arguments, origin)
}

fn request(
    tool: Tool,
    task: &str,
    required: &[&'static str],
    optional: &[&'static str],
    arguments: JsonObject,
    origin: &Origin,
) -> Result<TurnRequest> {
    let mut arguments = Arguments::new(tool, arguments)?;
    let mut texts = Vec::new();
    for &name in required {
        texts.push((name, arguments.text(name)?));
    }
    for &name in optional {
        texts.extend(arguments.optional_text(name)?.map(|text| (name, text)));
    }
    let diff = match tool {
        Tool::GuardFinal => arguments.parsed("diff", str::parse::<Diff>)?,
        Tool::Chat | Tool::GuardPlan => None,
    };
    texts.extend(diff.as_ref().and_then(Diff::caller_part).map(|named| ("diff", named)));
    let task = match &diff {
        Some(diff) => format!("{task}\n\n{}", diff.instructions()),
        None => task.to_owned(),
    };
    let titles: Vec<String> = texts.iter().map(|(name, _)| name.replace('_', " ")).collect();
    let parts: Vec<Part<'_>> =
        titles.iter().zip(&texts).map(|(title, (_, text))| Part { title, text }).collect();
    let prompt = compose(origin, tool.name(), Some(&task), &parts)
        .map_err(|problem| invalid(&[required, optional].concat().join(" + "), problem))?;
    let options = Options { output_schema: Some(verdict::schema(tool)), ..Options::default() };
    let request = arguments.into_request(prompt, options)?.diff(diff);
    Ok(request.sandbox(SandboxChoice::Once(Sandbox::ReadOnly)))
}
