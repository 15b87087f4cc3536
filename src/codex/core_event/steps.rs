//! Matches the steps that `codex exec` prints with those in the record. Pure.
//!
//! The record has a step's call before the step begins, except for steps of a model's script: these are
//! recorded when they end, while the stream prints them when they begin. The two have different ids.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::CoreEvent;
use crate::codex::turn_record::action::command;
use crate::codex::turn_record::command_key;

/// How many steps are remembered. Later ones are not matched.
const MAX_STEPS: usize = 4_000;

/// What a step does, as a hash: a command may be long.
type Key = u64;

/// The steps that have begun.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// How often each step has begun, by what it does.
    recorded: HashMap<Key, usize>,
    printed: HashMap<Key, usize>,
    /// The ids of steps that were printed and not recorded yet, by what they do.
    ahead: HashMap<Key, VecDeque<String>>,
    /// The id under which the begin of a step was sent, by its id in the record.
    renamed: HashMap<String, String>,
    /// The ids of web searches, which are the same in both.
    searches: HashSet<String>,
    count: usize,
}

impl Steps {
    /// An event of the record as it is to be sent. `None` if it was sent already.
    pub(super) fn recorded(&mut self, mut event: CoreEvent) -> Option<CoreEvent> {
        let id = event.field("call_id").as_str().unwrap_or_default().to_owned();
        match event.kind() {
            "web_search_begin" if !self.is_new_search(id.clone()) => return None,
            "exec_command_begin" | "mcp_tool_call_begin" => {
                let key = key(&event);
                // Its begin was sent under the id that was printed.
                if let Some(printed) = self.ahead.get_mut(&key).and_then(VecDeque::pop_front) {
                    self.renamed.insert(id, printed);
                    return None;
                }
                self.remember(key, |steps| &mut steps.recorded);
            }
            "exec_command_end" | "mcp_tool_call_end" => {
                if let Some(printed) = self.renamed.remove(&id) {
                    event.msg.insert("call_id".into(), printed.into());
                }
            }
            _ => {}
        }
        Some(event)
    }

    /// The begin of a step as it was printed. `None` if the record had it already.
    pub(super) fn printed(&mut self, event: CoreEvent) -> Option<CoreEvent> {
        let id = event.field("call_id").as_str().unwrap_or_default().to_owned();
        if self.count >= MAX_STEPS {
            return None;
        }
        if event.kind() == "web_search_begin" {
            return self.is_new_search(id).then_some(event);
        }
        let key = key(&event);
        let printed = self.remember(key, |steps| &mut steps.printed)?;
        if self.recorded.get(&key).is_some_and(|recorded| *recorded >= printed) {
            return None;
        }
        self.remember(key, |steps| &mut steps.recorded);
        self.ahead.entry(key).or_default().push_back(id);
        Some(event)
    }

    /// Whether the begin of this web search was not sent yet.
    fn is_new_search(&mut self, id: String) -> bool {
        self.count += 1;
        self.count > MAX_STEPS || self.searches.insert(id)
    }

    fn remember(
        &mut self,
        key: Key,
        of: impl Fn(&mut Self) -> &mut HashMap<Key, usize>,
    ) -> Option<usize> {
        if self.count >= MAX_STEPS {
            return None;
        }
        self.count += 1;
        let count = of(self).entry(key).or_default();
        *count += 1;
        Some(*count)
    }
}

/// The key of a step, which is equal in the stream and in the record.
fn key(event: &CoreEvent) -> Key {
    let mut hasher = DefaultHasher::new();
    match event.kind() {
        "exec_command_begin" => {
            command_key(&command(event.field("command")).unwrap_or_default()).hash(&mut hasher);
        }
        // The record may write the server's name differently.
        kind => {
            let tool = event.field("invocation")["tool"].as_str().unwrap_or_default();
            (kind, tool).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codex::core_event::fields;
    use serde_json::json;

    #[test]
    fn the_steps_that_are_remembered_are_bounded() {
        let mut steps = Steps::default();
        for number in 0..2 * MAX_STEPS {
            let begin = |id: &str| {
                let msg = json!({"type": "exec_command_begin", "call_id": id, "command": [number.to_string()]});
                CoreEvent { turn: "1".into(), time: None, msg: fields(msg) }
            };
            let search = json!({"type": "web_search_begin", "call_id": number.to_string()});
            let search = CoreEvent { turn: "1".into(), time: None, msg: fields(search) };
            steps.printed(begin("item"));
            steps.printed(search);
            assert!(steps.recorded(begin("call")).is_some() || number < MAX_STEPS);
        }
        let remembered = steps.recorded.len() + steps.printed.len() + steps.searches.len();
        assert!(remembered <= MAX_STEPS && steps.ahead.len() <= MAX_STEPS, "{remembered}");
    }
}
