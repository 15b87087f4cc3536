//! Errors about a request, in the words of the command line.

use crate::model::outcome::FailureKind;

/// The flag that gives each field of a request.
const FLAGS: [(&str, &str); 9] = [
    ("continue_last", "--last"),
    ("session_id", "--session"),
    ("cwd", "--cd"),
    ("sandbox", "--sandbox"),
    ("model", "--model"),
    ("reasoning_effort", "--reasoning-effort"),
    ("images", "--image"),
    ("add_dirs", "--add-dir"),
    ("output_schema", "--output-schema"),
];

/// Names the flag in place of the field, which the user did not type.
pub(super) fn name(kind: &mut FailureKind) {
    let FailureKind::BadInput { field, .. } = kind else { return };
    if let Some((_, flag)) = FLAGS.iter().find(|(name, _)| name == field) {
        (*flag).clone_into(field);
    }
}
