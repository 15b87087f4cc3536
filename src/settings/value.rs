//! Durations in settings: how they are read, bounded and written.

use std::fmt;
use std::time::Duration;

use crate::model::value::InvalidValue;

/// The durations that a setting allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DurationRange {
    pub(crate) least: Duration,
    /// `None`: there is no bound.
    pub(crate) most: Option<Duration>,
}

/// The unit of a duration that is a whole number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Milliseconds,
    Hours,
}

impl DurationRange {
    /// Reads a duration with its unit, such as `30m`.
    pub(crate) fn read(self, text: &str) -> Result<Duration, InvalidValue> {
        let duration = humantime::parse_duration(text).ok();
        duration.filter(|duration| self.contains(*duration)).ok_or_else(|| {
            InvalidValue(format!("must be a duration {self}, with a unit, such as 90s or 2h 30m"))
        })
    }

    /// Reads a whole number of a unit.
    pub(crate) fn read_number(self, text: &str, unit: Unit) -> Result<Duration, InvalidValue> {
        let duration = text.parse().ok().and_then(|number| unit.duration(number));
        duration.filter(|duration| self.contains(*duration)).ok_or_else(|| {
            let least = unit.number(self.least);
            let most = match self.most {
                Some(most) => format!("to {}", unit.number(most)),
                None => "up".into(),
            };
            InvalidValue(format!("must be a whole number of {} from {least} {most}", unit.name()))
        })
    }

    fn contains(self, duration: Duration) -> bool {
        duration >= self.least && self.most.is_none_or(|most| duration <= most)
    }
}

impl fmt::Display for DurationRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "from {}", written(self.least))?;
        match self.most {
            Some(most) => write!(formatter, " to {}", written(most)),
            None => formatter.write_str(" up"),
        }
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Hours => "hours",
        }
    }

    fn duration(self, number: u64) -> Option<Duration> {
        match self {
            Self::Milliseconds => Some(Duration::from_millis(number)),
            Self::Hours => number.checked_mul(60 * 60).map(Duration::from_secs),
        }
    }

    fn number(self, duration: Duration) -> u128 {
        match self {
            Self::Milliseconds => duration.as_millis(),
            Self::Hours => u128::from(duration.as_secs() / (60 * 60)),
        }
    }
}

/// A duration as [`DurationRange::read`] takes it, in the largest unit that it is a multiple of: `30m`, `14d`.
pub(super) fn written(duration: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("d", 24 * 60 * 60 * 1_000_000_000),
        ("h", 60 * 60 * 1_000_000_000),
        ("m", 60 * 1_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    let largest = UNITS.into_iter().find(|(_, unit)| nanos.is_multiple_of(*unit));
    let (name, unit) = largest.unwrap_or(("ns", 1));
    format!("{}{name}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        let all = DurationRange { least: Duration::ZERO, most: None };
        for text in ["0s", "1ns", "250ms", "90s", "30m", "25h", "14d", "1001d"] {
            let duration = all.read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(written(duration), text);
        }
        assert_eq!(written(Duration::from_secs(120)), "2m");
    }

    #[test]
    fn a_duration_outside_the_range_is_refused_with_the_range() {
        let most = Some(Duration::from_secs(24 * 60 * 60));
        let range = DurationRange { least: Duration::from_millis(1), most };
        for wrong in ["", "0s", "25h", "30", "-1s", "soon", "99999999999999999999h"] {
            let error = range.read(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("must be a duration from 1ms to 1d, "), "{error}");
        }
        for wrong in ["0", "86400001", "1.5", "1s", "", "-1", "99999999999999999999"] {
            let error = range.read_number(wrong, Unit::Milliseconds).expect_err(wrong).to_string();
            assert_eq!(error, "must be a whole number of milliseconds from 1 to 86400000");
        }
    }
}
