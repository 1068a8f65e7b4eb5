//! Browsers in which somebody has logged in before: a sealed cookie says so for half a year.
//!
//! Owns what it says. It opens nothing: the password is asked for all the same. But attempts that
//! bring one are counted by themselves ([`super::throttle`]), so that whoever guesses elsewhere
//! holds nobody back who is at their own browser.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::fleet::secret::Keys;

/// How long a browser stays known after a log-in.
pub const LIFE: TimeDelta = TimeDelta::days(180);

/// What it is sealed for.
const PURPOSE: &str = "known browser";

/// What the browser of this user is to keep, as visible ASCII.
pub fn seal(keys: &Keys, user_id: Uuid, device_id: Uuid, now: DateTime<Utc>) -> String {
    let until = (now + LIFE).timestamp();
    keys.seal_text(&format!("{} {} {until}", user_id.simple(), device_id.simple()), PURPOSE)
}

/// Which browser of this user [`seal`] made this for; `None` = of somebody else, or too long ago.
pub fn device(keys: &Keys, sealed: &str, user_id: Uuid, now: DateTime<Utc>) -> Option<Uuid> {
    let text = keys.open_text(sealed, PURPOSE).ok()?;
    let mut parts = text.split(' ');
    let whose = Uuid::try_parse(parts.next()?).ok()?;
    let device_id = Uuid::try_parse(parts.next()?).ok()?;
    let until: i64 = parts.next()?.parse().ok()?;
    (whose == user_id && now.timestamp() < until).then_some(device_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_for_one_user_and_for_half_a_year() {
        let keys = Keys::new([7; 32]);
        let (ann, bob, home) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let now = DateTime::UNIX_EPOCH;
        let sealed = seal(&keys, ann, home, now);
        assert!(!sealed.contains([';', ',', ' ', '"', '=']), "{sealed} must fit a cookie");
        assert_eq!(device(&keys, &sealed, ann, now + TimeDelta::days(179)), Some(home));
        assert_eq!(device(&keys, &sealed, ann, now + LIFE), None);
        assert_eq!(device(&keys, &sealed, bob, now), None);
        assert_eq!(device(&Keys::new([8; 32]), &sealed, ann, now), None);
        // What was sealed for something else says nothing here.
        let other = format!("{} {} {}", ann.simple(), home.simple(), i64::MAX);
        assert_eq!(device(&keys, &keys.seal_text(&other, "login"), ann, now), None);
        assert_eq!(device(&keys, "", ann, now), None);
    }
}
