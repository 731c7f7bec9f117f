//! AWS's cron expressions: `cron(Minutes Hours Day-of-month Month Day-of-week Year)`, in UTC.

mod parse;

use std::collections::BTreeSet;

pub use parse::ParseError;

use crate::{
    Timestamp,
    civil::{date_of, days_from_epoch, days_in_month, weekday},
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// The last year in which anything fires (`Glue developer guide: cron expressions`).
const YEAR_MAX: i64 = 2199;
/// The first one.
const YEAR_MIN: i64 = 1970;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsCron {
    minutes: BTreeSet<i64>,
    hours: BTreeSet<i64>,
    days: Days,
    months: BTreeSet<i64>,
    years: BTreeSet<i64>,
}

/// Which days of a month: exactly one of the two fields says it, the other one is `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOfMonth {
    /// The day itself.
    Day(i64),
    /// `L`: the last day.
    Last,
    /// `3W`: the weekday nearest to the day, in the same month.
    NearestWeekday(i64),
    /// `LW`: the last weekday.
    LastWeekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOfWeek {
    /// Each such day; 1 is Sunday.
    Each(i64),
    /// `5L`: the last such day of the month.
    Last(i64),
    /// `3#2`: the second such day of the month.
    Nth(i64, i64),
}

impl AwsCron {
    /// Parses an expression such as `cron(15 12 * * ? *)`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the expression.
    pub fn parse(expression: &str) -> Result<Self, ParseError> {
        parse::expression(expression)
    }

    /// The first time after another one at which the expression fires; `None` when it never does again.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let earliest = after.as_millis().max(-1).div_euclid(MINUTE_MS) + 1;
        let first_day = earliest.div_euclid(24 * 60);
        let minute_of_day = earliest.rem_euclid(24 * 60);
        let (first_year, first_month, first_day_of_month) = date_of(first_day);
        for &year in self.years.range(first_year..) {
            let months = if year == first_year { first_month } else { 1 };
            for &month in self.months.range(months..) {
                let is_first_month = (year, month) == (first_year, first_month);
                let from = if is_first_month { first_day_of_month } else { 1 };
                for day in self.days_of(year, month).range(from..) {
                    let is_first_day = is_first_month && *day == first_day_of_month;
                    let from = if is_first_day { minute_of_day } else { 0 };
                    if let Some(minute) = self.minute_of_day_from(from) {
                        let days = days_from_epoch(year, month, *day);
                        return Some(Timestamp::from_millis(days * DAY_MS + minute * MINUTE_MS));
                    }
                }
            }
        }
        None
    }

    fn minute_of_day_from(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        if self.hours.contains(&hour)
            && let Some(minute) = self.minutes.range(minute..).next()
        {
            return Some(hour * 60 + minute);
        }
        Some(self.hours.range(hour + 1..).next()? * 60 + self.minutes.first()?)
    }

    fn days_of(&self, year: i64, month: i64) -> BTreeSet<i64> {
        let length = days_in_month(year, month);
        let first = weekday(days_from_epoch(year, month, 1));
        let of_weekday = move |day: i64| (1..=length).filter(move |date| (first - 1 + date - 1) % 7 + 1 == day);
        match &self.days {
            Days::OfMonth(days) => days.iter().filter_map(|day| day.in_month(length, first)).collect(),
            Days::OfWeek(days) => days
                .iter()
                .flat_map(|day| match *day {
                    DayOfWeek::Each(day) => of_weekday(day).collect::<Vec<_>>(),
                    DayOfWeek::Last(day) => of_weekday(day).next_back().into_iter().collect(),
                    DayOfWeek::Nth(day, nth) => of_weekday(day)
                        .nth(usize::try_from(nth - 1).unwrap_or(usize::MAX))
                        .into_iter()
                        .collect(),
                })
                .collect(),
        }
    }
}

impl DayOfMonth {
    /// The date in a month of a length that begins on a weekday.
    fn in_month(self, length: i64, first: i64) -> Option<i64> {
        match self {
            Self::Day(day) => (day <= length).then_some(day),
            Self::Last => Some(length),
            Self::NearestWeekday(day) => (day <= length).then(|| nearest_weekday(day, length, first)),
            Self::LastWeekday => Some(nearest_weekday(length, length, first)),
        }
    }
}

fn nearest_weekday(day: i64, length: i64, first: i64) -> i64 {
    const SUNDAY: i64 = 1;
    const SATURDAY: i64 = 7;
    match (first - 1 + day - 1) % 7 + 1 {
        SATURDAY if day == 1 => 3,
        SATURDAY => day - 1,
        SUNDAY if day == length => day - 2,
        SUNDAY => day + 1,
        _ => day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20 19:00 UTC, a Friday.
    const BASE: i64 = 1_795_201_200_000;

    fn next(expression: &str) -> Option<String> {
        let cron = AwsCron::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        cron.next_after(Timestamp::from_millis(BASE))
            .map(|at| at.to_string().replace(".000Z", "Z"))
    }

    #[test]
    fn expressions_fire_when_aws_says() {
        let rows = [
            ("cron(15 12 * * ? *)", Some("2026-11-21T12:15:00Z")),
            ("cron(0 19 * * ? *)", Some("2026-11-21T19:00:00Z")),
            ("cron(0/15 * * * ? *)", Some("2026-11-20T19:15:00Z")),
            ("cron(*/20 * * * ? *)", Some("2026-11-20T19:20:00Z")),
            ("cron(5,35 14 ? * MON-FRI *)", Some("2026-11-23T14:05:00Z")),
            ("Cron(0 22 ? * FRI-MON *)", Some("2026-11-20T22:00:00Z")),
            ("CRON(0 9 ? * 2#1 *)", Some("2026-12-07T09:00:00Z")),
            ("cron(0 9 ? * 6L *)", Some("2026-11-27T09:00:00Z")),
            ("cron(0 9 ? * L *)", Some("2026-11-21T09:00:00Z")),
            ("cron(0 9 L * ? *)", Some("2026-11-30T09:00:00Z")),
            ("cron(0 9 LW * ? *)", Some("2026-11-30T09:00:00Z")),
            ("cron(0 9 1W 8 ? 2026-2027)", Some("2027-08-02T09:00:00Z")),
            ("cron(0 9 1W 5 ? 2027)", Some("2027-05-03T09:00:00Z")),
            ("cron(0 0 29 2 ? *)", Some("2028-02-29T00:00:00Z")),
            ("cron(0 9 31 2 ? *)", None),
            ("cron(0 0 1 1 ? 2020)", None),
            ("cron(0 0 1 1 ? 2028/2)", Some("2028-01-01T00:00:00Z")),
            ("cron(0 0 1 jan ? 2199)", Some("2199-01-01T00:00:00Z")),
            ("cron(0 22-2 * * ? *)", Some("2026-11-20T22:00:00Z")),
            ("cron(0 10-20/3 * * ? *)", Some("2026-11-21T10:00:00Z")),
        ];
        for (expression, expected) in rows {
            assert_eq!(next(expression).as_deref(), expected, "{expression}");
        }
    }

    #[test]
    fn each_next_time_is_later_and_matches_a_search_minute_by_minute() {
        for expression in [
            "cron(0/7 3-5 ? * 2,4L *)",
            "cron(59 23 LW,3W * ? *)",
            "cron(30 */6 1-7 2/3 ? *)",
        ] {
            let cron = AwsCron::parse(expression).expect("valid");
            let start = Timestamp::from_millis(BASE);
            let next = cron.next_after(start).expect("fires");
            let minutes = (next.as_millis() - BASE) / MINUTE_MS;
            let before_each = |minute: i64| start.plus_millis(minute * MINUTE_MS);
            assert!(
                (0..minutes).all(|minute| cron.next_after(before_each(minute)) == Some(next)),
                "{expression}"
            );
            assert!(cron.next_after(next).is_none_or(|later| later > next));
        }
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let expressions = [
            "",
            "cron",
            "cron()",
            "0 12 * * ? *",
            " cron(0 12 * * ? *)",
            "cron(0 12 * * ? *",
            "cron(0 12 * * ? *) ",
            "rate(5 minutes)",
            "cron(0 12 * * * *)",
            "cron(0 12 ? * ? *)",
            "cron(0 10 1 * MON *)",
            "cron(60 9 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 9 ? * 0 *)",
            "cron(0 9 ? * 8 *)",
            "cron(0 9 32 * ? *)",
            "cron(0 9 * 13 ? *)",
            "cron(0 9 * * ? 1969)",
            "cron(0 9 * * ? 2200)",
            "cron(0 9 * * ?)",
            "cron(0 9 * * ? * *)",
            "cron(0 9 ? * 2#6 *)",
            "cron(0 9 W * ? *)",
            "cron(a 9 * * ? *)",
            "cron(0/0 9 * * ? *)",
            "cron(? 9 * * ? *)",
            "cron(0 L * * ? *)",
            "cron(-1 9 * * ? *)",
            "cron(1- 9 * * ? *)",
            "cron(1,,2 9 * * ? *)",
            "cron(99999999999999999999 9 * * ? *)",
        ];
        for expression in expressions {
            assert!(AwsCron::parse(expression).is_err(), "{expression}");
        }
        assert!(AwsCron::parse(&format!("cron({} 9 * * ? *)", "1,".repeat(10_000))).is_err());
    }
}
