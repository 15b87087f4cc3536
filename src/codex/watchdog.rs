//! Stops Codex when this process is killed.
//!
//! On Unix a small shell process, started with the first Codex, holds the list of process groups and the
//! reading end of a pipe. When the pipe ends, it sends the groups the three signals of a stop within
//! 1.5 seconds. It has a group of its own and ignores the signals that a client sends to its server's
//! group. It is a shell rather than this program, so that it works for every program that uses the
//! library.
//!
//! Windows needs none: the job object that holds a Codex kills it when the system closes its last
//! handle.
//!
//! No Codex works before it is in the list: it does nothing without the prompt, which is written after the
//! entry, and leaves when its input ends without one. Other programs wait behind a gate until then, see
//! [`super::helper`].

#[cfg(unix)]
pub(crate) use unix::{Watch, Watchdog};

#[cfg(unix)]
mod unix {
    use std::collections::BTreeSet;
    use std::io::{self, Write};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Mutex, PoisonError};

    /// The list of process groups, in a process that outlives this one. Cheap to clone.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Watchdog(Arc<Mutex<Registry>>);

    #[derive(Debug, Default)]
    struct Registry {
        child: Option<Child>,
        groups: BTreeSet<u32>,
    }

    /// An entry in the list. Dropping it removes the entry.
    #[derive(Debug)]
    pub(crate) struct Watch {
        watchdog: Watchdog,
        group: u32,
    }

    impl Watchdog {
        /// Adds a process group. If the watchdog cannot run, the process goes without this protection, and
        /// the log says so.
        pub(crate) fn watch(&self, group: u32) -> Watch {
            self.change(|registry| {
                registry.groups.insert(group);
                registry.send(&format!("+ {group}\n"))
            });
            Watch { watchdog: self.clone(), group }
        }

        fn change(&self, change: impl FnOnce(&mut Registry) -> io::Result<()>) {
            let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = change(&mut registry) {
                tracing::warn!(%error, "no watchdog: if this server is killed, Codex keeps running");
            }
        }
    }

    impl Registry {
        fn send(&mut self, line: &str) -> io::Result<()> {
            let sent = match &mut self.child {
                Some(Child { stdin: Some(stdin), .. }) => stdin.write_all(line.as_bytes()),
                _ => Err(io::ErrorKind::NotConnected.into()),
            };
            sent.or_else(|_| self.start())
        }

        /// Starts the first watchdog, or one in place of another that was killed, with the whole list.
        fn start(&mut self) -> io::Result<()> {
            if let Some(mut dead) = self.child.take() {
                drop(dead.kill().and_then(|()| dead.wait()));
            }
            if self.groups.is_empty() {
                return Ok(());
            }
            let mut child = Command::new("/bin/sh")
                // Not the program's name, so that killing everything of that name spares it.
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
            self.watchdog.change(|registry| {
                registry.groups.remove(&self.group);
                registry.send(&format!("- {}\n", self.group))
            });
        }
    }

    impl Drop for Registry {
        fn drop(&mut self) {
            if let Some(mut child) = self.child.take() {
                // It leaves when its input ends.
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
