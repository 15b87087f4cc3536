//! The real Codex: what starting the native program saves compared with the script of the npm package.

#[cfg(unix)]
pub use unix::run;

/// The wrapper that hides the script from the server requires a Unix shell.
#[cfg(not(unix))]
pub fn run() {}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use crate::model::{Model, echo};
    use crate::real_codex::{self, Home, Installed};
    use crate::server::{Server, Setup};
    use crate::table::{Samples, Table};
    use crate::{SCRATCH, table};

    const PAIRS: usize = 8;

    /// Measures and prints, if the pinned Codex is available.
    pub fn run() {
        let installed = match real_codex::try_install() {
            Ok(installed) => installed,
            Err(problem) => {
                println!("\nA turn of the real Codex: left out. {problem}");
                return;
            }
        };
        let Installed { script, .. } = installed;
        let model = Model::start(echo);
        let home = Home::new(Path::new(SCRATCH), &model.url());
        let wrapper = wrapper(&home, &script);
        let start = |codex: &Path| {
            let mut server = Server::spawn(Setup::with_codex(codex, home.path()));
            server.initialize();
            server.calls(1);
            server
        };
        let (mut through_script, mut direct) = (start(&wrapper), start(&script));
        let (mut slow, mut fast) = (Samples::default(), Samples::default());
        for _ in 0..PAIRS {
            slow.push(time_of_call(&mut through_script));
            fast.push(time_of_call(&mut direct));
        }
        through_script.leave();
        direct.leave();
        let saved = slow.median().saturating_sub(fast.median());
        Table::new(&format!("A turn of the real Codex, its model instant ({PAIRS} pairs)"))
            .times("by the npm package's script", &slow)
            .times("by the native program, as the server does", &fast)
            .row("saved", &[table::millis(saved)], "")
            .print();
    }

    fn time_of_call(server: &mut Server) -> Duration {
        let began = Instant::now();
        server.calls(1);
        began.elapsed()
    }

    /// Creates a wrapper that hides the package from the server, so that it starts the script.
    fn wrapper(home: &Home, script: &Path) -> PathBuf {
        let path = home.path().join("codex-by-script");
        let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", script.display());
        fs::write(&path, text).expect("the home was just made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it was just made");
        path
    }
}
