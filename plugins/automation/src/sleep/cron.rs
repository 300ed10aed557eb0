//! Cron expressions in UTC.

use std::str::FromStr;

use chrono::{DateTime, Utc};

/// A cron expression of five fields, or of six that begin with seconds. In UTC, so that no hour is missing or comes twice.
#[derive(Debug, Clone)]
pub(crate) struct Cron(croner::Cron);

/// An expression that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CronFault(String);

impl Cron {
    pub(crate) fn parse(text: &str) -> Result<Self, CronFault> {
        const LONGEST: usize = 256;
        if text.len() > LONGEST {
            return Err(CronFault(format!("longer than {LONGEST} bytes")));
        }
        let cron = croner::Cron::from_str(text).map_err(|error| CronFault(error.to_string()))?;
        Ok(Self(cron))
    }

    /// Whether it fires after one time and not after the other, both in milliseconds since 1970. Never when the clock went back.
    pub(crate) fn fires_within(&self, after_ms: u64, until_ms: u64) -> bool {
        let at = |ms: u64| {
            let ms = i64::try_from(ms).ok()?;
            DateTime::<Utc>::from_timestamp_millis(ms)
        };
        let (Some(after), Some(until)) = (at(after_ms), at(until_ms)) else {
            return false;
        };
        // One that never fires again, such as 30 February, is an error of the search.
        let next = self.0.find_next_occurrence(&after, false);
        after < until && next.is_ok_and(|next| next <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn it_fires_in_the_interval_that_holds_its_time() {
        let ten = Cron::parse("0 22 * * *").unwrap();
        let day = 20_000 * 24 * HOUR;
        assert!(!ten.fires_within(day, day + 21 * HOUR));
        assert!(ten.fires_within(day + 21 * HOUR, day + 22 * HOUR));
        assert!(!ten.fires_within(day + 22 * HOUR, day + 23 * HOUR));
        assert!(
            ten.fires_within(day, day + 99 * 24 * HOUR),
            "once is enough"
        );
        assert!(
            !ten.fires_within(day + 23 * HOUR, day),
            "the clock went back"
        );
        assert!(!ten.fires_within(u64::MAX, u64::MAX));
    }

    #[test]
    fn what_is_no_expression_is_refused_and_what_never_fires_does_not() {
        assert!(Cron::parse("often").is_err());
        assert!(Cron::parse(&"1,".repeat(999)).is_err());
        let never = Cron::parse("0 0 30 2 *").unwrap();
        assert!(!never.fires_within(0, 9 * HOUR));
    }
}
