//! Calendar days in UTC, as `YYYY-MM-DD`.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day of the Gregorian calendar. The order of dates is their order in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    pub(crate) fn today() -> Self {
        // A clock before 1970 is a clock that was never set; the first day stands for it.
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self::after_epoch(seconds / 86_400)
    }

    /// The day that is `days` after 1970-01-01; the last day of 9999 for all that is beyond it.
    fn after_epoch(days: u64) -> Self {
        let mut left = days;
        for year in 1970..=9999 {
            for month in 1..=12 {
                let length = u64::from(month_length(year, month));
                match u8::try_from(left) {
                    Ok(index) if left < length => return Self { year, month, day: index + 1 },
                    _ => left -= length,
                }
            }
        }
        Self { year: 9999, month: 12, day: 31 }
    }
}

fn month_length(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let number = |part: Option<&str>, digits: usize| {
            part.filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|part| part.parse::<u16>().ok())
                .ok_or(DateError)
        };
        let mut parts = text.split('-');
        let year = number(parts.next(), 4)?;
        let month = number(parts.next(), 2)? as u8;
        let day = number(parts.next(), 2)? as u8;
        let exists =
            parts.next().is_none() && (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day);
        if exists { Ok(Self { year, month, day }) } else { Err(DateError) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Not a day of the calendar, or not written as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateError;

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date of the form YYYY-MM-DD")
    }
}

impl std::error::Error for DateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_after_the_epoch_are_the_calendars() {
        // From `date -u -d @$((DAYS * 86400)) +%F`.
        for (days, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (10_956, "1999-12-31"),
            (11_016, "2000-02-29"),
            (20_850, "2027-02-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (u64::MAX, "9999-12-31"),
        ] {
            assert_eq!(Date::after_epoch(days).to_string(), text);
        }
    }

    #[test]
    fn only_days_that_exist_are_taken_in_the_one_form() {
        for text in ["2027-01-31", "2028-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2027-1-31",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-04-31",
            "2027-01-01-",
            "2027/01/01",
            "+027-01-01",
            "tomorrow",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError), "{text}");
        }
        assert!("2027-01-31".parse::<Date>().unwrap() < "2027-02-01".parse().unwrap());
    }
}
