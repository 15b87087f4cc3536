use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the framer finds in a text: the objects as values, and the id of what is lost.
#[derive(Debug, PartialEq)]
enum Found {
    Object(Value),
    Lost(Option<Value>),
}

fn found(frames: Vec<Frame>) -> Vec<Found> {
    let found = frames.into_iter().map(|frame| match frame {
        Frame::Object(text) => {
            Found::Object(serde_json::from_slice(&text).expect("what has ended is JSON here"))
        }
        Frame::Broken(text) | Frame::CutOff(text) => {
            Found::Lost(crate::transport::stdio::salvage::salvage(&text).id)
        }
        Frame::TooLong { salvaged, .. } => Found::Lost(salvaged.id),
    });
    found.collect()
}

fn read(text: &str) -> Vec<Found> {
    let mut framer = Framer::default();
    let mut frames: Vec<Frame> =
        text.split('\n').flat_map(|line| framer.push(line.as_bytes())).collect();
    frames.extend(framer.cut_off());
    assert!(!framer.is_open());
    found(frames)
}

fn ping(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
}

fn call(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "codex",
        "arguments": {"prompt": "say \"{hi}\"\n", "config": {"a": [1, {"id": 3}, []]}}}})
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value is JSON")
}

#[test]
fn objects_may_have_several_lines_and_share_one() {
    let both = [Found::Object(call(1)), Found::Object(call(2))];
    let (one, two) = (pretty(&call(1)), pretty(&call(2)));
    for between in ["\n", "", " ", "\n\n", "\r\n", ",\n", "]\n["] {
        assert_eq!(read(&format!("{one}{between}{two}")), both, "{between:?}");
    }
    assert_eq!(read(&format!("{}{}", call(1), call(2))), both);
    assert_eq!(read(&format!("{}{two}\n", call(1))), both);
    assert_eq!(read(&format!("\u{feff}[\n{one},\n{two}\n]\n")), both);
    assert_eq!(read(&format!("{one}\n{}", call(2)).replace('\n', "\r\n")), both);
}

#[test]
fn an_object_is_found_as_soon_as_it_ends() {
    let mut framer = Framer::default();
    let text = pretty(&call(1));
    let (begin, end) = text.rsplit_once('\n').expect("it has several lines");
    for line in begin.split('\n') {
        assert_eq!(framer.push(line.as_bytes()), []);
        assert!(framer.is_open());
    }
    assert_eq!(found(framer.push(end.as_bytes())), [Found::Object(call(1))]);
    assert!(!framer.is_open());
}

#[test]
fn the_end_of_an_object_is_seen_before_the_end_of_its_line() {
    let mut framer = Framer::default();
    let line = call(1).to_string();
    assert!(framer.would_end(line.as_bytes()));
    assert!(framer.would_end(format!("{line}{line} ").as_bytes()));
    for text in ["", "}", "{\"a\":{}", &format!("{line} x"), &format!("{line}{{\"a\":{{}}")] {
        assert!(!framer.would_end(text.as_bytes()), "{text}");
    }
    assert_eq!(framer.push(b"{\"a\":"), []);
    assert!(framer.would_end(b"{}}") && framer.would_end(b" 1}") && !framer.would_end(b"{}"));
    assert!(framer.is_open(), "asking changes nothing");
}

#[test]
fn a_whole_message_ends_what_is_open() {
    for torn in [
        "{\"id\":1,\"params\":{",
        "{\n\"id\":1,\n\"params\":[",
        "{\"id\":1,",
        "{\"id\":1",
        "{\"id\":1,\"params\":{\"name\":\"co",
        "{\"id\":1,\"params\":nu",
    ] {
        let expected = [Found::Lost(Some(json!(1))), Found::Object(call(2))];
        assert_eq!(read(&format!("{torn}\n{}\n", call(2))), expected, "{torn}");
        // Without a line end between them.
        assert_eq!(read(&format!("{torn}{}\n", call(2))), expected, "{torn}");
        assert_eq!(read(&format!("{torn}\n{}\n", pretty(&call(2)))), expected, "{torn}");
    }
}

#[test]
fn only_a_whole_message_at_the_end_of_a_broken_line_is_read() {
    let inner = ping(2);
    for line in [
        format!("{{\"id\":1,\"x\":nope,\"params\":{inner}}}"),
        format!("{{\"id\":1,\"x\":nope,\"params\":[{inner}]}}"),
        format!("{{\"id\":1}} // {inner}"),
        format!("{{\"id\":1}},\"x\":{inner}}}"),
    ] {
        assert_eq!(read(&line), [Found::Lost(Some(json!(1)))], "{line}");
    }
    assert_eq!(read(&format!("# {}", ping(1))), [Found::Lost(Some(json!(1)))], "a comment");
    let escaped = json!({"id": 1, "x": inner.to_string()}).to_string();
    assert_eq!(read(&escaped[..escaped.len() - 1]), [Found::Lost(Some(json!(1)))]);
}

#[test]
fn text_without_objects_is_no_part_of_any() {
    for text in ["", "  \r", "[", "]", ",", "[\n\n]"] {
        assert_eq!(read(text), [], "{text:?}");
    }
    assert_eq!(read("hello\n}}}\n"), [Found::Lost(None), Found::Lost(None)]);
    assert_eq!(
        read(&format!("{{\nhello\n{}", pretty(&ping(1)))).pop(),
        Some(Found::Object(ping(1)))
    );
}

#[test]
fn an_object_over_several_lines_is_as_long_as_one_on_a_line_may_be() {
    let line = format!("\"{}\",\n", "x".repeat(1 << 20));
    let object =
        |lines: usize| format!("{{\"a\":[\n{}0\n],\n\"id\":1}}\n{}\n", line.repeat(lines), ping(2));
    let fits = read(&object(15));
    assert!(matches!(fits[..], [Found::Object(_), Found::Object(_)]));
    let too_long = read(&object(17));
    assert_eq!(too_long, [Found::Lost(Some(json!(1))), Found::Object(ping(2))]);
    // Cut off, after so much that nothing of it is kept.
    let cut = read(&format!("{{\"id\":1,\"a\":[\n{}{}\n", line.repeat(17), ping(2)));
    assert_eq!(cut, [Found::Lost(Some(json!(1))), Found::Object(ping(2))]);
}

#[test]
fn what_never_ends_costs_little() {
    let nested = "{\"a\":\n".repeat(1 << 14);
    assert!(read(&nested).iter().all(|found| *found == Found::Lost(None)));
    let places = "{\"jsonrpc\":".repeat(1 << 14);
    assert_eq!(read(&places), [Found::Lost(None)]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a{}\\[\\]\",:\n\\\\]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-c\"{]{1,2}", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

fn request() -> impl Strategy<Value = Value> {
    (0..9_u32, value()).prop_map(
        |(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": "x", "params": params}),
    )
}

/// The tokens of a value's JSON.
fn tokens(value: &Value) -> Vec<String> {
    let mut tokens = Vec::new();
    match value {
        Value::Object(fields) => {
            tokens.push("{".into());
            for (key, value) in fields {
                tokens.extend([json!(key).to_string(), ":".into()]);
                tokens.extend(self::tokens(value));
                tokens.push(",".into());
            }
            tokens.truncate(tokens.len() - usize::from(!fields.is_empty()));
            tokens.push("}".into());
        }
        Value::Array(items) => {
            tokens.push("[".into());
            for value in items {
                tokens.extend(self::tokens(value));
                tokens.push(",".into());
            }
            tokens.truncate(tokens.len() - usize::from(!items.is_empty()));
            tokens.push("]".into());
        }
        scalar => tokens.push(scalar.to_string()),
    }
    tokens
}

proptest! {
    #[test]
    fn objects_are_the_same_however_they_are_split_into_lines(
        requests in prop::collection::vec(request(), 1..5),
        blanks in prop::collection::vec(prop::sample::select(vec!["", "\n", " ", "\r\n", "\n\n  "]), 1..12),
    ) {
        let tokens = requests.iter().flat_map(tokens);
        let text: String =
            tokens.zip(blanks.iter().cycle()).map(|(token, blank)| token + blank).collect();
        let expected: Vec<Found> = requests.into_iter().map(Found::Object).collect();
        prop_assert_eq!(read(&text), expected, "{}", text);
    }

    #[test]
    fn a_request_after_a_torn_one_is_found(
        torn in request(),
        at in any::<prop::sample::Index>(),
        pretty_torn in any::<bool>(),
        line_end in any::<bool>(),
        next in request(),
    ) {
        let torn = if pretty_torn { pretty(&torn) } else { torn.to_string() };
        let at = at.index(torn.len() - 1).max(1);
        prop_assume!(torn.is_char_boundary(at));
        let between = if line_end { "\n" } else { "" };
        let text = format!("{}{between}{next}\n", &torn[..at]);
        let found = read(&text);
        prop_assert_eq!(found.last(), Some(&Found::Object(next)), "{}", text);
    }

    #[test]
    fn any_bytes_are_read(lines in prop::collection::vec("[{}\\[\\]\":,a1\\\\ ]{0,8}", 0..12)) {
        read(&lines.join("\n"));
    }
}
