//! Who is next. Pure: calls go in, those that may start come out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::turn::request::SessionId;

/// A call that waits or runs, as all servers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its number in the line: the smaller, the earlier.
    pub(crate) ticket: u64,
    /// The server that it belongs to.
    pub(crate) server: String,
    pub(crate) running: bool,
    /// Whether it goes before all others that wait for its session.
    pub(crate) front: bool,
    pub(crate) session: Option<SessionId>,
    /// How many calls may run, itself included, as its server was set to.
    pub(crate) limit: usize,
}

/// Which of the calls that wait may start now, from the head of the line.
///
/// A call whose session is at work, or is wanted by one before it, is passed by, so that it holds
/// nobody else up.
pub(crate) fn next(calls: &[&Entry]) -> Vec<usize> {
    let mut running = calls.iter().filter(|call| call.running).count();
    let mut taken: HashSet<SessionId> =
        calls.iter().filter(|call| call.running).filter_map(|call| call.session).collect();
    let mut line: Vec<usize> = (0..calls.len()).filter(|at| !calls[*at].running).collect();
    line.sort_by_cached_key(|at| position(calls, calls[*at]));
    line.retain(|at| {
        let call = calls[*at];
        let free = call.session.is_none_or(|session| taken.insert(session));
        let starts = free && running < call.limit;
        running += usize::from(starts);
        starts
    });
    line
}

/// A sentence part about what a call waits for, and the call that it waits for if that is one.
pub(crate) fn in_front<'a>(calls: &[&'a Entry], waits: &Entry) -> Option<InFront<'a>> {
    let same_session =
        |call: &&&Entry| call.session.is_some() && call.session == waits.session && **call != waits;
    let before = |call: &&&Entry| position(calls, call) < position(calls, waits);
    let at_work = calls.iter().filter(same_session).find(|call| call.running);
    let earlier = || calls.iter().filter(same_session).filter(before).min_by_key(|c| c.ticket);
    if let Some(call) = at_work.or_else(earlier) {
        return Some(InFront::Call(call));
    }
    let running = calls.iter().filter(|call| call.running).count();
    (running >= waits.limit).then_some(InFront::Limit(running))
}

/// What a call waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InFront<'a> {
    /// This call of the same session.
    Call(&'a Entry),
    /// So many calls that run.
    Limit(usize),
}

/// The order of those that wait. A front call has the place of the first one of its session.
fn position(calls: &[&Entry], call: &Entry) -> (u64, bool, u64) {
    let first_of_session = || {
        let same = calls.iter().filter(|other| !other.running && other.session == call.session);
        same.map(|other| other.ticket).min()
    };
    let place = if call.front && call.session.is_some() { first_of_session() } else { None };
    (place.unwrap_or(call.ticket), !call.front, call.ticket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ticket: u64, session: u8, limit: usize) -> Entry {
        let id = format!("0199a213-81c0-7800-8aa1-bbab2a0350{session:02}");
        let session = (session > 0).then(|| id.parse().expect("a UUID"));
        Entry { ticket, server: "a".into(), running: false, front: false, session, limit }
    }

    fn running(call: Entry) -> Entry {
        Entry { running: true, ..call }
    }

    fn front(call: Entry) -> Entry {
        Entry { front: true, ..call }
    }

    /// The tickets of those that start.
    fn starts(calls: &[Entry]) -> Vec<u64> {
        let calls: Vec<&Entry> = calls.iter().collect();
        next(&calls).into_iter().map(|at| calls[at].ticket).collect()
    }

    #[test]
    fn calls_start_in_the_order_of_their_tickets_up_to_the_limit() {
        assert_eq!(starts(&[call(3, 0, 2), call(1, 0, 2), call(2, 0, 2)]), [1, 2]);
        assert_eq!(starts(&[running(call(1, 0, 2)), call(3, 0, 2), call(2, 0, 2)]), [2]);
    }

    #[test]
    fn one_of_each_session_starts_and_the_others_hold_nobody_up() {
        let at_work = running(call(1, 1, 9));
        assert_eq!(starts(&[at_work, call(2, 1, 9), call(3, 2, 9), call(4, 2, 9)]), [3]);
    }

    #[test]
    fn an_earlier_one_that_the_limit_stops_keeps_its_turn_in_the_session() {
        let at_work = running(call(1, 1, 9));
        assert_eq!(starts(&[at_work, call(2, 2, 1), call(3, 2, 9), call(4, 3, 9)]), [4]);
    }

    #[test]
    fn a_front_call_goes_before_all_of_its_session_and_passes_no_other() {
        let line = [call(1, 2, 1), call(2, 1, 1), call(3, 3, 1), front(call(4, 1, 1))];
        assert_eq!(starts(&line), [1]);
        assert_eq!(starts(&line[1..]), [4]);
        assert_eq!(starts(&[call(1, 1, 1), front(call(2, 0, 1))]), [1]);
        assert_eq!(starts(&[running(call(1, 1, 9)), front(call(2, 1, 9))]), [0; 0]);
    }

    #[test]
    fn what_a_call_waits_for_is_its_session_or_the_limit() {
        let (at_work, other) = (running(call(1, 1, 2)), running(call(2, 2, 2)));
        let (earlier, waits) = (call(3, 3, 2), call(4, 3, 2));
        let calls = [&at_work, &other, &earlier, &waits];
        assert_eq!(in_front(&calls, &waits), Some(InFront::Call(&earlier)));
        assert_eq!(in_front(&calls, &earlier), Some(InFront::Limit(2)));
        let waits = call(5, 1, 2);
        assert_eq!(in_front(&calls, &waits), Some(InFront::Call(&at_work)));
        assert_eq!(in_front(&[&waits], &waits), None);
    }
}
