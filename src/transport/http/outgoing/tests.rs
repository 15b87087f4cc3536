use serde_json::{Value, json};

use super::*;

fn message(value: Value) -> TxJsonRpcMessage<RoleServer> {
    serde_json::from_value(value).expect("it is a message")
}

fn answer(id: i64, text: &str) -> TxJsonRpcMessage<RoleServer> {
    message(
        json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}}),
    )
}

fn progress(token: &str, number: u32) -> TxJsonRpcMessage<RoleServer> {
    message(json!({"jsonrpc": "2.0", "method": "notifications/progress",
                   "params": {"progressToken": token, "progress": number}}))
}

fn event(request: i64, text: &str) -> TxJsonRpcMessage<RoleServer> {
    message(json!({"jsonrpc": "2.0", "method": "codex/event",
                   "params": {"_meta": {"requestId": request}, "msg": text}}))
}

fn begin(outgoing: &mut Outgoing, id: i64, token: Option<&str>) -> u64 {
    let token = token.map(|token| serde_json::from_value(json!(token)).expect("it is a token"));
    outgoing.begin(RequestId::Number(id), token, true)
}

/// A reader of a stream.
struct Reader(u64, u64, u64);

impl Reader {
    fn attach(outgoing: &mut Outgoing, stream: u64, from: u64) -> Self {
        Self(stream, outgoing.attach(stream).expect("there is such a stream"), from)
    }

    fn next(&mut self, outgoing: &mut Outgoing) -> Next {
        let next = outgoing.next(self.0, self.1, self.2, false, Waker::noop());
        if let Next::Event(index, _) = &next {
            self.2 = index + 1;
        }
        next
    }

    /// Everything that there is, as JSON, and whether more will come.
    fn all(&mut self, outgoing: &mut Outgoing) -> (Vec<Value>, bool) {
        let mut all = Vec::new();
        loop {
            match self.next(outgoing) {
                Next::Event(_, message) => {
                    all.push(message.map_or(Value::Null, |message| json!(message)));
                }
                Next::Later => return (all, true),
                Next::End => return (all, false),
            }
        }
    }
}

#[test]
fn each_request_gets_its_own_messages_and_its_stream_ends_with_the_answer() {
    let mut outgoing = Outgoing::default();
    let (one, two) = (begin(&mut outgoing, 1, Some("a")), begin(&mut outgoing, 2, Some("b")));
    let mut first = Reader::attach(&mut outgoing, one, 0);
    let mut second = Reader::attach(&mut outgoing, two, 0);
    outgoing.push(progress("b", 1));
    outgoing.push(event(1, "for the first"));
    outgoing.push(answer(2, "two"));
    outgoing.push(answer(1, "one"));
    let (got, more) = first.all(&mut outgoing);
    assert_eq!((got.len(), more), (3, false), "{got:?}");
    assert_eq!(got[0], Value::Null, "the first event has an id alone");
    assert_eq!(got[1]["params"]["msg"], "for the first");
    assert_eq!(got[2]["id"], 1);
    let (got, more) = second.all(&mut outgoing);
    assert_eq!((got.len(), more), (3, false), "{got:?}");
    assert_eq!((&got[1]["params"]["progress"], &got[2]["id"]), (&json!(1.0), &json!(2)));
}

#[test]
fn only_the_newest_progress_is_kept() {
    let mut outgoing = Outgoing::default();
    let stream = begin(&mut outgoing, 1, Some("a"));
    for number in 0..10_000 {
        outgoing.push(progress("a", number));
    }
    let (got, _) = Reader::attach(&mut outgoing, stream, 0).all(&mut outgoing);
    assert_eq!(got.len(), 2, "{got:?}");
    assert_eq!(got[1]["params"]["progress"], 9_999.0);
}

#[test]
fn what_was_delivered_is_delivered_again_to_a_client_that_comes_back() {
    let mut outgoing = Outgoing::default();
    let stream = begin(&mut outgoing, 1, None);
    let mut reader = Reader::attach(&mut outgoing, stream, 0);
    outgoing.push(event(1, "one"));
    outgoing.push(event(1, "two"));
    outgoing.push(answer(1, "done"));
    assert_eq!(reader.all(&mut outgoing).0.len(), 4);
    let minute = Duration::from_secs(60);
    assert_eq!(outgoing.detach(stream, minute), None);
    assert!(outgoing.expire(minute).is_empty());
    let (again, more) = Reader::attach(&mut outgoing, stream, 2).all(&mut outgoing);
    assert_eq!((again.len(), more), (2, false), "{again:?}");
    assert_eq!(again[0]["params"]["msg"], "two");
    assert_eq!(again[1]["id"], 1);
    outgoing.detach(stream, minute);
    assert!(outgoing.expire(Duration::ZERO).is_empty(), "it was answered");
    assert_eq!(outgoing.attach(stream), None, "it is forgotten");
    assert_eq!(outgoing.bytes, 0);
}

#[test]
fn a_request_that_nobody_resumes_is_abandoned() {
    let mut outgoing = Outgoing::default();
    let minute = Duration::from_secs(60);
    let stream = begin(&mut outgoing, 1, None);
    let mut reader = Reader::attach(&mut outgoing, stream, 0);
    assert!(matches!(reader.next(&mut outgoing), Next::Event(0, None)));
    assert_eq!(outgoing.detach(stream, minute), None);
    assert!(outgoing.is_unanswered(&RequestId::Number(1)));
    assert_eq!(outgoing.expire(Duration::ZERO), [RequestId::Number(1)]);
    assert!(!outgoing.is_unanswered(&RequestId::Number(1)));
}

#[test]
fn a_request_that_nobody_can_resume_is_abandoned_at_once() {
    let mut outgoing = Outgoing::default();
    let minute = Duration::from_secs(60);
    let stream = outgoing.begin(RequestId::Number(1), None, false);
    let mut reader = Reader::attach(&mut outgoing, stream, 0);
    assert!(matches!(reader.next(&mut outgoing), Next::Later));
    assert_eq!(outgoing.detach(stream, minute), Some(RequestId::Number(1)), "it got no id");
    let stream = begin(&mut outgoing, 2, None);
    let mut reader = Reader::attach(&mut outgoing, stream, 0);
    assert!(matches!(reader.next(&mut outgoing), Next::Event(..)));
    assert_eq!(outgoing.detach(stream, Duration::ZERO), Some(RequestId::Number(2)));
}

#[test]
fn a_second_reader_of_a_request_takes_over() {
    let mut outgoing = Outgoing::default();
    let stream = begin(&mut outgoing, 1, None);
    let mut old = Reader::attach(&mut outgoing, stream, 0);
    let mut new = Reader::attach(&mut outgoing, stream, 0);
    assert!(matches!(old.next(&mut outgoing), Next::End));
    assert!(matches!(new.next(&mut outgoing), Next::Event(..)));
    let minute = Duration::from_secs(60);
    assert_eq!(outgoing.detach(stream, minute), None);
    assert!(outgoing.expire(Duration::ZERO).is_empty(), "one still reads");
}

#[test]
fn two_readers_of_the_common_stream_do_not_end_each_other() {
    let mut outgoing = Outgoing::default();
    let mut old = Reader::attach(&mut outgoing, COMMON, 0);
    let mut new = Reader::attach(&mut outgoing, COMMON, 0);
    outgoing.push(event(9, "for nobody in particular"));
    assert!(matches!(old.next(&mut outgoing), Next::Later));
    assert!(matches!(new.next(&mut outgoing), Next::Event(..)));
    assert_eq!(outgoing.unread(COMMON), 1);
    let ends = outgoing.next(COMMON, new.1, new.2, true, Waker::noop());
    assert!(matches!(ends, Next::End), "the server leaves");
}

#[test]
fn what_a_stream_keeps_is_bounded() {
    let mut outgoing = Outgoing::default();
    let stream = begin(&mut outgoing, 1, None);
    for number in 0..2 * MAX_NOTES {
        outgoing.push(event(1, &number.to_string()));
    }
    let (got, _) = Reader::attach(&mut outgoing, stream, 0).all(&mut outgoing);
    assert_eq!(got.len(), MAX_NOTES + 1);
    assert_eq!(got[1]["params"]["msg"], MAX_NOTES.to_string(), "the oldest are forgotten");
    for _ in 0..10 {
        outgoing.push(event(1, &"x".repeat(MAX_NOTE_BYTES / 2)));
    }
    assert!(outgoing.bytes <= MAX_NOTE_BYTES);
}

#[test]
fn what_a_session_keeps_is_bounded() {
    let mut outgoing = Outgoing::default();
    let text = "x".repeat(MAX_KEPT / 8);
    for id in 0..100 {
        let stream = begin(&mut outgoing, id, None);
        let mut reader = Reader::attach(&mut outgoing, stream, 0);
        outgoing.push(answer(id, &text));
        assert_eq!(reader.all(&mut outgoing).0.len(), 2);
        outgoing.detach(stream, Duration::from_secs(60));
    }
    assert!(outgoing.bytes <= MAX_KEPT && outgoing.has_room());
    for id in 0..17 {
        let stream = begin(&mut outgoing, id, None);
        outgoing.attach(stream);
        outgoing.push(answer(id, &text));
    }
    assert!(!outgoing.has_room(), "somebody may still read these");
    let mut outgoing = Outgoing::default();
    for id in 0..MAX_UNANSWERED as i64 {
        assert!(outgoing.has_room());
        begin(&mut outgoing, id, None);
    }
    assert!(!outgoing.has_room());
}

#[test]
fn a_session_is_in_use_while_somebody_reads_or_waits() {
    let mut outgoing = Outgoing::default();
    assert!(!outgoing.is_in_use());
    outgoing.attach(COMMON);
    assert!(outgoing.is_in_use());
    outgoing.detach(COMMON, Duration::ZERO);
    let stream = begin(&mut outgoing, 1, None);
    assert!(outgoing.is_in_use());
    outgoing.cancelled(&RequestId::Number(1));
    assert!(!outgoing.is_in_use());
    let mut reader = Reader::attach(&mut outgoing, stream, 1);
    assert!(matches!(reader.next(&mut outgoing), Next::End), "it gets no answer");
    assert!(outgoing.end_all().is_empty());
}
