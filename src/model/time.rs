//! Points in time, as they are written down: RFC 3339, in UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::InvalidValue;

/// A point in time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub(crate) u64);

impl Time {
    /// The system's time.
    pub(crate) fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// A point in time as RFC 3339 has it, in UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        humantime::parse_rfc3339(text).ok().map(Self::from)
    }

    /// How long ago this was. Nothing, if the clock was set back.
    pub(crate) fn ago(self) -> Duration {
        Duration::from_millis(Self::now().0.saturating_sub(self.0))
    }
}

/// A point in time as a person says it: a day, or a day and a time, with an offset if it is not UTC; or
/// how long ago it was, such as `2h` or `3d`.
impl FromStr for Time {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        said(text.trim()).ok_or_else(|| {
            InvalidValue(
                "must be a time such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, or how long \
                 ago, such as 2h or 3d"
                    .into(),
            )
        })
    }
}

fn said(text: &str) -> Option<Time> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return SystemTime::now().checked_sub(ago).map(Time::from);
    }
    let (text, offset) = split_offset(text)?;
    let is_day = text.len() == "2026-01-31".len();
    let text = if is_day { format!("{text}T00:00:00") } else { text.to_owned() };
    let time = Time::from(humantime::parse_rfc3339_weak(&text).ok()?);
    Some(Time(time.0.checked_add_signed(-offset)?))
}

/// A text without its offset from UTC, such as `Z` or `+02:00`, and the offset in milliseconds.
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
    fn a_time_can_be_said_in_several_ways() {
        let noon = Time::parse("2026-03-01T12:00:00.000Z").expect("RFC 3339");
        for same in ["2026-03-01T12:00:00Z", "2026-03-01 12:00:00", "2026-03-01T14:30:00+02:30"] {
            assert_eq!(same.parse(), Ok(noon), "{same}");
        }
        assert_eq!("2026-03-01T04:00:00-08:00".parse(), Ok(noon));
        assert_eq!("2026-03-01".parse().ok(), Time::parse("2026-03-01T00:00:00Z"));
        let ago = "2h".parse::<Time>().expect("a duration").ago().as_secs();
        assert!((7_200..7_300).contains(&ago), "{ago}");
        for wrong in ["", "yesterday", "2026-13-01", "2026-03-01T12:00:00+xx:00", "-2h", "é"] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }
}
