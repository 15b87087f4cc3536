use codex_persistent_mcp::{Codex, Event, Item, Phase, Prompt, Settings, TurnRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let codex = Codex::new(Settings::default());

    // Start a turn and follow its events.
    let mut turn = codex.start(TurnRequest::new(Prompt::new("What is in this directory?")?));
    while let Some(event) = turn.next_event().await {
        match event {
            Event::ThreadStarted { thread_id } => println!("session {thread_id}"),
            Event::Item { phase, item, .. } => match (phase, item) {
                (Phase::Started, Item::Command { command, .. }) => println!("running {command}"),
                (Phase::Completed, Item::FileChange { paths, .. }) => println!("edited {paths:?}"),
                (Phase::Completed, Item::Reasoning { text }) => println!("thinking: {text}"),
                _ => {}
            },
            _ => {}
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
