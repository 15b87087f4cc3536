//! Collects measurements and prints tables.

use std::time::Duration;

use crate::server::Build;

const NAME: usize = 42;
const CELL: usize = 11;

/// Repeated measurements of the same operation.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds a measurement.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort();
    }

    /// The median.
    pub fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    /// How much longer the median is than that of others.
    pub fn more_than(&self, others: &Self) -> String {
        millis(self.median().saturating_sub(others.median()))
    }

    /// The shortest.
    pub fn min(&self) -> Duration {
        self.0[0]
    }
}

/// A heading and rows below it.
pub struct Table {
    text: String,
}

impl Table {
    /// A table without rows.
    pub fn new(heading: &str) -> Self {
        Self { text: format!("\n{heading}\n") }
    }

    /// Adds a row of figures, with the target.
    #[must_use]
    pub fn row(mut self, name: &str, cells: &[String], aim: &str) -> Self {
        let cells: String = cells.iter().map(|cell| format!("{cell:>CELL$}")).collect();
        let aim = if aim.is_empty() { String::new() } else { format!("   aim: {aim}") };
        self.text += &format!("  {name:<NAME$}{cells:<22}{aim}\n");
        self
    }

    /// Adds a row with the median and the shortest of some times.
    #[must_use]
    pub fn times(mut self, name: &str, samples: &Samples) -> Self {
        if self.text.lines().count() == 2 {
            self = self.row("", &["median".into(), "shortest".into()], "");
        }
        self.row(name, &[millis(samples.median()), millis(samples.min())], "")
    }

    /// Rows for each build, and for how much longer than `base` each takes and how many times as long;
    /// at last the current one, which is the last, against the one before, if that was measured.
    #[must_use]
    pub fn builds(mut self, base: &Samples, builds: &[(Build, Samples)], aim: &str) -> Self {
        for (build, samples) in builds {
            self = self.times(build.name(), samples);
        }
        for (build, samples) in builds {
            let aim = if *build == Build::Current { aim } else { "" };
            self = self.difference(base, samples, aim);
        }
        match builds {
            [(_, before), (_, current)] => {
                self.ratio("the current one against the one before", before, current)
            }
            _ => self,
        }
    }

    /// Two rows: how much longer the second takes, and how many times as long.
    #[must_use]
    pub fn difference(self, base: &Samples, ours: &Samples, aim: &str) -> Self {
        let added = |base: Duration, ours: Duration| {
            format!("{:+.3} ms", (ours.as_secs_f64() - base.as_secs_f64()) * 1e3)
        };
        let medians = added(base.median(), ours.median());
        let shortest = added(base.min(), ours.min());
        self.row("difference", &[medians, shortest], aim).ratio("ratio", base, ours)
    }

    /// A row: how many times as long the second takes.
    fn ratio(self, name: &str, base: &Samples, ours: &Samples) -> Self {
        let ratio = |base: Duration, ours: Duration| {
            format!("{:.2} x", ours.as_secs_f64() / base.as_secs_f64())
        };
        let medians = ratio(base.median(), ours.median());
        self.row(name, &[medians, ratio(base.min(), ours.min())], "")
    }

    /// Prints it.
    pub fn print(self) {
        let lines: Vec<&str> = self.text.lines().map(str::trim_end).collect();
        println!("{}", lines.join("\n"));
    }
}

/// A time as a cell.
pub fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// A speed as a cell.
pub fn rate(value: f64, unit: &str) -> String {
    format!("{value:.0} {unit}")
}

/// A size as a cell. Not available on every system.
pub fn kib(size: Option<u64>) -> String {
    size.map_or_else(|| "not known".into(), |kib| format!("{:.1} MB", kib as f64 * 1024.0 / 1e6))
}
