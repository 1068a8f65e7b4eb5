//! Names and tags that people give: what they may be made of. Pure.

use crate::error::Error;

/// Characters in a name.
const MAX_NAME: usize = 64;
/// Tags on one device.
pub const MAX_TAGS: usize = 50;
/// Characters in a tag.
pub const MAX_TAG: usize = 64;

/// Refuses what is no name of a site or a group; the fault is at `/name`.
///
/// # Errors
/// [`Error::Invalid`]
pub fn check_name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length)
        || name.trim() != name
        || name.chars().any(char::is_control)
    {
        let why = format!("1 to {MAX_NAME} characters, no blanks at its ends");
        return Err(Error::invalid("/name", why));
    }
    Ok(())
}

/// Refuses what is no tag, in words.
///
/// # Errors
/// What a tag is made of.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !(1..=MAX_TAG).contains(&tag.len()) || !tag.chars().all(good) {
        return Err(format!("a tag is 1 to {MAX_TAG} letters a to z, digits, `_`, `.` and `-`"));
    }
    Ok(())
}

/// The tags in order, each once; the fault is at `/tags` or the tag in it.
///
/// # Errors
/// [`Error::Invalid`]
pub fn checked_tags(mut tags: Vec<String>) -> Result<Vec<String>, Error> {
    for (i, tag) in tags.iter().enumerate() {
        check_tag(tag).map_err(|why| Error::invalid(format!("/tags/{i}"), why))?;
    }
    tags.sort();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        return Err(Error::invalid("/tags", format!("at most {MAX_TAGS} tags")));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tags(list: &[&str]) -> Result<Vec<String>, Error> {
        checked_tags(list.iter().map(|tag| (*tag).to_owned()).collect())
    }

    #[test]
    fn a_name_is_what_a_person_can_read() {
        assert!(check_name("Tornis 7, Rīga").is_ok());
        for bad in ["", " a", "a ", "a\nb", "a\0", &"x".repeat(MAX_NAME + 1)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags_are_a_set() {
        assert_eq!(tags(&["pilot", "ap-5.2", "pilot"]).unwrap(), ["ap-5.2", "pilot"]);
        let many: Vec<String> = (0..=MAX_TAGS).map(|n| format!("t{n}")).collect();
        assert!(checked_tags(many[1..].to_vec()).is_ok());
        assert!(checked_tags(many).is_err());
        for bad in ["", "a b", "rīga", "a,b", &"x".repeat(MAX_TAG + 1)] {
            let Err(Error::Invalid { pointer, .. }) = tags(&["ok", bad]) else { panic!("{bad}") };
            assert_eq!(pointer, "/tags/1");
        }
    }
}
