//! API tokens: their form, `mst_<id as 32 hex digits>_<secret>`, and who one is.
//!
//! Only the SHA-256 of the secret is stored: it is random and long, so a slow hash would only slow
//! down the server.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::grant::Grants;
use super::role;
use crate::ctx::{Actor, ActorKind, App, Ctx};
use crate::error::Error;
use crate::fleet::secret::password_from;
use crate::store::tokens as store;

/// A token's text and the hash of its secret.
pub fn make(token_id: Uuid) -> (String, [u8; 32]) {
    let secret = password_from(&rand::random::<[u8; 32]>());
    (format!("mst_{}_{secret}", token_id.simple()), hash(&secret))
}

/// Id and secret of a token; `None` = it is none.
pub fn split(token: &str) -> Option<(Uuid, &str)> {
    let (id, secret) = token.strip_prefix("mst_")?.split_once('_')?;
    if id.len() != 32 || secret.is_empty() {
        return None;
    }
    Some((Uuid::try_parse(id).ok()?, secret))
}

/// Who comes with this token, if the secret is right and it is still good.
///
/// # Errors
/// [`Error::Database`]
pub async fn resume(
    app: &App,
    (token_id, secret): (Uuid, &str),
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<Ctx>, Error> {
    let Some(kept) = store::credential(&app.pool, token_id).await? else { return Ok(None) };
    let right = bool::from(hash(secret).as_slice().ct_eq(kept.secret_hash.as_slice()));
    let good = kept.revoked_at.is_none() && kept.expires_at.is_none_or(|end| now < end);
    if !right || !good {
        return Ok(None);
    }
    if kept.last_used_at.is_none_or(|used| now - used >= TimeDelta::minutes(1)) {
        store::used(&app.pool, token_id, now).await?;
    }
    let grant = role::grant(&kept.scopes, kept.site.as_deref());
    let actor = Actor { kind: ActorKind::Token, id: Some(token_id), name: kept.name };
    Ok(Some(Ctx { actor, grants: Grants(grant.into_iter().collect()), from: Some(from), now }))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_is_taken_apart_only_where_it_is_one() {
        let id = Uuid::from_u128(7);
        let token = format!("mst_{}_abc_DEF", id.simple());
        assert_eq!(split(&token), Some((id, "abc_DEF")));
        for bad in [
            "",
            "mst_",
            "mst_00000000000000000000000000000007",
            "mst_00000000000000000000000000000007_",
            "mst_00000000-0000-0000-0000-000000000007_abc",
            "mst_0000000000000000000000000000000g_abc",
            "xst_00000000000000000000000000000007_abc",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_new_token_is_one() {
        let id = Uuid::from_u128(8);
        let (token, stored) = make(id);
        let (found, secret) = split(&token).unwrap();
        assert_eq!((found, secret.len()), (id, 32));
        assert_eq!(hash(secret), stored);
        assert_ne!(make(id).0, token);
    }
}
