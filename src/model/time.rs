//! Timestamps with millisecond precision, stored as RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::InvalidValue;

/// A timestamp in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub(crate) u64);

impl Time {
    /// The current system time.
    pub(crate) fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Parses an RFC 3339 timestamp in UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        humantime::parse_rfc3339(text).ok().map(Self::from)
    }

    /// Time elapsed since then; zero if the clock was set back.
    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(Self::now().0.saturating_sub(self.0))
    }
}

/// Parses a timestamp as a user writes it: a date, a date and time with an optional offset from UTC, or an
/// age such as `2h` or `3d`.
impl FromStr for Time {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        parse_user_input(text.trim()).ok_or_else(|| {
            InvalidValue(
                "must be a time such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, or an age \
                 such as 2h or 3d"
                    .into(),
            )
        })
    }
}

fn parse_user_input(text: &str) -> Option<Time> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return SystemTime::now().checked_sub(ago).map(Time::from);
    }
    let (text, offset) = split_offset(text)?;
    let is_day = text.len() == "2026-01-31".len();
    let text = if is_day { format!("{text}T00:00:00") } else { text.to_owned() };
    let time = Time::from(humantime::parse_rfc3339_weak(&text).ok()?);
    Some(Time(time.0.checked_add_signed(-offset)?))
}

/// Splits a numeric offset from UTC such as `+02:00` off a timestamp, and returns it in milliseconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let Some(at) = text.len().checked_sub("+00:00".len()).filter(|at| *at > "2026-01-31".len())
    else {
        return Some((text, 0));
    };
    let sign = match text.as_bytes()[at] {
        b'+' => 1,
        b'-' => -1,
        _ => return Some((text, 0)),
    };
    let (hours, minutes) = text.get(at + 1..)?.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let minutes = i64::from(hours) * 60 + i64::from(minutes);
    Some((text.get(..at)?, sign * minutes * 60_000))
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0);
        humantime::format_rfc3339_millis(time).fmt(formatter)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self::from(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_can_write_a_time_in_several_ways() {
        let noon = Time::parse("2026-03-01T12:00:00.000Z").expect("RFC 3339");
        for same in ["2026-03-01T12:00:00Z", "2026-03-01 12:00:00", "2026-03-01T14:30:00+02:30"] {
            assert_eq!(same.parse(), Ok(noon), "{same}");
        }
        assert_eq!("2026-03-01T04:00:00-08:00".parse(), Ok(noon));
        assert_eq!("2026-03-01".parse().ok(), Time::parse("2026-03-01T00:00:00Z"));
        let ago = "2h".parse::<Time>().expect("a duration").elapsed().as_secs();
        assert!((7_200..7_300).contains(&ago), "{ago}");
        for invalid in ["", "yesterday", "2026-13-01", "2026-03-01T12:00:00+xx:00", "-2h", "é"] {
            assert!(invalid.parse::<Time>().is_err(), "{invalid}");
        }
    }
}
