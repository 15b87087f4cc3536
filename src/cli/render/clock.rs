//! Durations as a user reads them while they grow.

use std::time::Duration;

/// A duration in at most two units: `0.4s`, `12s`, `12m 04s`, `3h 05m`.
pub(in crate::cli) fn short(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", took.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        let short = |millis| short(Duration::from_millis(millis));
        assert_eq!([412, 9_900, 12_700].map(short), ["0.4s", "9.9s", "12s"]);
        assert_eq!([724_000, 11_100_000].map(short), ["12m 04s", "3h 05m"]);
    }
}
