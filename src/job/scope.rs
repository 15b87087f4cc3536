//! Whether a job is in the caller's scope: the job, and the sessions that it continued, must have
//! been inside.

use super::session_origin::SessionOrigin;
use super::state::State;
use crate::admission::scope::{Scope, Visibility};
use crate::model::outcome::FailureKind;

/// Refuses a job outside of the scope. Blocks on files.
pub(super) fn check(scope: &Scope, state: &State) -> Result<(), FailureKind> {
    if is_inside(scope, state) { Ok(()) } else { Err(scope.rejection("job_id", "a job")) }
}

/// Whether a job was inside, as far as that is known. Blocks on files.
pub(super) fn is_inside(scope: &Scope, state: &State) -> bool {
    if !scope.is_limited() {
        return true;
    }
    if state.cwd.as_ref().is_some_and(|cwd| !scope.contains(cwd)) {
        return false;
    }
    // A session that the job itself starts may not have a record yet, or ever.
    let (origin, needs_record) = match state.origin {
        SessionOrigin::Unknown => (None, true),
        SessionOrigin::New => (None, false),
        SessionOrigin::Existing(session) => (Some(session), true),
        SessionOrigin::CopyOf(session) => (Some(session), false),
    };
    let origin = origin.map(|session| (session, true));
    let own = state.session_id.map(|session| (session, needs_record));
    // Until it runs, a job without a directory of its own is where its session is.
    let mut is_known = state.cwd.is_some();
    for (session, needs_record) in origin.into_iter().chain(own) {
        match scope.visibility(state.codex_home.as_deref(), session, None) {
            Visibility::Inside => is_known = true,
            Visibility::Unknown if !needs_record => {}
            Visibility::Outside | Visibility::Unknown => return false,
        }
    }
    is_known
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::codex::sessions::history::Histories;
    use crate::job::JobId;
    use crate::model::policy::Policy;
    use crate::model::session_id::SessionId;
    use crate::model::working_dir::WorkingDir;
    use std::fs;
    use std::path::Path;

    /// A session whose record names this directory, or one without a record.
    fn session(home: &Path, cwd: Option<&Path>) -> SessionId {
        let id: SessionId = uuid::Uuid::now_v7().to_string().parse().expect("a UUID");
        if let Some(cwd) = cwd {
            let day = home.join("sessions/2026/01/01");
            fs::create_dir_all(&day).expect("a fresh folder");
            let payload = serde_json::json!({"id": id, "cwd": cwd});
            let meta = serde_json::json!({"type": "session_meta", "payload": payload});
            fs::write(day.join(format!("rollout-x-{id}.jsonl")), format!("{meta}\n"))
                .expect("there is room");
        }
        id
    }

    #[test]
    fn everything_recorded_of_a_job_must_be_inside_and_something_must_be_recorded() {
        let base = crate::testing::scratch().join(format!("job-scope-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(base.join("in")).expect("a fresh folder");
        let base = base.canonicalize().expect("just made");
        let (inside, outside) = (base.join("in"), base.join("out"));
        let policy = Policy {
            allowed_dirs: vec![WorkingDir::existing(&inside).expect("it is there")],
            ..Policy::default()
        };
        // The sessions are in the job's own Codex home, and not in that of the caller.
        let (home, other) = (base.join("home"), base.join("other"));
        let scope = Scope::of(&policy, Some(&other), &Histories::default());
        let within = session(&home, Some(&inside));
        let away = session(&home, Some(&outside));
        let unknown = session(&home, None);
        let is_inside = |origin, session_id, cwd: Option<&Path>| {
            let state = State {
                origin,
                session_id,
                cwd: cwd.map(Path::to_owned),
                codex_home: Some(home.clone()),
                ..State::new(JobId::new())
            };
            assert!(super::is_inside(&Scope::unrestricted(), &state));
            super::is_inside(&scope, &state)
        };
        let (here, there) = (Some(&*inside), Some(&*outside));
        for (origin, session_id, cwd, expected) in [
            (SessionOrigin::New, None, here, true),
            (SessionOrigin::New, Some(within), here, true),
            (SessionOrigin::New, Some(unknown), here, true),
            (SessionOrigin::New, Some(away), here, false),
            (SessionOrigin::New, Some(within), there, false),
            (SessionOrigin::New, None, None, false),
            (SessionOrigin::Existing(within), Some(within), None, true),
            (SessionOrigin::Existing(within), Some(within), here, true),
            (SessionOrigin::Existing(within), Some(within), there, false),
            (SessionOrigin::Existing(away), Some(away), here, false),
            (SessionOrigin::Existing(unknown), Some(unknown), here, false),
            (SessionOrigin::CopyOf(within), None, None, true),
            (SessionOrigin::CopyOf(within), Some(unknown), here, true),
            (SessionOrigin::CopyOf(within), Some(away), here, false),
            (SessionOrigin::CopyOf(away), None, here, false),
            (SessionOrigin::CopyOf(away), Some(within), here, false),
            (SessionOrigin::CopyOf(unknown), None, here, false),
            (SessionOrigin::Unknown, Some(within), here, true),
            (SessionOrigin::Unknown, Some(unknown), here, false),
            (SessionOrigin::Unknown, Some(away), here, false),
            (SessionOrigin::Unknown, None, here, true),
            (SessionOrigin::Unknown, None, None, false),
        ] {
            let is_so = is_inside(origin, session_id, cwd);
            assert_eq!(is_so, expected, "{origin:?} {session_id:?} {cwd:?}");
        }
        fs::remove_dir_all(base).expect("it is ours");
    }
}
