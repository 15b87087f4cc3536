//! Decodes a line of the input into messages. Pure.

use rmcp::model::{ClientNotification, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage};
use rmcp::service::{RoleServer, RxJsonRpcMessage};
use serde_json::{Value, json};

use super::MAX_LINE;
use super::salvage::{Salvaged, salvage};

/// The most values that a message may have. The longest lists of a call have some hundreds.
const MAX_VALUES: usize = 100_000;

/// The deepest nesting that the JSON decoder accepts.
const MAX_DEPTH: usize = 128;

/// What to do with a message.
#[derive(Debug)]
pub(in crate::transport) enum Decoded {
    /// Handle it.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// It is invalid: send this answer.
    Refused(Box<Value>),
    /// It is invalid, and may be a request, but no answer is possible. The reason, for the log.
    Unanswerable(&'static str),
    /// It is invalid, and nobody waits for an answer. The reason, for the log.
    Ignored(&'static str),
}

/// Decodes a line. A batch, which version 2025-03-26 of the protocol allows, yields several messages. `None`
/// if the line is not JSON.
pub(in crate::transport) fn decode(line: &[u8]) -> Option<Vec<Decoded>> {
    let line = line.trim_ascii();
    if has_too_many_values(line) {
        return Some(vec![too_many_values(line)]);
    }
    Some(match line.first() {
        None => vec![],
        Some(b'[') => from_slice::<Vec<Value>>(line)?.into_iter().map(from_value).collect(),
        Some(_) => vec![match from_slice::<RxJsonRpcMessage<RoleServer>>(line) {
            Some(message) => checked(message),
            None => invalid(from_slice(line)?),
        }],
    })
}

/// The answer to a line that is too long.
pub(super) fn too_long(length: u64, salvaged: Salvaged) -> Decoded {
    let message = format!(
        "The message is {length} bytes long, but the limit is {MAX_LINE}. Put long text into a file and \
         refer to the file."
    );
    refuse(salvaged, ErrorCode::INVALID_REQUEST, message)
}

/// Whether the line has more values than any message needs. A value of a byte or two takes a hundred in
/// memory once it is decoded. Counts the separators.
fn has_too_many_values(line: &[u8]) -> bool {
    let (mut values, mut depth, mut in_string, mut escaped) = (0, 0_usize, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'[' | b'{' if !in_string => {
                values += 1;
                depth += 1;
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b':' if !in_string => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            // The decoder rejects this depth, so it reads no further.
            return false;
        }
        if values > MAX_VALUES {
            return true;
        }
    }
    false
}

fn too_many_values(line: &[u8]) -> Decoded {
    let message = format!("The message has more than {MAX_VALUES} values, which is the limit.");
    refuse(salvage(line), ErrorCode::INVALID_REQUEST, message)
}

/// Decodes JSON, with lone surrogates replaced if necessary: JavaScript writes those when it cuts a
/// string in the middle of an emoji.
fn from_slice<T: serde::de::DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line)
        .ok()
        .or_else(|| serde_json::from_slice(&without_lone_surrogates(line)?).ok())
}

fn from_value(value: Value) -> Decoded {
    match serde_json::from_value::<RxJsonRpcMessage<RoleServer>>(value.clone()) {
        Ok(message) => checked(message),
        Err(_) => invalid(value),
    }
}

/// Refuses a known method with wrong parameters, which rmcp decodes as an unknown method, and a call without
/// an id: JSON-RPC takes it for a notification, which has no answer.
fn checked(message: RxJsonRpcMessage<RoleServer>) -> Decoded {
    if let JsonRpcMessage::Notification(notification) = &message
        && let ClientNotification::CustomNotification(custom) = &notification.notification
        && custom.method == "tools/call"
    {
        return Decoded::Unanswerable("a tools/call without an id, which is not run");
    }
    if let JsonRpcMessage::Request(request) = &message
        && let ClientRequest::CustomRequest(custom) = &request.request
        && let Some(expected) = parameters_of(&custom.method)
    {
        if let Some(decoded) = with_arguments_as_text(&message) {
            return decoded;
        }
        return wrong_parameters(json!(request.id), &custom.method, expected);
    }
    Decoded::Message(Box::new(message))
}

/// The same call with its arguments decoded from a string: models and their clients send that. `None` if
/// the arguments are no string.
fn with_arguments_as_text(message: &RxJsonRpcMessage<RoleServer>) -> Option<Decoded> {
    let mut message = json!(message);
    let arguments = message["params"].get_mut("arguments")?;
    let text = arguments.as_str()?.trim();
    let parsed = match text {
        "" => Some(json!({})),
        text if has_too_many_values(text.as_bytes()) => None,
        text => from_slice::<Value>(text.as_bytes()).filter(Value::is_object),
    };
    let Some(parsed) = parsed else {
        let what = "The \"arguments\" of tools/call must be an object, or a string that contains one as JSON.";
        return Some(answer(message["id"].take(), ErrorCode::INVALID_PARAMS, what.into()));
    };
    *arguments = parsed;
    // Other mistakes get the same answer as in any call.
    Some(from_value(message))
}

fn parameters_of(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" => Some("an object with a string \"name\" and an object \"arguments\""),
        "tools/list" => Some("an object with an optional string \"cursor\""),
        "initialize" => {
            Some("an object with \"protocolVersion\", \"capabilities\" and \"clientInfo\"")
        }
        "server/discover" | "ping" => Some("an object, or omitted"),
        _ => None,
    }
}

fn wrong_parameters(id: Value, method: &str, expected: &str) -> Decoded {
    let message = format!("The parameters of {method} must be {expected}.");
    answer(id, ErrorCode::INVALID_PARAMS, message)
}

/// The answer to JSON that is not a message.
fn invalid(value: Value) -> Decoded {
    if value["jsonrpc"] == "2.0"
        && let (Some(id), Some(method)) = (super::id_from(&value["id"]), value["method"].as_str())
    {
        if id.is_number() && !id.is_i64() {
            let message =
                format!("The id must be a string, or an integer of at most {}.", i64::MAX);
            return answer(id, ErrorCode::INVALID_REQUEST, message);
        }
        let expected = parameters_of(method).unwrap_or("an object, or omitted");
        return wrong_parameters(id, method, expected);
    }
    let salvaged = Salvaged {
        id: super::id_from(&value["id"]),
        is_response: value.get("result").is_some() || value.get("error").is_some(),
    };
    let message =
        "The message is not a JSON-RPC 2.0 request: it needs \"jsonrpc\": \"2.0\", an id \
                   and a method."
            .into();
    refuse(salvaged, ErrorCode::INVALID_REQUEST, message)
}

/// The answer to text that is not JSON.
pub(in crate::transport) fn broken(text: &[u8]) -> Decoded {
    let message = if std::str::from_utf8(text).is_err() {
        "The message is not valid UTF-8."
    } else {
        "The message is not valid JSON."
    };
    match refuse(salvage(text), ErrorCode::PARSE_ERROR, message.into()) {
        Decoded::Unanswerable(_) if !text.trim_ascii_start().starts_with(b"{") => {
            Decoded::Ignored("a line that is no message")
        }
        decoded => decoded,
    }
}

/// The answer to text that opens an object and does not end it.
pub(super) fn cut_off(text: &[u8]) -> Decoded {
    let message = "The message is not valid JSON: it is cut off, or a string in it has a line break that \
                   is not written as \\n. Send it again as a whole.";
    refuse(salvage(text), ErrorCode::PARSE_ERROR, message.into())
}

fn refuse(salvaged: Salvaged, code: ErrorCode, message: String) -> Decoded {
    match salvaged {
        Salvaged { is_response: true, .. } => Decoded::Ignored("a response that cannot be decoded"),
        Salvaged { id: Some(id), .. } => answer(id, code, message),
        Salvaged { id: None, .. } => Decoded::Unanswerable("a message without a readable id"),
    }
}

/// An answer with the id exactly as the client wrote it, even if no request can have such an id.
fn answer(id: Value, code: ErrorCode, message: String) -> Decoded {
    let error = ErrorData::new(code, message, None);
    Decoded::Refused(Box::new(json!({"jsonrpc": "2.0", "id": id, "error": error})))
}

/// Replaces each `\uD800` to `\uDFFF` that is not half of a pair by `\uFFFD`. `None` if there is none.
/// JSON has backslashes only in strings, so there is no need to track those.
fn without_lone_surrogates(line: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| -> Option<u16> {
        let digits = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut replaced: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &line[at..]) {
        at += next;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                replaced.get_or_insert_with(|| line.to_vec())[at..at + 6]
                    .copy_from_slice(b"\\uFFFD");
                6
            }
            _ => 2,
        };
        if at >= line.len() {
            break;
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> Option<String> {
        let replaced = without_lone_surrogates(text.as_bytes())?;
        Some(String::from_utf8(replaced).expect("only ASCII is put in"))
    }

    #[test]
    fn only_lone_surrogates_are_replaced() {
        assert_eq!(replaced(r#""a\ud83d""#).as_deref(), Some(r#""a\uFFFD""#));
        assert_eq!(
            replaced(r#""\ude00\ud83d\ude00\uD83Dx""#).as_deref(),
            Some(r#""\uFFFD\ud83d\ude00\uFFFDx""#)
        );
        assert_eq!(replaced(r#""\ud83d\ud83d\ude00""#).as_deref(), Some(r#""\uFFFD\ud83d\ude00""#));
        assert_eq!(replaced(r#""\\ud83d \ud83d\ude00 \n""#), None);
        assert_eq!(replaced(r#""cut \ud8"#), None);
    }

    fn reply(line: &str) -> Value {
        let decoded = decode(line.as_bytes()).unwrap_or_else(|| vec![broken(line.as_bytes())]);
        match decoded.into_iter().next() {
            Some(Decoded::Refused(answer)) => *answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    #[test]
    fn invalid_messages_with_an_id_are_answered() {
        let no_name = reply(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#);
        assert_eq!(no_name["error"]["code"], -32602);
        let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":["codex_chat"]}"#;
        assert_eq!(reply(list)["error"]["code"], -32602);
        let array = r#"{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"x","arguments":[]}}"#;
        assert_eq!(reply(array)["error"]["code"], -32602);
        assert_eq!(reply(array)["id"], "b");
        assert_eq!(
            reply(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","#)["error"]["code"],
            -32700
        );
        assert_eq!(reply(r#"{"id":4,"method":7}"#)["error"]["code"], -32600);
        for id in ["9223372036854775808", "18446744073709551615", "-1e300", "1.5"] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            let answer = reply(&line);
            assert_eq!(answer["error"]["code"], -32600, "{line}");
            assert_eq!(answer["id"], serde_json::from_str::<Value>(id).expect("a number"));
        }
    }

    #[test]
    fn arguments_may_be_an_object_in_a_string() {
        let call = |arguments: &Value| {
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"_meta": {"progressToken": "a"}, "name": "codex_chat", "arguments": arguments}})
        };
        let decoded = |text: &str| {
            let line = call(&json!(text)).to_string();
            match decode(line.as_bytes()).expect("it is JSON").pop() {
                Some(Decoded::Message(message)) => Ok(json!(*message)),
                Some(Decoded::Refused(answer)) => Err(*answer),
                other => panic!("neither a message nor an answer: {other:?}"),
            }
        };
        let object = json!({"prompt": "say \"hi\"", "images": ["/a"]});
        assert_eq!(decoded(&format!(" {object}\n")), Ok(call(&object)));
        assert_eq!(decoded(""), Ok(call(&json!({}))));
        let cut = json!({"prompt": "a\u{fffd}"});
        assert_eq!(decoded(r#"{"prompt": "a\ud83d"}"#), Ok(call(&cut)));
        let many = format!("{{\"images\": [{}0]}}", "0,".repeat(MAX_VALUES));
        let twice = json!(object.to_string()).to_string();
        for text in ["hi", "{\"prompt\": ", "[{\"prompt\": 1}]", "null", "7", &twice, &many] {
            let refused = decoded(text).expect_err("it is no object");
            assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1), &json!(-32602)));
            let said = refused["error"]["message"].as_str().expect("a message");
            assert!(
                said.contains("\"arguments\"") && said.contains("contains one as JSON"),
                "{said}"
            );
        }
    }

    #[test]
    fn invalid_messages_without_an_id_are_ignored() {
        for line in ["no json", r#"{"jsonrpc":"2.0","id":1,"result":"#] {
            assert!(decode(line.as_bytes()).is_none(), "{line}");
            assert!(matches!(broken(line.as_bytes()), Decoded::Ignored(_)), "{line}");
        }
        let torn = br#"{"method":"tools/call","id":"#;
        assert!(matches!(broken(torn), Decoded::Unanswerable(_)));
        assert!(matches!(cut_off(torn), Decoded::Unanswerable(_)));
        for line in ["{}", r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"codex"}}"#] {
            let decoded = decode(line.as_bytes());
            assert!(matches!(decoded.as_deref(), Some([Decoded::Unanswerable(_)])), "{line}");
        }
        let notification = decode(br#"{"jsonrpc":"2.0","method":"notifications/unknown"}"#);
        assert!(matches!(notification.as_deref(), Some([Decoded::Message(_)])));
        assert!(matches!(decode(b"  ").as_deref(), Some([])));
    }

    #[test]
    fn a_batch_yields_each_of_its_messages() {
        let batch = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"id":2},{"jsonrpc":"2.0","id":3,"method":"ping"}]"#;
        assert!(matches!(
            decode(batch).as_deref(),
            Some([Decoded::Message(_), Decoded::Refused(_), Decoded::Message(_)])
        ));
    }
}
