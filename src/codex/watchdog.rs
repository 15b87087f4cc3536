//! What stops Codex when this process is killed and can do nothing any more.
//!
//! On Unix one small shell process, started with the first Codex, holds the list of the process
//! groups that are alive and the reading end of a pipe. When the pipe is at its end, it sends the
//! groups the three signals of a stop, all within 1.5 seconds. It has a group of its own and ignores
//! the signals that a client sends to its server's group. A shell, and not this program started
//! again, so that it works for every program that uses the library too.
//!
//! On Windows there is none: the job object that holds a Codex kills it when its last handle closes,
//! which the system sees to.
//!
//! Between the start of a Codex and its entry in the list there is no gap: Codex does nothing before
//! it has the prompt, which is written after the entry, and leaves when its input ends without one.
//! Other programs are kept behind a gate until then, see [`super::helper`].

#[cfg(unix)]
pub(crate) use unix::{Watch, Watchdog};

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::io::{self, Write};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Mutex, PoisonError};

    /// The list of process groups, in the hands of a process that outlives this one.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Watchdog(Arc<Mutex<Kennel>>);

    #[derive(Debug, Default)]
    struct Kennel {
        child: Option<Child>,
        groups: BTreeSet<u32>,
    }

    /// One entry in the list, taken back when dropped.
    #[derive(Debug)]
    pub(crate) struct Watch {
        watchdog: Watchdog,
        group: u32,
    }

    impl Watchdog {
        /// Enters a process group. Without a watchdog the call goes on all the same: what is lost
        /// is the protection against a kill, and the log says so.
        pub(crate) fn watch(&self, group: u32) -> Watch {
            self.change(|kennel| {
                kennel.groups.insert(group);
                kennel.tell(&format!("+ {group}\n"))
            });
            Watch { watchdog: self.clone(), group }
        }

        fn change(&self, change: impl FnOnce(&mut Kennel) -> io::Result<()>) {
            let mut kennel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = change(&mut kennel) {
                tracing::warn!(%error, "no watchdog: if this server is killed, Codex will live on");
            }
        }
    }

    impl Kennel {
        fn tell(&mut self, line: &str) -> io::Result<()> {
            let told = match &mut self.child {
                Some(Child { stdin: Some(stdin), .. }) => stdin.write_all(line.as_bytes()),
                _ => Err(io::ErrorKind::NotConnected.into()),
            };
            told.or_else(|_| self.start())
        }

        /// Starts a watchdog, the first or one for another that was killed, with the whole list.
        fn start(&mut self) -> io::Result<()> {
            if let Some(mut dead) = self.child.take() {
                drop(dead.kill().and_then(|()| dead.wait()));
            }
            if self.groups.is_empty() {
                return Ok(());
            }
            let mut child = Command::new("/bin/sh")
                // Without the program's name in it: who kills all of that name is not to hit it.
                .args(["-c", include_str!("watchdog.sh"), "codex-watchdog"])
                .env_clear()
                .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                .current_dir("/")
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            let list: String = self.groups.iter().map(|group| format!("+ {group}\n")).collect();
            child.stdin.as_mut().expect("stdin is piped").write_all(list.as_bytes())?;
            self.child = Some(child);
            Ok(())
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            self.watchdog.change(|kennel| {
                kennel.groups.remove(&self.group);
                kennel.tell(&format!("- {}\n", self.group))
            });
        }
    }

    impl Drop for Kennel {
        fn drop(&mut self) {
            if let Some(mut child) = self.child.take() {
                // Its input ends here, so that it leaves by itself.
                drop(child.stdin.take());
                drop(child.wait());
            }
        }
    }
}

#[cfg(not(unix))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchdog;

#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Watch;

#[cfg(not(unix))]
impl Watchdog {
    pub(crate) fn watch(&self, _group: u32) -> Watch {
        Watch
    }
}
