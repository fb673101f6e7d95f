//! Times for people and files, in UTC. Not for measuring.

use std::time::{SystemTime, UNIX_EPOCH};

/// Days since 1970 to year, month and day; by Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Both are below 32.
    (year, month as u32, day as u32)
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// As in RFC 3339, with milliseconds: `2026-11-22T03:15:02.113Z`. Sorts as the times do.
#[must_use]
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let ms = unix_ms(time);
    let (year, month, day) = civil(ms / 86_400_000);
    let (s, ms) = (ms / 1000 % 86_400, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
}

/// Year and month as a number: 202611.
pub(crate) fn month(time: SystemTime) -> u32 {
    let (year, month, _) = civil(unix_ms(time) / 86_400_000);
    u32::try_from(year).unwrap_or(0) * 100 + month
}

#[cfg(test)]
mod tests {
    //! Against dates that are known.

    use std::time::{Duration, UNIX_EPOCH};

    use super::{month, rfc3339};

    #[test]
    fn dates() {
        for (ms, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_795_317_302_113, "2026-11-22T03:15:02.113Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(ms)), shown);
        }
        assert_eq!(month(UNIX_EPOCH + Duration::from_secs(1_795_317_302)), 202_611);
    }
}
