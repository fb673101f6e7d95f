//! Days of the calendar, for terms that expire. The filter has no clock: whoever compiles says what day
//! it is.

use core::fmt;
use std::string::String;

use toml::value::Datetime;

/// A day of the Gregorian calendar. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day that holds this many seconds after the start of 1970, in UTC.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Date {
        // Days since 0000-03-01, in eras of 400 years, as leap days come last in such years (Howard Hinnant,
        // "chrono-compatible low-level date algorithms").
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        Date { year: u16::try_from(year).unwrap_or(u16::MAX), month: small(month), day: small(day) }
    }

    /// The day written as `2027-01-31`, the inverse of `Display`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Date> {
        Date::from_toml(&text.parse().ok()?)
    }

    /// A date without a time.
    pub(super) fn from_toml(datetime: &Datetime) -> Option<Date> {
        let Datetime { date: Some(date), time: None, offset: None } = *datetime else { return None };
        Some(Date { year: date.year, month: date.month, day: date.day })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl TryFrom<String> for Date {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Date, &'static str> {
        Date::parse(&text).ok_or("not a day such as 2027-01-31")
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn days_from_seconds() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_675_200, "2026-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(Date::from_unix_seconds(seconds).to_string(), day);
            assert_eq!(Date::parse(day), Some(Date::from_unix_seconds(seconds)));
        }
        assert_eq!(Date::parse("2027-02-30"), None);
        assert_eq!(Date::parse("2027-01-31T00:00:00"), None);
    }
}
