//! What devices say of themselves, written beside the hot row: only what changed.

use chrono::{DateTime, Utc};
use muster_cwmp::rpc::DeviceId as CwmpDeviceId;
use muster_routeros::version::RosVersion;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fleet::facts::{Facts, capped};

/// By what selectors order the software version; `None` = it is not RouterOS's, or not told.
fn version_key(facts: &Facts) -> Option<Vec<i32>> {
    let version: RosVersion = facts.software_version.as_deref()?.parse().ok()?;
    Some(version.key().to_vec())
}

/// After how many seconds it comes again; `None` = it does not tell.
fn inform_interval(facts: &Facts) -> Option<i32> {
    facts.inform_interval.as_deref()?.parse::<i32>().ok().filter(|seconds| *seconds > 0)
}

/// What an Inform says of a device beyond the hot row.
#[derive(Debug, Clone)]
pub struct FactsRow<'a> {
    /// Who.
    pub device_id: Uuid,
    /// As the Inform says.
    pub id: &'a CwmpDeviceId,
    /// Namespace of the Inform.
    pub namespace: &'a str,
    /// Found among its parameters.
    pub facts: &'a Facts,
    /// none, enrolment, claim, device, certificate.
    pub auth: &'a str,
    /// The Inform had `1 BOOT`.
    pub booted: bool,
    /// The Inform had `0 BOOTSTRAP`.
    pub bootstrapped: bool,
}

/// Writes what an Inform says; facts that it does not name stay. True = the device waits to be let in.
pub async fn merge_facts(
    conn: &mut PgConnection,
    row: &FactsRow<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let f = row.facts;
    let version_key = version_key(f);
    sqlx::query_scalar!(
        r#"
        insert into device_facts as f (device_id, manufacturer, oui, product_class, serial, root,
            namespace, model, arch, identity, hardware_version, software_version,
            provisioning_code, parameter_key, connection_request_url, auth, last_boot,
            last_bootstrap, updated_at, version_key, inform_interval)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                case when $17 then $19::timestamptz end, case when $18 then $19 end, $19, $20, $21)
        on conflict (device_id) do update set
            manufacturer = excluded.manufacturer,
            oui = excluded.oui,
            product_class = excluded.product_class,
            serial = excluded.serial,
            namespace = excluded.namespace,
            root = coalesce(excluded.root, f.root),
            model = coalesce(excluded.model, f.model),
            arch = coalesce(excluded.arch, f.arch),
            identity = coalesce(excluded.identity, f.identity),
            hardware_version = coalesce(excluded.hardware_version, f.hardware_version),
            software_version = coalesce(excluded.software_version, f.software_version),
            version_key = case when excluded.software_version is null then f.version_key
                          else excluded.version_key end,
            provisioning_code = coalesce(excluded.provisioning_code, f.provisioning_code),
            parameter_key = coalesce(excluded.parameter_key, f.parameter_key),
            connection_request_url =
                coalesce(excluded.connection_request_url, f.connection_request_url),
            inform_interval = coalesce(excluded.inform_interval, f.inform_interval),
            auth = excluded.auth,
            last_boot = coalesce(excluded.last_boot, f.last_boot),
            last_bootstrap = coalesce(excluded.last_bootstrap, f.last_bootstrap),
            updated_at = excluded.updated_at
        returning f.quarantined_at is not null as "waits!"
        "#,
        row.device_id,
        capped(&row.id.manufacturer),
        capped(&row.id.oui),
        capped(&row.id.product_class),
        row.id.serial_number,
        f.root,
        row.namespace,
        f.model,
        f.arch,
        f.identity,
        f.hardware_version,
        f.software_version,
        f.provisioning_code,
        f.parameter_key,
        f.connection_request_url,
        row.auth,
        row.booted,
        row.bootstrapped,
        now,
        version_key.as_deref(),
        inform_interval(f)
    )
    .fetch_one(conn)
    .await
}

/// Writes facts learned in a session, where they are among what was learned.
pub async fn learn_facts(
    conn: &mut PgConnection,
    device_id: Uuid,
    f: &Facts,
    methods: Option<&[String]>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let version_key = version_key(f);
    sqlx::query!(
        r#"
        update device_facts set
            root = coalesce($2, root),
            model = coalesce($3, model),
            arch = coalesce($4, arch),
            identity = coalesce($5, identity),
            hardware_version = coalesce($6, hardware_version),
            software_version = coalesce($7, software_version),
            version_key = case when $7::text is null then version_key else $13 end,
            provisioning_code = coalesce($8, provisioning_code),
            parameter_key = coalesce($9, parameter_key),
            connection_request_url = coalesce($10, connection_request_url),
            methods = coalesce($11, methods),
            inform_interval = coalesce($14, inform_interval),
            updated_at = $12
        where device_id = $1
        "#,
        device_id,
        f.root,
        f.model,
        f.arch,
        f.identity,
        f.hardware_version,
        f.software_version,
        f.provisioning_code,
        f.parameter_key,
        f.connection_request_url,
        methods,
        now,
        version_key.as_deref(),
        inform_interval(f)
    )
    .execute(conn)
    .await?;
    Ok(())
}
