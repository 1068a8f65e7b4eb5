//! Passwords of people: what one may be, and its slow hash.
//!
//! Owns that a hash is made beside the runtime's threads, only so many at once, and that checking
//! takes as long where there is nothing to check against. A password is never kept or logged.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;

/// Characters of the shortest and the longest one.
const SHORTEST: usize = 12;
const LONGEST: usize = 256;
/// Different characters in one, at least.
const VARIETY: usize = 5;
/// Long enough and among the first that anybody tries.
const COMMON: [&str; 12] = [
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "administrator",
    "changemechangeme",
    "letmeinletmein",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "123456789012",
];

/// What nobody's password is: checked where there is no hash, so that the answer takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Each takes 19 MiB and a core for its time: what comes beyond waits.
static WORKERS: Semaphore = Semaphore::const_new(AT_ONCE);
const AT_ONCE: usize = 2;

/// Who is at work and who waits, of those that nobody knows.
static LINE: Semaphore = Semaphore::const_new(AT_ONCE + WAITING);
const WAITING: usize = 50;

/// Refuses what is no good password of this login; the fault is at `/password`.
///
/// # Errors
/// [`Error::Invalid`]
pub fn check(password: &str, login: &str) -> Result<(), Error> {
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        let why = format!("a password has {SHORTEST} to {LONGEST} characters, this one {length}");
        return Err(Error::invalid("/password", why));
    }
    let plain = password.to_lowercase();
    if plain == login.to_lowercase() {
        return Err(Error::invalid("/password", "the password must not be the login"));
    }
    let variety: std::collections::BTreeSet<char> = plain.chars().collect();
    if COMMON.contains(&plain.as_str()) || variety.len() < VARIETY {
        let why = "this password is among the first that anybody tries: some words that do not \
                   belong together make a good one";
        return Err(Error::invalid("/password", why));
    }
    Ok(())
}

/// The hash to store, as a PHC string.
///
/// # Errors
/// [`Error::Internal`]
pub async fn hash(password: String) -> Result<String, Error> {
    let salt: [u8; 16] = rand::random();
    let made = beside(move || {
        let hash: Result<PasswordHash, _> =
            hasher().hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|hash| hash.to_string())
    });
    made.await?.map_err(|e| Error::Internal(format!("a password's hash: {e}")))
}

/// A place in the line before [`verify`], for strangers, who must not make it longer and longer;
/// `None` = it is full. Hold it until it was verified.
pub fn line() -> Option<SemaphorePermit<'static>> {
    LINE.try_acquire().ok()
}

/// Whether this is the password of that hash. Without one it takes as long, and is not.
///
/// # Errors
/// [`Error::Internal`]
pub async fn verify(password: String, stored: Option<String>) -> Result<bool, Error> {
    // Longer than any that was taken: not worth hashing megabytes.
    let known = stored.is_some() && password.chars().count() <= LONGEST;
    let (stored, password) = match stored {
        Some(stored) if known => (stored, password),
        _ => (NOBODY.to_owned(), String::new()),
    };
    let checked =
        beside(move || hasher().verify_password(password.as_bytes(), stored.as_str()).is_ok());
    Ok(checked.await? && known)
}

/// OWASP's first choice of argon2id: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("they are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let permit = WORKERS.acquire().await.expect("nobody closes it");
    // The permit goes along: a caller that hangs up does not make room for one more.
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    });
    done.await.map_err(|e| Error::Internal(format!("hashing a password: {e}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_password_is_long_and_not_the_obvious_one() {
        for good in ["correct horse battery", "Zvaigzne-7-mākonis", &"abcdefgh".repeat(32)] {
            assert!(check(good, "ann").is_ok(), "{good}");
        }
        let long = "abcdefgh".repeat(33);
        for (bad, login) in [
            ("", "ann"),
            ("elevenchars", "ann"),
            ("Password1234", "ann"),
            ("aaaaaaaaaaaaaa", "ann"),
            ("121212121212", "ann"),
            ("Ann.Longname.99", "ann.longname.99"),
            (long.as_str(), "ann"),
        ] {
            let Err(Error::Invalid { pointer, .. }) = check(bad, login) else { panic!("{bad}") };
            assert_eq!(pointer, "/password");
        }
    }

    #[tokio::test]
    async fn a_hash_tells_its_password_from_others() {
        let stored = hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse".to_owned(), Some(stored.clone())).await.unwrap());
        assert!(!verify("correct horsf".to_owned(), Some(stored)).await.unwrap());
        assert!(!verify("correct horse".to_owned(), Some("broken".to_owned())).await.unwrap());
        assert!(!verify(String::new(), None).await.unwrap());
    }

    #[test]
    fn a_line_has_an_end() {
        let places: Vec<_> = std::iter::from_fn(line).collect();
        assert_eq!(places.len(), AT_ONCE + WAITING);
        drop(places);
        assert!(line().is_some());
    }

    #[test]
    fn where_there_is_no_hash_the_same_work_is_done() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        let costs = |p: &Params| (p.m_cost(), p.t_cost(), p.p_cost());
        assert_eq!(costs(&params), costs(hasher().params()));
        assert_eq!(params.output_len(), Some(Params::DEFAULT_OUTPUT_LEN));
    }
}
