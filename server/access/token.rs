//! API tokens: their form, `mst_<id as 32 hex digits>_<secret>`, and who one is.
//!
//! Only the SHA-256 of the secret is stored: it is random and long, so a slow hash would only slow
//! down the server. A token is a program's, with rights of its own, or a person's, who may by it what
//! both its scopes and their roles of this moment let.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::grant::{Grant, Grants};
use super::right::Right;
use super::role;
use crate::ctx::{Actor, ActorKind, App, Ctx};
use crate::error::Error;
use crate::fleet::secret::password_from;
use crate::store::roles::{self, Held};
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
    let (kind, name, grants) = match kept.user_id {
        Some(user_id) => {
            let held = roles::held(&app.pool, user_id).await?;
            let name = kept.login.unwrap_or(kept.name);
            (ActorKind::Personal(user_id), name, personal(&held, &kept.scopes))
        }
        None => {
            let group = (kept.group_id, kept.group.as_deref());
            let grant = role::grant(&kept.scopes, kept.site.as_deref(), group);
            (ActorKind::Token, kept.name, Grants(grant.into_iter().collect()))
        }
    };
    let actor = Actor { kind, id: Some(token_id), name };
    Ok(Some(Ctx { actor, grants, from: Some(from), now }))
}

/// What is left of what a person may, where a token of theirs has these scopes: both must let it.
fn personal(held: &[Held], scopes: &[String]) -> Grants {
    let scopes: Vec<Right> = scopes.iter().filter_map(|word| word.parse().ok()).collect();
    let lets = |rights: &[Right], right: Right| rights.iter().any(|has| has.includes(right));
    let granted = held.iter().filter_map(|role| {
        let group = (role.group_id, role.group.as_deref());
        role::grant(&role.rights, role.site.as_deref(), group)
    });
    let limited = granted.map(|grant| {
        let both = |right: &Right| lets(&grant.rights, *right) && lets(&scopes, *right);
        let rights = Right::ALL.into_iter().filter(both).collect();
        Grant { rights, ..grant }
    });
    Grants(limited.collect())
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

    #[test]
    fn a_token_of_a_person_may_what_both_of_them_may_where_they_may() {
        fn said(words: &[&str]) -> Vec<String> {
            words.iter().map(|word| (*word).to_owned()).collect()
        }
        let role = |rights: &[&str], site: Option<&str>| Held {
            rights: said(rights),
            support: None,
            site: site.map(str::to_owned),
            group_id: None,
            group: None,
        };
        let held = [role(&["operate"], Some("eu.lv")), role(&["audit"], None)];
        let may = |scopes: &[&str]| {
            let grants = personal(&held, &said(scopes));
            let there = |right: &Right| !grants.reach(*right).is_nowhere();
            Right::ALL.into_iter().filter(there).collect::<Vec<Right>>()
        };
        assert_eq!(may(&["read"]), [Right::Read]);
        assert_eq!(may(&["secrets", "audit"]), [Right::Read, Right::Audit]);
        let all = [Right::Support, Right::Read, Right::Operate, Right::Audit];
        assert_eq!(may(&["admin"]), all, "no more than the person");
        assert!(may(&[]).is_empty());
        let grants = personal(&held, &said(&["admin"]));
        assert_eq!(grants.reach(Right::Read).paths(), Some(vec!["eu.lv".to_owned()]));
        assert_eq!(grants.reach(Right::Audit).paths(), None);
        assert!(personal(&[], &said(&["admin"])).reach(Right::Support).is_nowhere());
    }
}
