//! Sites and groups that rollouts name: these move with the tree, and stay as long as they are named.
//!
//! Whoever moves a site locks the rollouts that name it or have devices there before facts of devices:
//! a reconciler that holds a rollout waits for devices, and a session that holds a device for its facts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Renames `from` to `to` where rollouts say where they may go and what their waves take, at and below
/// it. Also of those that have ended: who sees them, and who may take them back, follows from it.
pub async fn move_sites(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollouts r set
             -- Of no row at all array_agg makes null, and that would be everywhere.
             scope = coalesce((
                 select array_agg(case when s.site = $1::text or starts_with(s.site, $1::text || '.')
                                  then $2::text || substr(s.site, length($1::text) + 1)
                                  else s.site end order by s.place)
                 from unnest(r.scope) with ordinality as s (site, place)), r.scope),
             plan = jsonb_set(r.plan, '{waves}', coalesce((
                 select jsonb_agg(case when w.site = $1::text
                                         or starts_with(w.site, $1::text || '.')
                                  then jsonb_set(w.wave, '{take,site}', to_jsonb(
                                      $2::text || substr(w.site, length($1::text) + 1)))
                                  else w.wave end order by w.place)
                 from (select e.wave, e.place, e.wave -> 'take' ->> 'site' as site
                       from jsonb_array_elements(r.plan -> 'waves') with ordinality
                                as e (wave, place)) w), '[]')),
             updated_at = $3
         where exists (
                 select from unnest(r.scope) as s (site)
                 where s.site = $1::text or starts_with(s.site, $1::text || '.'))
            or exists (
                 select from jsonb_array_elements(r.plan -> 'waves') as e (wave)
                 where e.wave -> 'take' ->> 'site' = $1::text
                    or starts_with(e.wave -> 'take' ->> 'site', $1::text || '.'))",
        from,
        to,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks the rollouts that have not ended and have devices at this site or below it.
pub async fn lock_with_devices(conn: &mut PgConnection, site: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select from rollouts o
         where o.state not in ('completed', 'aborted', 'rolled_back')
           and exists (select from rollout_devices r
                       where r.rollout_id = o.rollout_id and r.site <@ $1::text::ltree)
         order by o.rollout_id for update",
        site
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Renames `from` to `to` in the sites of devices that are in a rollout that has not ended. These
/// rollouts are locked.
pub async fn move_devices(
    conn: &mut PgConnection,
    from: &str,
    to: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rollout_devices r set site = moved(r.site, $1::text::ltree, $2::text::ltree)
         from rollouts o
         where o.rollout_id = r.rollout_id and o.state not in ('completed', 'aborted', 'rolled_back')
           and r.site <@ $1::text::ltree",
        from,
        to
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a rollout that has not ended may go to this very site, or has a wave of it.
pub async fn names_site(conn: &mut PgConnection, path: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from rollouts r
               where r.state not in ('completed', 'aborted', 'rolled_back')
                 and ($1::text = any(r.scope)
                      or exists (select from jsonb_array_elements(r.plan -> 'waves') as e (wave)
                                 where e.wave -> 'take' ->> 'site' = $1::text))) as "names!""#,
        path
    )
    .fetch_one(conn)
    .await
}

/// The names of the rollouts that have not ended and are for the devices of this group, have a wave of
/// them, or may go there because somebody was granted that.
pub async fn of_group(conn: &mut PgConnection, group_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select r.name from rollouts r
         where r.state not in ('completed', 'aborted', 'rolled_back')
           and (r.audience ->> 'group_id' = $1::text or 'group:' || $1::text = any(r.scope)
                or exists (select from jsonb_array_elements(r.plan -> 'waves') as e (wave)
                           where e.wave -> 'take' ->> 'group' = $1::text))
         order by r.name",
        group_id.to_string()
    )
    .fetch_all(conn)
    .await
}

/// The names of the rollouts that have not ended and have a selector, with it.
pub async fn selectors(conn: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select name, audience ->> 'selector' as "selector!" from rollouts
           where state not in ('completed', 'aborted', 'rolled_back')
             and audience ->> 'selector' is not null
           order by name"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.selector)).collect())
}
