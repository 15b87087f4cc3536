use codex_persistent_mcp::{Codex, Event, Prompt, Settings, TurnRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let codex = Codex::new(Settings::default());

    // Start a turn and follow its events.
    let mut turn = codex.start(TurnRequest::new(Prompt::new("What is in this directory?")?));
    while let Some(event) = turn.next_event().await {
        if let Event::ThreadStarted { thread_id } = event {
            println!("session {thread_id}");
        }
    }
    let first = turn.outcome().await?;
    println!("{}", first.reply);

    // Continue in the same session.
    let again = TurnRequest::new(Prompt::new("And what is it for?")?).resume(first.session_id);
    let second = codex.start(again).outcome().await?;
    println!("{}", second.reply);
    println!("{}", second.session_id.resume_command());

    // Codex exits shortly after its answer.
    codex.finished(std::time::Duration::from_secs(10)).await;
    Ok(())
}
