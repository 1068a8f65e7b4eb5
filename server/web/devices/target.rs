//! Which devices something is to be done to, as the list says it: those that were chosen one by one,
//! or all that match.

use uuid::Uuid;

use crate::error::Error;
use crate::service::devices::Which;

/// Devices that can be chosen one by one.
const MOST_CHOSEN: usize = 100;

/// What a form says; `None` = nothing was chosen.
///
/// # Errors
/// [`Error::Invalid`] for more than fit on a page.
pub(super) fn target(ids: &[Uuid], all: bool, q: &str) -> Result<Option<Which>, Error> {
    if all {
        return Ok(Some(Which::found(q)));
    }
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST_CHOSEN {
        let why = format!("At most {MOST_CHOSEN} devices can be chosen one by one.");
        return Err(Error::invalid("", why));
    }
    Ok((!ids.is_empty()).then_some(Which::Chosen(ids)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fleet::selector::parse;

    #[test]
    fn what_is_chosen_is_each_device_once_or_all_that_match() {
        let [a, b] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(target(&[b, a, b], false, "x").unwrap(), Some(Which::Chosen(vec![a, b])));
        assert_eq!(target(&[], false, "online").unwrap(), None);
        let all = |q| target(&[a], true, q).unwrap();
        assert_eq!(all(" online "), Some(Which::Found("online".to_owned())));
        let Some(Which::Found(every)) = all("") else { panic!("no selector") };
        assert!(parse(&every, &|_: &str| None).is_ok());
        let many: Vec<Uuid> = (0..=MOST_CHOSEN as u128).map(Uuid::from_u128).collect();
        assert!(target(&many, false, "").is_err());
        assert!(target(&many[1..], false, "").is_ok());
    }
}
