//! Devices: the facts beside the hot row, look-ups and lists.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::selector;
use super::within::Within;
use crate::fleet::selector::{
    Expr, Test, TextField, TextTest, TimeField, TimeTest, VersionTest, VersionValue,
};

mod facts;

pub use facts::{FactsRow, learn_facts, merge_facts};

/// A device as lists and pages show it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Device {
    /// UUIDv5 of its identity.
    pub device_id: Uuid,
    /// As sent.
    pub manufacturer: String,
    /// Six hex digits.
    pub oui: String,
    /// As sent.
    pub product_class: String,
    /// As sent.
    pub serial: String,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: Option<String>,
    /// Namespace of its Inform.
    pub namespace: String,
    /// From the data model.
    pub model: Option<String>,
    /// RouterOS architecture.
    pub arch: Option<String>,
    /// RouterOS system identity.
    pub identity: Option<String>,
    /// From the data model.
    pub hardware_version: Option<String>,
    /// From the data model.
    pub software_version: Option<String>,
    /// From the data model.
    pub provisioning_code: Option<String>,
    /// Key of the last change that the device took.
    pub parameter_key: Option<String>,
    /// Where it can be woken, as it says.
    pub connection_request_url: Option<String>,
    /// Methods it has; `None` = not asked yet.
    pub methods: Option<Vec<String>>,
    /// How its last new session was authenticated.
    pub auth: String,
    /// Path of the site where it stands.
    pub site: Option<String>,
    /// In order, each once.
    pub tags: Vec<String>,
    /// The customer's number.
    pub customer: Option<String>,
    /// Since when it waits to be let in; `None` = it is in.
    pub quarantined_at: Option<DateTime<Utc>>,
    /// Why it waits.
    pub quarantine_reason: Option<String>,
    /// First inform.
    pub first_inform: DateTime<Utc>,
    /// Last inform.
    pub last_inform: DateTime<Utc>,
    /// Last `1 BOOT`.
    pub last_boot: Option<DateTime<Utc>>,
    /// Last `0 BOOTSTRAP`.
    pub last_bootstrap: Option<DateTime<Utc>>,
    /// Event codes of the last inform, joined by commas.
    pub events: String,
    /// Address it came from.
    pub remote_addr: ipnet::IpNet,
    /// Attempts before its last session succeeded.
    pub retry_count: i32,
    /// Earliest time at which a job may run.
    pub next_due: Option<DateTime<Utc>>,
    /// When the whole data model was last read.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// It knocked with the enrolment credential although it has one of its own.
    pub reenrol_asked_at: Option<DateTime<Utc>>,
}

/// What people know a device by, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceName {
    /// Which.
    pub device_id: Uuid,
    /// As sent.
    pub serial: String,
    /// Path of the site where it stands.
    pub site: Option<String>,
}

/// What narrows a list; empty fields do not.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Exact serial.
    pub serial: Option<String>,
    /// Exact ProductClass.
    pub product_class: Option<String>,
    /// Exact software version.
    pub software_version: Option<String>,
    /// Informed at or after this time.
    pub informed_since: Option<DateTime<Utc>>,
    /// Did not inform since this time.
    pub silent_since: Option<DateTime<Utc>>,
}

impl Filter {
    /// What it asks for, as selectors say it.
    pub fn conditions(&self, now: DateTime<Utc>) -> Vec<Expr> {
        let one = |text: &String| TextTest::OneOf(vec![text.clone()]);
        let version = |text: &String| VersionTest::OneOf(vec![VersionValue::Other(text.clone())]);
        let informed = |test| Test::Time(TimeField::LastInform, test);
        let tests = [
            self.serial.as_ref().map(|text| Test::Text(TextField::Serial, one(text))),
            self.product_class.as_ref().map(|text| Test::Text(TextField::Class, one(text))),
            self.software_version.as_ref().map(|text| Test::Version(version(text))),
            self.informed_since.map(|at| informed(TimeTest::Newer(now - at))),
            self.silent_since.map(|at| informed(TimeTest::Older(now - at))),
        ];
        tests.into_iter().flatten().map(Expr::Test).collect()
    }
}

/// Pushes the tables by the names that conditions call them, from the devices after `after` on.
///
/// Each is told where to begin: the planner knows that they are joined by their keys, yet not that
/// what bounds one bounds the others, and would read those from their beginning on.
pub(super) fn push_tables(q: &mut QueryBuilder<Postgres>, after: Option<Uuid>) {
    q.push(" from device_facts f");
    push_join(q, " join devices", "d", after);
    push_join(q, " left join device_parameters", "p", after);
}

fn push_join(
    q: &mut QueryBuilder<Postgres>,
    join: &'static str,
    alias: &'static str,
    after: Option<Uuid>,
) {
    q.push(join).push(" ").push(alias);
    q.push(" on ").push(alias).push(".device_id = f.device_id");
    if let Some(after) = after {
        q.push(" and ").push(alias).push(".device_id > ").push_bind(after);
    }
}

/// Pushes the beginning of a statement that reads whole devices after `after`; a condition follows.
pub(super) fn push_select(q: &mut QueryBuilder<Postgres>, after: Option<Uuid>) {
    q.push(
        "select f.device_id, f.manufacturer, f.oui, f.product_class, f.serial, f.root, f.namespace,
                f.model, f.arch, f.identity, f.hardware_version, f.software_version,
                f.provisioning_code, f.parameter_key, f.connection_request_url, f.methods, f.auth,
                f.site::text as site, f.tags, f.customer, f.quarantined_at, f.quarantine_reason,
                d.first_inform, d.last_inform, f.last_boot, f.last_bootstrap, d.events,
                d.remote_addr, d.retry_count, d.next_due, p.refreshed_at, c.reenrol_asked_at",
    );
    push_tables(q, after);
    push_join(q, " left join device_credentials", "c", after);
    q.push(" where ");
}

/// The devices with this exact serial (one, but where vendors use serials again).
pub async fn by_serial(pool: &PgPool, serial: &str) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select device_id from device_facts where serial = $1", serial)
        .fetch_all(pool)
        .await
}

/// The devices whose serial number or identity begins with one of these texts, in either case: of
/// each text the first ones only, in the order of serial numbers. Of those within, if that is said.
pub async fn beginning(
    pool: &PgPool,
    texts: &[String],
    within: Option<&Within>,
    limit: i64,
) -> Result<Vec<Device>, sqlx::Error> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let _turn = selector::turn().await?;
    let mut q = QueryBuilder::new("");
    push_beginning(&mut q, texts, within, limit);
    let mut tx = selector::bounded(pool).await?;
    let found = q.build_query_as().persistent(false).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// Pushes the statement of [`beginning`], of at least one text.
///
/// Each text is looked for in each index by itself, in its order and only so far as rows are wanted:
/// so a text with which half of the fleet begins costs no more than one with which nothing does.
pub fn push_beginning(
    q: &mut QueryBuilder<Postgres>,
    texts: &[String],
    within: Option<&Within>,
    limit: i64,
) {
    push_select(q, None);
    q.push("f.device_id in (");
    let columns = ["upper(b.serial)", "upper(b.identity)"];
    let branches = texts.iter().flat_map(|text| columns.map(|column| (text, column)));
    for (i, (text, column)) in branches.enumerate() {
        q.push(if i == 0 { "(" } else { " union all (" });
        q.push("select b.device_id from device_facts b where ");
        q.push(column).push(" ~>=~ upper(").push_bind(text.clone()).push(") and ");
        // The last of all characters: whatever begins with the text stands before it.
        let end = format!("{text}\u{10ffff}");
        q.push(column).push(" ~<~ upper(").push_bind(end).push(")");
        if let Some(within) = within {
            push_within(q, within);
        }
        q.push(" order by ").push(column).push(" using ~<~ limit ").push_bind(limit).push(")");
    }
    q.push(") order by f.serial, f.device_id limit ").push_bind(limit);
}

/// The same narrowing as everywhere else, of `b`.
fn push_within(q: &mut QueryBuilder<Postgres>, within: &Within) {
    q.push(" and (b.site <@ any(").push_bind(within.sites.clone()).push("::text[]::ltree[])");
    if !within.groups.is_empty() {
        q.push(" or b.device_id in (select m.device_id from group_members m");
        q.push(" where m.group_id = any(").push_bind(within.groups.clone()).push("))");
    }
    q.push(")");
}

/// One device.
pub async fn get(pool: &PgPool, device_id: Uuid) -> Result<Option<Device>, sqlx::Error> {
    let mut q = QueryBuilder::new("");
    push_select(&mut q, None);
    q.push("f.device_id = ").push_bind(device_id);
    q.build_query_as().fetch_optional(pool).await
}

/// The names of those of these devices that are within, if that is said.
pub async fn names(
    pool: &PgPool,
    device_ids: &[Uuid],
    within: Option<&Within>,
) -> Result<Vec<DeviceName>, sqlx::Error> {
    let (sites, groups) = Within::binds(within);
    sqlx::query_as!(
        DeviceName,
        "select device_id, serial, site::text as site from device_facts f
         where device_id = any($1)
           and ($2::text[] is null or f.site <@ any($2::text[]::ltree[])
                or ($3::uuid[] is not null and f.device_id in (
                    select m.device_id from group_members m where m.group_id = any($3::uuid[]))))",
        device_ids,
        sites,
        groups
    )
    .fetch_all(pool)
    .await
}

/// Devices in the inventory, or within; and how many of them informed since `since`.
pub async fn counts(
    pool: &PgPool,
    since: DateTime<Utc>,
    within: Option<&Within>,
) -> Result<(i64, i64), sqlx::Error> {
    let _turn = selector::turn().await?;
    let (Some(sites), groups) = Within::binds(within) else {
        let row = sqlx::query!(
            r#"select count(*) as "all!", count(*) filter (where last_inform >= $1) as "online!"
               from devices"#,
            since
        )
        .fetch_one(pool)
        .await?;
        return Ok((row.all, row.online));
    };
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where d.last_inform >= $1) as "online!"
           from device_facts f join devices d using (device_id)
           where f.site <@ any($2::text[]::ltree[])
              or ($3::uuid[] is not null and f.device_id in (
                  select m.device_id from group_members m where m.group_id = any($3::uuid[])))"#,
        since,
        sites,
        groups
    )
    .fetch_one(pool)
    .await?;
    Ok((row.all, row.online))
}

/// Marks an Inform as merged: until then every inform of the device is treated as news, so that a
/// crash between the hot write and the merge loses nothing.
pub async fn mark_merged(
    conn: &mut PgConnection,
    device_id: Uuid,
    inform_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update devices set inform_hash = $2 where device_id = $1",
        device_id,
        inform_hash
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether this session still owns the device; locks the row, so that it stays so until the
/// transaction ends.
pub async fn owned_by(
    conn: &mut PgConnection,
    device_id: Uuid,
    session_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let owner = sqlx::query_scalar!(
        "select session_id from devices where device_id = $1 for update",
        device_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(owner == Some(session_id))
}

/// Root object and namespace-independent view that a job's machine needs.
pub async fn root(conn: &mut PgConnection, device_id: Uuid) -> Result<Option<String>, sqlx::Error> {
    let root = sqlx::query_scalar!("select root from device_facts where device_id = $1", device_id)
        .fetch_optional(conn)
        .await?;
    Ok(root.flatten())
}

/// Removes a device and everything that is known of it.
pub async fn delete(conn: &mut PgConnection, device_id: Uuid) -> Result<bool, sqlx::Error> {
    let mut gone = 0;
    gone += sqlx::query!("delete from devices where device_id = $1", device_id)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    for statement in [
        sqlx::query!("delete from device_facts where device_id = $1", device_id),
        sqlx::query!("delete from device_parameters where device_id = $1", device_id),
        sqlx::query!("delete from device_counters where device_id = $1", device_id),
        sqlx::query!("delete from device_credentials where device_id = $1", device_id),
        sqlx::query!("delete from jobs where device_id = $1", device_id),
        sqlx::query!("delete from events where device_id = $1", device_id),
        sqlx::query!("delete from device_artifacts where device_id = $1", device_id),
        sqlx::query!("delete from group_members where device_id = $1", device_id),
        sqlx::query!("delete from connection_requests where device_id = $1", device_id),
        sqlx::query!("delete from cwmp_transcripts where device_id = $1", device_id),
        sqlx::query!("delete from device_secrets where device_id = $1", device_id),
        sqlx::query!("delete from device_packages where device_id = $1", device_id),
        sqlx::query!("delete from device_backups where device_id = $1", device_id),
        sqlx::query!("delete from device_configs where device_id = $1", device_id),
        sqlx::query!("delete from device_desired where device_id = $1", device_id),
        sqlx::query!("delete from device_absences where device_id = $1", device_id),
        // Its claim is open again, should it come once more.
        sqlx::query!(
            "update claims set device_id = null, taken_at = null where device_id = $1",
            device_id
        ),
    ] {
        statement.execute(&mut *conn).await?;
    }
    // After the facts, as who moves sites locks them.
    super::rollouts::devices::remove(conn, device_id).await?;
    Ok(gone > 0)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_filter_asks_for_what_is_set() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let filter = Filter {
            serial: Some("S1".to_owned()),
            software_version: Some("7.16".to_owned()),
            silent_since: Some(DateTime::UNIX_EPOCH),
            ..Filter::default()
        };
        let serial = TextTest::OneOf(vec!["S1".to_owned()]);
        // By its exact text: what counts as the same version is for selectors to say.
        let version = VersionTest::OneOf(vec![VersionValue::Other("7.16".to_owned())]);
        let expected = [
            Test::Text(TextField::Serial, serial),
            Test::Version(version),
            Test::Time(TimeField::LastInform, TimeTest::Older(TimeDelta::days(1))),
        ];
        assert_eq!(filter.conditions(now), expected.map(Expr::Test));
        assert!(Filter::default().conditions(now).is_empty());
    }

    #[test]
    fn what_was_typed_is_bound_and_never_pushed() {
        let texts = ["x' or '%".to_owned(), "y".to_owned()];
        let eu = Within { sites: vec!["eu".to_owned()], groups: Vec::new() };
        let more = Within { groups: vec![Uuid::nil()], ..eu.clone() };
        for (within, each) in [(None, 3), (Some(&eu), 4), (Some(&more), 5)] {
            let binds = 4 * each + 1;
            let mut q = QueryBuilder::new("");
            push_beginning(&mut q, &texts, within, 8);
            let sql = q.into_string();
            assert!(!sql.contains("x'"), "{sql}");
            assert!(sql.contains(&format!("${binds}")), "{sql}");
            assert!(!sql.contains(&format!("${}", binds + 1)), "{sql}");
        }
    }
}
