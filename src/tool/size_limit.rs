//! Keeps answers within the size that clients accept. Pure.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value};

use super::plain::Plain;
use crate::model::text::shorten_strings;

/// The longest structured content, in characters. Claude Code accepts 500,000 for the whole answer.
const MAX_CHARS: usize = 450_000;

/// The lengths to which texts are cut, in this order, until the value fits.
const CUTS: [usize; 5] = [100_000, 20_000, 4_000, 500, 100];

/// How deep long parts of a value are searched for.
const MAX_DEPTH: usize = 4;

/// The field that is useless if it is cut.
const WHOLE_OR_NOT_AT_ALL: &str = "output";

/// A success with this content, shortened if necessary, and its text block. Its warnings say what was shortened.
pub(super) fn structured(mut content: Map<String, Value>, plain: Plain) -> CallToolResult {
    fit(&mut content, MAX_CHARS);
    let text = plain(&content);
    let mut result = CallToolResult::structured(Value::Object(content));
    result.content = vec![ContentBlock::text(text)];
    result
}

fn fit(content: &mut Map<String, Value>, most: usize) {
    let mut left = total_length(content);
    if left <= most {
        return;
    }
    let whole = left;
    let mut warnings_to_add = Vec::new();
    let mut leave_out = |fields: &mut Map<String, Value>| {
        if fields.shift_remove(WHOLE_OR_NOT_AT_ALL).is_some() {
            warnings_to_add.push(format!(
                "{WHOLE_OR_NOT_AT_ALL} was omitted: with it, the answer would have had {whole} \
                 characters. The session has the text that it was parsed from."
            ));
        }
    };
    leave_out(content);
    content.get_mut("job").and_then(Value::as_object_mut).map(leave_out);
    left = total_length(content);
    // The longest field first, so that short ones stay whole.
    while left > most {
        let Some((name, field)) = content.iter_mut().max_by_key(|(_, field)| length(field)) else {
            break;
        };
        let own = length(field);
        shrink(field, most.saturating_sub(left - own), 0);
        warnings_to_add
            .push(format!("{name} was shortened: the answer would have had {whole} characters."));
        let now = total_length(content);
        if now >= left {
            break;
        }
        left = now;
    }
    warnings_to_add.dedup();
    if let Value::Array(warnings) =
        content.entry("warnings").or_insert_with(|| Value::Array(Vec::new()))
    {
        warnings.extend(warnings_to_add.into_iter().map(Value::from));
    }
}

/// Shrinks a value to at most `most` characters: first by cutting its texts, then by shrinking its longest
/// part or dropping the ends of lists.
fn shrink(value: &mut Value, most: usize, depth: usize) {
    for chars in [most].into_iter().chain(CUTS).filter(|chars| *chars <= most) {
        if length(value) <= most {
            return;
        }
        shorten_strings(value, chars);
    }
    while length(value) > most {
        let whole = length(value);
        let longest = match value {
            Value::Array(values) => values.iter_mut().max_by_key(|value| length(value)),
            Value::Object(fields) => fields.values_mut().max_by_key(|value| length(value)),
            _ => None,
        };
        match longest {
            Some(longest) if depth < MAX_DEPTH && length(longest) > whole / 2 => {
                let own = length(longest);
                shrink(longest, most.saturating_sub(whole - own), depth + 1);
                if length(longest) >= own {
                    *longest = Value::Null;
                }
            }
            _ => return shorten(value, most),
        }
    }
}

/// Keeps the first values of a list or object.
fn shorten(value: &mut Value, most: usize) {
    // Minus the brackets. Each value has a comma.
    let mut room = most.saturating_sub(2);
    let mut fits = |length: usize| {
        let fits = length < room;
        room = room.saturating_sub(length + 1);
        fits
    };
    match value {
        Value::Array(values) => {
            let kept = values.iter().take_while(|value| fits(length(value))).count();
            values.truncate(kept);
        }
        Value::Object(fields) => {
            let kept =
                fields.iter().take_while(|(name, value)| fits(name.len() + 3 + length(value)));
            *fields = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        other => *other = Value::Null,
    }
}

fn total_length(content: &Map<String, Value>) -> usize {
    content.iter().map(|(name, value)| name.len() + 4 + length(value)).sum()
}

fn length(value: &Value) -> usize {
    value.to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fitted(content: Value, most: usize) -> Value {
        let Value::Object(mut content) = content else { panic!("it is an object") };
        fit(&mut content, most);
        assert!(total_length(&content) < most + 1_000, "{}", total_length(&content));
        Value::Object(content)
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let content = json!({"reply": "x".repeat(900), "output": {"a": 1}});
        assert_eq!(fitted(content.clone(), 1_000), content);
    }

    #[test]
    fn an_output_that_does_not_fit_is_left_out_and_the_rest_is_whole() {
        let content = json!({"reply": "short", "output": {"a": "x".repeat(5_000)}});
        let fitted = fitted(content, 2_000);
        assert_eq!((&fitted["reply"], &fitted["output"]), (&json!("short"), &Value::Null));
        assert!(
            fitted["warnings"][0].as_str().expect("a warning").starts_with("output was omitted")
        );
    }

    #[test]
    fn the_longest_field_is_made_shorter_whatever_it_is() {
        let many: Vec<Value> = (0..2_000).map(|number| json!({"number": number})).collect();
        let deep = json!({"a": [{"b": many}]});
        for long in [json!("x".repeat(9_000)), json!(many), json!([["\u{1}".repeat(9_000)]]), deep]
        {
            let fitted = fitted(json!({"short": "text", "long": long}), 3_000);
            assert_eq!(fitted["short"], "text");
            assert!(fitted["warnings"][0].as_str().expect("a warning").starts_with(
                "long was \
                            shortened"
            ));
            assert!(length(&fitted["long"]) > 100, "{fitted}");
        }
    }
}
