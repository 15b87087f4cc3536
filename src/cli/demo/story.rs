//! The prompts of the demonstration, and what the stand-in model says to them.

use std::path::Path;
use std::thread;
use std::time::Duration;
use std::{fs, io};

use serde_json::json;

use super::model::{Item, Request};

/// How long the model pretends to think, so that there is something to watch.
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
pub(super) struct Story {
    pub(super) question: &'static str,
    pub(super) again: &'static str,
    pub(super) requirements: &'static str,
    pub(super) plan: &'static str,
}

/// Prompts about the small project created by [`write_project`].
pub(super) const STAND_IN: Story = Story {
    question: "What does this project do, and what would you fix first? Look before you answer.",
    again: "What was my first question, and what was your main point?",
    requirements: "The total must be right to the cent, whatever is in prices.csv.",
    plan: "1. Leave the sum as it is. 2. Round it to two places when it is printed. \
           3. Run it once and look at the result.",
};

/// Prompts about the current directory.
pub(super) const LIVE: Story = Story {
    question: "What is in this directory? Look around briefly, change nothing, and answer in three \
               sentences.",
    again: "What did I ask you first in this session? Answer in one sentence, without running \
            anything.",
    requirements: "Somebody who is new here must find out in a minute how to run the tests.",
    plan: "1. Find out how the tests are run. 2. Add a section on that at the end of the README. \
           Keep the review to ten lines.",
};

/// Creates the project for [`STAND_IN`].
pub(super) fn write_project(directory: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, text)| fs::write(directory.join(name), text))
}

/// Plays the model: what it says to a request of Codex.
pub(super) fn play(request: &Request) -> Vec<Item> {
    thread::sleep(THINKING);
    let prompts = request.prompts();
    let prompt = prompts.last().map(String::as_str).unwrap_or_default();
    if prompt.contains("tool: codex_guard_plan") {
        guard(request)
    } else if prompt.contains(STAND_IN.again) {
        vec![Item::Message(again(&prompts))]
    } else {
        question(request)
    }
}

fn question(request: &Request) -> Vec<Item> {
    match request.outputs() {
        0 => vec![Item::Reasoning("**Getting an overview**"), Item::Shell("ls")],
        1 => vec![Item::Reasoning("**Reading the code**"), Item::Shell("cat total.py")],
        _ => vec![Item::Message(ANSWER.into())],
    }
}

const ANSWER: &str = "\
It is a till: total.py adds up the prices in prices.csv.

First I would fix the arithmetic. total.py adds the prices as floating-point numbers, so the total is not exact: \
0.10 + 0.20 comes out as 0.30000000000000004. Use decimal.Decimal for money.

After that, a test: there is none.";

/// Proves that Codex sent the earlier conversation, because the model keeps nothing.
fn again(prompts: &[String]) -> String {
    let first = prompts.iter().find(|text| text.contains("tool: codex_chat"));
    let first = first.map_or("(I was not sent it)", |text| fenced(text));
    format!(
        "Your first question was: \"{first}\"\n\nMy main point was that prices are added up as \
         floating-point numbers, which is not exact."
    )
}

fn guard(request: &Request) -> Vec<Item> {
    if request.outputs() == 0 {
        return vec![
            Item::Reasoning("**Checking the plan against the code**"),
            Item::Shell("cat total.py prices.csv"),
        ];
    }
    let critique = "\
         Blockers\n\
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
    vec![Item::Message(review.to_string())]
}

/// The caller's text in a prompt, between its two fences.
fn fenced(prompt: &str) -> &str {
    let text = prompt.split_once(" request ---\n").map_or(prompt, |(_, rest)| rest);
    text.split("\n--- ").next().unwrap_or(text)
}
