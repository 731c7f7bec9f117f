//! The grammar of AWS's cron expressions.

use std::collections::BTreeSet;

use super::{AwsCron, DayOfMonth, DayOfWeek, Days, YEAR_MAX, YEAR_MIN};

/// The longest expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 1_024;
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is longer than any expression needs to be.
    #[error("the expression is longer than {EXPRESSION_BYTES_MAX} bytes")]
    TooLong,
    /// It does not read `cron(…)`.
    #[error("an expression reads cron(Minutes Hours Day-of-month Month Day-of-week Year)")]
    NotCron,
    /// It has not six fields.
    #[error("an expression has six fields, not {0}")]
    Fields(usize),
    /// Not exactly one of day-of-month and day-of-week is `?`.
    #[error("exactly one of day-of-month and day-of-week is ?")]
    Days,
    /// A field cannot be understood.
    #[error("the field {field} cannot be {value:?}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The part that cannot be understood.
        value: String,
    },
}

pub(super) fn expression(text: &str) -> Result<AwsCron, ParseError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ParseError::TooLong);
    }
    let inner = ["cron(", "Cron(", "CRON("]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let inner = inner
        .and_then(|inner| inner.strip_suffix(')'))
        .ok_or(ParseError::NotCron)?;
    let fields: Vec<&str> = inner.split_ascii_whitespace().collect();
    let &[minutes, hours, days_of_month, months, days_of_week, years] = fields.as_slice() else {
        return Err(ParseError::Fields(fields.len()));
    };
    let days = match (days_of_month, days_of_week) {
        ("?", "?") => return Err(ParseError::Days),
        (of_month, "?") => Days::OfMonth(parts(of_month, day_of_month)?),
        ("?", of_week) => Days::OfWeek(parts(of_week, day_of_week)?),
        _ => return Err(ParseError::Days),
    };
    Ok(AwsCron {
        minutes: MINUTES.values(minutes)?,
        hours: HOURS.values(hours)?,
        days,
        months: MONTH.values(months)?,
        years: YEARS.values(years)?,
    })
}

/// The values that a field may have.
struct Field {
    name: &'static str,
    min: i64,
    max: i64,
    names: &'static [&'static str],
    /// Whether a range may run over the end: years have none.
    wraps: bool,
}

const MINUTES: Field = Field {
    name: "minutes",
    min: 0,
    max: 59,
    names: &[],
    wraps: true,
};
const HOURS: Field = Field {
    name: "hours",
    min: 0,
    max: 23,
    names: &[],
    wraps: true,
};
const DAY_OF_MONTH: Field = Field {
    name: "day-of-month",
    min: 1,
    max: 31,
    names: &[],
    wraps: true,
};
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &MONTHS,
    wraps: true,
};
const DAY_OF_WEEK: Field = Field {
    name: "day-of-week",
    min: 1,
    max: 7,
    names: &WEEKDAYS,
    wraps: true,
};
const YEARS: Field = Field {
    name: "year",
    min: YEAR_MIN,
    max: YEAR_MAX,
    names: &[],
    wraps: false,
};

impl Field {
    /// The values of a list.
    fn values(&self, text: &str) -> Result<BTreeSet<i64>, ParseError> {
        text.split(',')
            .map(|part| self.part(part))
            .collect::<Result<Vec<_>, _>>()
            .map(|parts| parts.concat().into_iter().collect())
    }

    /// The values of one part of a list: a value, a range, `*`, each with or without a step.
    fn part(&self, part: &str) -> Result<Vec<i64>, ParseError> {
        let wrong = || ParseError::Field {
            field: self.name,
            value: part.to_owned(),
        };
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0).ok_or_else(wrong)?)),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (self.min, self.max),
            (_, Some((first, last))) => (
                self.value(first).ok_or_else(wrong)?,
                self.value(last).ok_or_else(wrong)?,
            ),
            (single, None) => {
                let value = self.value(single).ok_or_else(wrong)?;
                // `a/b` goes on from a to the end.
                (value, if step.is_some() { self.max } else { value })
            }
        };
        if first > last && !self.wraps {
            return Err(wrong());
        }
        let size = self.max - self.min + 1;
        let end = if first > last { last + size } else { last };
        let step = usize::try_from(step.unwrap_or(1)).map_err(|_| wrong())?;
        Ok((first..=end)
            .step_by(step)
            .map(|value| (value - self.min) % size + self.min)
            .collect())
    }

    fn value(&self, text: &str) -> Option<i64> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => self.min + i64::try_from(index).ok()?,
            None => number(text)?,
        };
        (self.min..=self.max).contains(&value).then_some(value)
    }
}

fn parts<T>(text: &str, part: fn(&str) -> Result<Vec<T>, ParseError>) -> Result<Vec<T>, ParseError> {
    let parts = text.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.into_iter().flatten().collect())
}

fn day_of_month(part: &str) -> Result<Vec<DayOfMonth>, ParseError> {
    match part.to_ascii_uppercase().as_str() {
        "L" => Ok(vec![DayOfMonth::Last]),
        "LW" => Ok(vec![DayOfMonth::LastWeekday]),
        upper => match upper.strip_suffix('W') {
            Some(day) => {
                let wrong = || ParseError::Field {
                    field: DAY_OF_MONTH.name,
                    value: part.to_owned(),
                };
                Ok(vec![DayOfMonth::NearestWeekday(
                    DAY_OF_MONTH.value(day).ok_or_else(wrong)?,
                )])
            }
            None => Ok(DAY_OF_MONTH.part(part)?.into_iter().map(DayOfMonth::Day).collect()),
        },
    }
}

fn day_of_week(part: &str) -> Result<Vec<DayOfWeek>, ParseError> {
    let wrong = || ParseError::Field {
        field: DAY_OF_WEEK.name,
        value: part.to_owned(),
    };
    let upper = part.to_ascii_uppercase();
    if upper == "L" {
        return Ok(vec![DayOfWeek::Each(DAY_OF_WEEK.max)]);
    }
    if let Some((day, nth)) = upper.split_once('#') {
        let nth = number(nth).filter(|nth| (1..=5).contains(nth)).ok_or_else(wrong)?;
        return Ok(vec![DayOfWeek::Nth(DAY_OF_WEEK.value(day).ok_or_else(wrong)?, nth)]);
    }
    if let Some(day) = upper.strip_suffix('L') {
        return Ok(vec![DayOfWeek::Last(DAY_OF_WEEK.value(day).ok_or_else(wrong)?)]);
    }
    Ok(DAY_OF_WEEK.part(part)?.into_iter().map(DayOfWeek::Each).collect())
}

/// A number of at most four digits, without a sign.
fn number(text: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}
