//! When a device counts as online: the one rule, for lists, pages, figures and selectors alike.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Config;

/// Periodic inform interval that is reckoned with where none is configured or told, in seconds.
pub const CUSTOMARY_INTERVAL: u32 = 300;
/// A device that missed so many periodic informs is not online.
const INFORMS_MISSED: i64 = 3;

/// A device that informed at or after this time counts as online.
pub fn since(config: &Config, now: DateTime<Utc>) -> DateTime<Utc> {
    let interval = config.acs.inform_interval_seconds.unwrap_or(CUSTOMARY_INTERVAL);
    now - TimeDelta::seconds(INFORMS_MISSED * i64::from(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn online_is_three_intervals_or_a_quarter_of_an_hour() {
        let now = DateTime::UNIX_EPOCH;
        let mut config = Config::default();
        config.acs.inform_interval_seconds = None;
        assert_eq!(now - since(&config, now), TimeDelta::minutes(15));
        config.acs.inform_interval_seconds = Some(3_600);
        assert_eq!(now - since(&config, now), TimeDelta::hours(3));
    }
}
