use codex_persistent_mcp::{
    Codex, Event, Item, JobEntryKind, JobManager, Phase, Prompt, Settings, TurnRequest,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let codex = Codex::new(Settings::default());
    // The program that runs the jobs: here the installed one, found on the PATH.
    let jobs = JobManager::new(&codex, "codex-persistent-mcp");

    // Start a job. From here on it needs neither this program nor its terminal.
    let request = TurnRequest::new(Prompt::new("How many files are in this directory?")?);
    let job = jobs.start(request, Some("counting")).await?;
    println!("job {job}");

    // Follow what it does until it has ended.
    let mut entries = jobs.follow(job, 0);
    while let Some(entry) = entries.next().await? {
        match entry.kind {
            JobEntryKind::Codex { event: Event::ThreadStarted { thread_id }, .. } => {
                println!("session {thread_id}");
            }
            JobEntryKind::Codex {
                event:
                    Event::Item { phase: Phase::Started, item: Item::Command { command, .. }, .. },
                ..
            } => println!("running {command}"),
            JobEntryKind::TurnEnded { status, reply, failure } => {
                println!("turn {}: {reply:?} {failure:?}", status.as_str());
            }
            _ => {}
        }
    }

    // Send the next prompt, in the same session, and wait for the end.
    jobs.reply(job, Prompt::new("And how many are empty?")?).await?;
    let ended = jobs.wait(job).await?;
    println!("{}: {}", ended.status.as_str(), ended.reply.unwrap_or_default());

    // Stop a turn for something more urgent.
    let request = TurnRequest::new(Prompt::new("Keep watching this directory.")?);
    let watch = jobs.start(request, None).await?;
    jobs.interrupt(watch, Prompt::new("What have you seen so far?")?).await?;
    let ended = jobs.wait(watch).await?;
    println!("{}: {}", ended.status.as_str(), ended.reply.unwrap_or_default());

    // Stop a job. Its session remains.
    jobs.reply(watch, Prompt::new("Keep watching this directory.")?).await?;
    jobs.cancel(watch).await?;
    let ended = jobs.wait(watch).await?;
    println!(
        "{}: {}",
        ended.status.as_str(),
        ended.failure.map_or(String::new(), |f| f.to_string())
    );

    // All jobs of the user, newest first, whoever started them.
    for job in jobs.list(20).await? {
        println!("{} {} {} turns: {}", job.id, job.status.as_str(), job.turns, job.prompt);
    }
    Ok(())
}
