//! Sessions of the real Codex: begun, resumed, kept over a restart.

use serde_json::json;

use crate::setup::{content, field, home, real};
use crate::support::model::{Model, echo};

#[test]
fn a_session_is_begun_and_resumed() {
    let model = Model::start(echo);
    let home = home(&model.url());
    let server = real(&home).start();
    let first = server.call("codex_chat", &json!({"prompt": "What is in here?"}));
    assert!(field(&first, "reply").contains("What is in here?"));
    let session = field(&first, "session_id");
    assert_eq!(field(&first, "resume_command"), format!("codex resume {session}"));

    let second = server.call("codex_chat", &json!({"prompt": "And now?", "session_id": session}));
    assert_eq!(field(&second, "session_id"), session);
    let asked = model.wait_for(|request| request.last_user_text().contains("And now?"));
    assert!(asked.user_texts().iter().any(|text| text.contains("What is in here?")));
    assert_eq!(content(&second)["usage"]["input_tokens"], 100);
    assert_eq!(content(&second)["session_usage"]["input_tokens"], 200);
}
