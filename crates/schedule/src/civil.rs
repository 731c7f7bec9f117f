//! Days of the proleptic Gregorian calendar, counted from the Unix epoch.

/// The days from 1970-01-01 to a date.
pub(crate) fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last day of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The year, month and day of a count of days from 1970-01-01.
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// How many days a month has.
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_epoch(next_year, next_month, 1) - days_from_epoch(year, month, 1)
}

/// The day of the week of a count of days: 1 is Sunday, 7 is Saturday.
pub(crate) fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_counts_of_days_agree() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (20_777, (2026, 11, 20)),
        ] {
            assert_eq!(date_of(days), date);
            assert_eq!(days_from_epoch(date.0, date.1, date.2), days);
        }
        for days in (-1_000..90_000).step_by(7) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_from_epoch(year, month, day), days);
        }
    }

    #[test]
    fn weekdays_and_month_lengths_are_right() {
        assert_eq!(weekday(0), 5, "1970-01-01 was a Thursday");
        assert_eq!(weekday(20_777), 6, "2026-11-20 is a Friday");
        for (year, month, days) in [
            (2024, 2, 29),
            (2023, 2, 28),
            (2100, 2, 28),
            (2000, 2, 29),
            (2026, 12, 31),
        ] {
            assert_eq!(days_in_month(year, month), days);
        }
    }
}
