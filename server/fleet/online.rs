//! How often devices inform, and when one counts as online: the one rule of each, for lists, pages,
//! figures and selectors alike.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

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

/// An interval spread by up to a tenth by the device's id, so that devices that booted together do not
/// keep coming together (K8).
pub fn spread(seconds: u32, device_id: Uuid) -> u64 {
    let (seconds, spread) = (u64::from(seconds), u64::from(seconds) / 10);
    let share = u64::from(device_id.as_fields().0) % (spread + 1);
    (seconds - spread / 2 + share).max(1)
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

    #[test]
    fn an_interval_is_spread_by_a_tenth_and_stays_what_it_is() {
        for id in 0..1_000_u128 {
            let device = Uuid::from_u128(id << 96);
            let seconds = spread(300, device);
            assert!((285..=315).contains(&seconds), "{seconds}");
            assert_eq!(seconds, spread(300, device));
        }
        assert_eq!(spread(1, Uuid::nil()), 1);
    }
}
