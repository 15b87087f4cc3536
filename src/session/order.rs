//! Which calls are next. Pure: calls go in, those that may start come out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::writable_roots::{Clash, WritableRoots};
use crate::model::session_id::SessionId;

/// A call that waits or runs, as all servers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its number in the queue. Lower numbers come first.
    pub(crate) ticket: u64,
    /// The server that it belongs to.
    pub(crate) server: String,
    pub(crate) running: bool,
    /// Whether it precedes all other calls that wait for its session.
    pub(crate) front: bool,
    pub(crate) session: Option<SessionId>,
    /// How many calls may run, including this one, by its server's settings.
    pub(crate) limit: usize,
    /// Where its turn may write. `None` for a turn that does not write, or until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) roots: Option<WritableRoots>,
}

/// A call that may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// Its index among the calls.
    pub(crate) at: usize,
    /// Where it may write beside the other turns.
    pub(crate) roots: Option<WritableRoots>,
}

/// Which of the waiting calls may start now, from the head of the queue.
///
/// A call is passed over, without blocking others, while its session is busy or an earlier call
/// waits for the same session. The same holds for a call whose folders clash with those of another
/// turn; but no later call may take these folders away from it.
pub(crate) fn next(calls: &[&Entry]) -> Vec<Start> {
    let mut running = calls.iter().filter(|call| call.running).count();
    let mut taken: HashSet<SessionId> =
        calls.iter().filter(|call| call.running).filter_map(|call| call.session).collect();
    let mut before: Vec<(WritableRoots, bool)> = calls
        .iter()
        .filter(|call| call.running)
        .filter_map(|call| Some((call.roots.clone()?, true)))
        .collect();
    let mut queue: Vec<usize> = (0..calls.len()).filter(|at| !calls[*at].running).collect();
    queue.sort_by_cached_key(|at| position(calls, calls[*at]));
    let starts = queue.into_iter().filter_map(|at| {
        let call = calls[at];
        let free = call.session.is_none_or(|session| taken.insert(session));
        let mut roots = call.roots.clone();
        let mut clear = true;
        if let Some(roots) = &mut roots {
            clear = before.iter().all(|(other, runs)| roots.clash(other, *runs).is_none());
            before.iter().for_each(|(other, runs)| roots.drop_clashing_temp(other, *runs));
        }
        let starts = free && clear && running < call.limit;
        running += usize::from(starts);
        let seen = if starts { &roots } else { &call.roots };
        before.extend(seen.clone().map(|roots| (roots, starts)));
        starts.then_some(Start { at, roots })
    });
    starts.collect()
}

/// What a call waits for, if anything.
pub(crate) fn in_front<'a>(calls: &[&'a Entry], waits: &Entry) -> Option<InFront<'a>> {
    let same_session =
        |call: &&&Entry| call.session.is_some() && call.session == waits.session && **call != waits;
    let before = |call: &&&Entry| position(calls, call) < position(calls, waits);
    let at_work = calls.iter().filter(same_session).find(|call| call.running);
    let earlier = || calls.iter().filter(same_session).filter(before).min_by_key(|c| c.ticket);
    if let Some(call) = at_work.or_else(earlier) {
        return Some(InFront::Call(call));
    }
    let clash = |call: &&'a Entry| {
        let clash = waits.roots.as_ref()?.clash(call.roots.as_ref()?, call.running)?;
        Some(InFront::Folder(call, clash))
    };
    let at_work = calls.iter().filter(|call| call.running && **call != waits);
    let earlier = calls.iter().filter(|call| !call.running && before(call));
    if let Some(folder) = at_work.chain(earlier).find_map(clash) {
        return Some(folder);
    }
    let running = calls.iter().filter(|call| call.running).count();
    (running >= waits.limit).then_some(InFront::Limit(running))
}

/// What a call waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InFront<'a> {
    /// A call of the same session.
    Call(&'a Entry),
    /// A call with a folder inside or around one of this call's folders.
    Folder(&'a Entry, Clash),
    /// The limit: this many calls are running.
    Limit(usize),
}

/// The sort key of waiting calls. A front call takes the position of the first call of its session.
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
    use crate::session::writable_roots::{Temp, TempKind};

    fn call(ticket: u64, session: u8, limit: usize) -> Entry {
        let id = format!("0199a213-81c0-7800-8aa1-bbab2a0350{session:02}");
        let session = (session > 0).then(|| id.parse().expect("a UUID"));
        let server = "a".into();
        Entry { ticket, server, running: false, front: false, session, limit, roots: None }
    }

    /// A call that may write in these folders, and in `temp` for temporary files.
    fn writer(ticket: u64, own: &str, temp: &[&str]) -> Entry {
        let temp = temp.iter().map(|folder| Temp {
            which: TempKind::SlashTmp,
            folder: (*folder).into(),
            links: Vec::new(),
        });
        let roots = WritableRoots { own: vec![own.into()], temp: temp.collect(), any: false };
        Entry { roots: Some(roots), ..call(ticket, 0, 9) }
    }

    fn running(call: Entry) -> Entry {
        Entry { running: true, ..call }
    }

    fn front(call: Entry) -> Entry {
        Entry { front: true, ..call }
    }

    /// The tickets of the calls that start.
    fn starts(calls: &[Entry]) -> Vec<u64> {
        let calls: Vec<&Entry> = calls.iter().collect();
        next(&calls).into_iter().map(|start| calls[start.at].ticket).collect()
    }

    #[test]
    fn calls_start_in_the_order_of_their_tickets_up_to_the_limit() {
        assert_eq!(starts(&[call(3, 0, 2), call(1, 0, 2), call(2, 0, 2)]), [1, 2]);
        assert_eq!(starts(&[running(call(1, 0, 2)), call(3, 0, 2), call(2, 0, 2)]), [2]);
    }

    #[test]
    fn one_call_of_each_session_starts_and_the_others_block_nobody() {
        let at_work = running(call(1, 1, 9));
        assert_eq!(starts(&[at_work, call(2, 1, 9), call(3, 2, 9), call(4, 2, 9)]), [3]);
    }

    #[test]
    fn an_earlier_call_that_the_limit_stops_keeps_its_turn_in_the_session() {
        let at_work = running(call(1, 1, 9));
        assert_eq!(starts(&[at_work, call(2, 2, 1), call(3, 2, 9), call(4, 3, 9)]), [4]);
    }

    #[test]
    fn a_front_call_precedes_its_session_and_passes_no_other_call() {
        let queue = [call(1, 2, 1), call(2, 1, 1), call(3, 3, 1), front(call(4, 1, 1))];
        assert_eq!(starts(&queue), [1]);
        assert_eq!(starts(&queue[1..]), [4]);
        assert_eq!(starts(&[call(1, 1, 1), front(call(2, 0, 1))]), [1]);
        assert_eq!(starts(&[running(call(1, 1, 9)), front(call(2, 1, 9))]), [0; 0]);
    }

    #[test]
    fn a_call_waits_for_its_session_or_the_limit() {
        let (at_work, other) = (running(call(1, 1, 2)), running(call(2, 2, 2)));
        let (earlier, waits) = (call(3, 3, 2), call(4, 3, 2));
        let calls = [&at_work, &other, &earlier, &waits];
        assert_eq!(in_front(&calls, &waits), Some(InFront::Call(&earlier)));
        assert_eq!(in_front(&calls, &earlier), Some(InFront::Limit(2)));
        let waits = call(5, 1, 2);
        assert_eq!(in_front(&calls, &waits), Some(InFront::Call(&at_work)));
        assert_eq!(in_front(&[&waits], &waits), None);
    }

    #[test]
    fn a_nested_folder_waits_in_order_and_separate_folders_run() {
        let queue = [
            running(writer(1, "/a", &[])),
            writer(2, "/a/b", &[]),
            writer(3, "/a", &[]),
            writer(4, "/a/b", &[]),
            writer(5, "/c", &[]),
            call(6, 0, 9),
        ];
        assert_eq!(starts(&queue), [5, 6], "3 must not keep 2 waiting for ever");
        assert_eq!(starts(&queue[1..]), [2, 5, 6], "nor 4 keep 3");
        assert_eq!(starts(&[&[running(queue[1].clone())], &queue[3..]].concat()), [4, 5, 6]);
        let calls: Vec<&Entry> = queue.iter().collect();
        let clash = Clash { theirs: "/a".into(), mine: "/a/b".into() };
        assert_eq!(in_front(&calls, &queue[1]), Some(InFront::Folder(&queue[0], clash)));
        let clash = Clash { theirs: "/a/b".into(), mine: "/a".into() };
        assert_eq!(in_front(&calls, &queue[2]), Some(InFront::Folder(&queue[1], clash)));
    }

    #[test]
    fn a_turn_does_without_a_temporary_folder_that_others_work_in() {
        let queue = [
            running(writer(1, "/a", &["/tmp"])),
            writer(2, "/tmp/x", &[]),
            writer(3, "/b", &["/tmp"]),
            writer(4, "/tmp/y", &[]),
        ];
        let calls: Vec<&Entry> = queue.iter().collect();
        let without = writer(3, "/b", &[]).roots;
        assert_eq!(next(&calls), [Start { at: 2, roots: without.clone() }]);
        // Once no other turn writes there, the calls inside run side by side.
        let beside = [queue[1].clone(), running(Entry { roots: without, ..queue[2].clone() })];
        assert_eq!(starts(&[&beside[..], &queue[3..]].concat()), [2, 4]);
    }
}
