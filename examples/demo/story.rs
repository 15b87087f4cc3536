//! The prompts of the demonstration and the simulated model that answers them.

use std::path::Path;
use std::thread;
use std::time::Duration;
use std::{fs, io};

use serde_json::{Value, json};

use crate::model::{Item, Request, Response};

/// How long the simulated model pretends to think, so that there is something to watch.
const THINKING: Duration = Duration::from_millis(1_100);

const FILES: [(&str, &str); 3] = [
    ("README.md", "# Till\n\nAdds up the prices in prices.csv: `python3 total.py`\n"),
    ("prices.csv", "apple,0.10\nbread,0.20\nmilk,1.05\n"),
    (
        "total.py",
        "import csv\n\nwith open(\"prices.csv\") as file:\n    \
         print(sum(float(row[1]) for row in csv.reader(file)))\n",
    ),
];

/// The prompts of the three calls.
pub struct Story {
    pub question: &'static str,
    pub again: &'static str,
    pub requirements: &'static str,
    pub plan: &'static str,
}

/// Prompts about the small project created by [`write_project`].
pub const STAND_IN: Story = Story {
    question: "What does this project do, and what would you fix first? Look before you answer.",
    again: "What was my first question, and what was your main point?",
    requirements: "The total must be right to the cent, whatever is in prices.csv.",
    plan: "1. Leave the sum as it is. 2. Round it to two places when it is printed. \
           3. Run it once and look at the result.",
};

/// Prompts about the current directory.
pub const LIVE: Story = Story {
    question: "What is in this directory? Look around briefly, change nothing, and answer in three \
               sentences.",
    again: "What did I ask you first in this session? Answer in one sentence, without running \
            anything.",
    requirements: "Somebody who is new here must find out in a minute how to run the tests.",
    plan: "1. Find out how the tests are run. 2. Add a section on that at the end of the README. \
           Keep the review to ten lines.",
};

/// Creates the project for [`STAND_IN`].
pub fn write_project(directory: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| fs::write(directory.join(name), text))
}

/// Simulates the model: determines the response to a request from Codex.
pub fn play(request: &Request) -> Response {
    thread::sleep(THINKING);
    let prompt = request.last_user_text();
    if prompt.contains("tool: codex_guard_plan") {
        guard(request)
    } else if prompt.contains(STAND_IN.again) {
        again(request)
    } else {
        question(request)
    }
}

fn question(request: &Request) -> Response {
    let steps = ["Look at what is here", "Read the code", "Answer"];
    let mut actions = vec![
        vec![Item::reasoning("**Getting an overview**"), Item::shell("ls")],
        vec![Item::reasoning("**Reading the code**"), Item::shell("cat total.py")],
    ];
    if request.tools().contains(&"update_plan") {
        actions.insert(1, vec![to_do(&steps, 1)]);
        actions.push(vec![to_do(&steps, 2)]);
    }
    let outputs = request.tool_outputs();
    if let Some(items) = actions.into_iter().nth(outputs.len()) {
        return Response::items(items).with_usage(2_400, 1_800, 60, 20);
    }
    let seen: Vec<&str> = FILES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| outputs.iter().any(|output| output.contains(name)))
        .collect();
    let seen = if seen.is_empty() { "nothing, to my surprise".into() } else { seen.join(", ") };
    Response::message(format!(
        "It is a till: total.py adds up the prices in prices.csv. (ls showed me {seen}.)\n\n\
         First I would fix the arithmetic. total.py adds the prices as floating-point numbers, so \
         the total is not exact: 0.10 + 0.20 comes out as 0.30000000000000004. Use decimal.Decimal \
         for money.\n\n\
         After that, a test: there is none."
    ))
    .with_usage(2_900, 2_400, 140, 30)
}

/// Proves that Codex sent the earlier conversation, because this function keeps no state.
fn again(request: &Request) -> Response {
    let texts = request.user_texts();
    let first = texts.iter().find(|text| text.contains("tool: codex_chat"));
    let first = first.map_or("(I was not sent it)", |text| fenced(text));
    Response::message(format!(
        "Your first question was: \"{first}\"\n\nMy main point was that prices are added up as \
         floating-point numbers, which is not exact."
    ))
    .with_usage(3_300, 2_900, 60, 15)
}

fn guard(request: &Request) -> Response {
    if !request.has_tool_output() {
        let items = vec![
            Item::reasoning("**Checking the plan against the code**"),
            Item::shell("cat total.py prices.csv"),
        ];
        return Response::items(items).with_usage(2_700, 1_800, 70, 30);
    }
    let critique = "Blockers\n\
         1. Step 2 hides the error and does not remove it. Rounding a sum of floating-point numbers \
         is off by a cent when the sum lies near half a cent. Way out: read prices as Decimal in \
         total.py, line 4, and quantize once.\n\n\
         Missing\n\
         - What happens with a row that is no price? Today it ends in a traceback.\n\n\
         Tests to write\n\
         - 0.10 + 0.20 is 0.30. An empty file is 0.00. A million rows of 0.01 are 10000.00.\n\n\
         Suggestions\n\
         - Step 3 should be one of these tests, not a look.";
    let blocker = json!({
        "severity": "blocker",
        "title": "Rounding the sum hides the error",
        "where": "step 2; total.py, line 4",
        "why": "A sum near half a cent is still off by one.",
        "suggestion": "Read prices as Decimal, and quantize once.",
    });
    let review = json!({"critique": critique, "verdict": "revise", "findings": [blocker]});
    Response::message(review.to_string()).with_usage(3_100, 2_500, 190, 60)
}

/// The to-do list with the first `done` steps completed.
fn to_do(steps: &[&str], done: usize) -> Item {
    let status = |at: usize| match at {
        at if at < done => "completed",
        at if at == done => "in_progress",
        _ => "pending",
    };
    let plan: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| json!({"step": step, "status": status(at)}))
        .collect();
    Item::call("update_plan", json!({"plan": plan}))
}

/// The caller's text in a prompt, between its two fences.
fn fenced(prompt: &str) -> &str {
    let text = prompt.split_once(" request ---\n").map_or(prompt, |(_, rest)| rest);
    text.split("\n--- ").next().unwrap_or(text)
}
