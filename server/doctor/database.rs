//! PostgreSQL: the binaries for an embedded server, or the external server and its state.

use std::time::{Duration, SystemTime};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Finding, muster_runs};
use crate::config::Config;
use crate::store::{MIGRATOR, pg};

const SUBJECT: &str = "database";
const PATIENCE: Duration = Duration::from_secs(10);

/// Leases and sessions compare this host's clock with the database's.
const SKEW_SECONDS: f64 = 2.0;

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    match &config.database.url {
        None => {
            let mut findings = vec![embedded(config).await];
            // Where it cannot be asked nothing is said of claims.
            if let Some(running) = pg::running(&config.data_dir)
                && let Ok(Ok(found)) = timeout(PATIENCE, look_at_claims(&running, config)).await
            {
                findings.extend(found);
            }
            findings
        }
        Some(url) => match pg::parse_servers(url.expose()) {
            Ok(servers) => external(&servers, config).await,
            Err(error) => vec![Finding::error(SUBJECT, error.to_string(), "")],
        },
    }
}

async fn embedded(config: &Config) -> Finding {
    let found = pg::installations(config.database.postgres_bin.as_deref());
    match pg::choose(found, pg::cluster_major(&config.data_dir)) {
        Ok(chosen) => {
            let state = if muster_runs(config).await { "running" } else { "not running" };
            let (major, bin) = (chosen.major, chosen.bin.display());
            Finding::ok(SUBJECT, format!("embedded PostgreSQL {major} from {bin}, {state}"))
        }
        Err(error) => Finding::error(SUBJECT, error.to_string(), ""),
    }
}

async fn external(servers: &[PgConnectOptions], config: &Config) -> Vec<Finding> {
    let primary = match pg::find_primary(servers).await {
        Ok(primary) => primary,
        Err(error) => {
            let mend = "Start the server, or correct host, user and password in database.url.";
            return vec![Finding::error(SUBJECT, error.to_string(), mend)];
        }
    };
    match timeout(PATIENCE, look(&primary, config)).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![Finding::error(
            SUBJECT,
            error.to_string(),
            "Give Muster a role that owns its database.",
        )],
        Err(_) => vec![Finding::error(SUBJECT, "does not answer".to_owned(), "Look at its log.")],
    }
}

async fn look(primary: &PgConnectOptions, config: &Config) -> Result<Vec<Finding>, sqlx::Error> {
    let mut connection = PgConnection::connect_with(primary).await?;
    let mut findings = vec![
        version(&mut connection).await?,
        migrations(&mut connection).await?,
        skew(&mut connection).await?,
    ];
    findings.extend(claims(&mut connection, config).await?);
    connection.close().await?;
    Ok(findings)
}

async fn look_at_claims(
    running: &PgConnectOptions,
    config: &Config,
) -> Result<Option<Finding>, sqlx::Error> {
    let mut connection = PgConnection::connect_with(running).await?;
    let found = claims(&mut connection, config).await?;
    connection.close().await?;
    Ok(found)
}

/// Whether somebody who has the enrolment credential, and lies about a serial number, is given secrets.
async fn claims(
    connection: &mut PgConnection,
    config: &Config,
) -> Result<Option<Finding>, sqlx::Error> {
    if config.zero_touch.claims_own_credential {
        return Ok(None);
    }
    let made: bool = sqlx::query_scalar("select to_regclass('claims') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !made {
        return Ok(None);
    }
    let exposed: bool = sqlx::query_scalar(
        "select exists (
             select from claims c cross join lateral jsonb_each(c.variables) as v (name, value)
             where c.device_id is null and not c.own_credential
               and v.value -> '$sealed' is not null)",
    )
    .fetch_one(connection)
    .await?;
    let finding = || {
        Finding::warning(
            "claims",
            "open claims hold secrets, and any new device that says the serial number of one is \
             given them"
                .to_owned(),
            "Set zero_touch.claims_own_credential = true, and own_credential in the claims that are \
             there.",
        )
    };
    Ok(exposed.then(finding))
}

async fn version(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    let number: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(connection)
        .await?;
    let major = number / 10_000;
    if u32::try_from(major).is_ok_and(|major| major >= pg::OLDEST_MAJOR) {
        return Ok(Finding::ok(SUBJECT, format!("PostgreSQL {major} takes writes")));
    }
    let mend = "Upgrade the server to PostgreSQL 15 or later.";
    Ok(Finding::error(SUBJECT, format!("PostgreSQL {major} is too old"), mend))
}

async fn migrations(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    let subject = "migrations";
    let made: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !made {
        return Ok(Finding::ok(subject, "none yet: the first `muster serve` applies them"));
    }
    let applied: Vec<(i64, bool)> = sqlx::query_as("select version, success from _sqlx_migrations")
        .fetch_all(connection)
        .await?;
    let missing = MIGRATOR
        .iter()
        .filter(|known| !applied.iter().any(|(version, _)| *version == known.version))
        .count();
    Ok(if applied.iter().any(|(_, success)| !success) {
        let mend = "Run `muster migrate` and follow what it says.";
        Finding::error(subject, "one of them stopped half-way".to_owned(), mend)
    } else if applied.iter().any(|(version, _)| !MIGRATOR.version_exists(*version)) {
        let mend = "Run the newer Muster that was used on this database before.";
        Finding::error(subject, "the database is ahead of this Muster".to_owned(), mend)
    } else if missing > 0 {
        Finding::ok(subject, format!("{missing} to come: the next `muster serve` applies them"))
    } else {
        Finding::ok(subject, format!("all {} applied", applied.len()))
    })
}

async fn skew(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    let theirs: f64 = sqlx::query_scalar("select extract(epoch from clock_timestamp())::float8")
        .fetch_one(connection)
        .await?;
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let apart = (ours.as_secs_f64() - theirs).abs();
    let message = format!("{apart:.1} s apart from the database's");
    if apart > SKEW_SECONDS {
        return Ok(Finding::warning("clock", message, "Keep both hosts' clocks with NTP."));
    }
    Ok(Finding::ok("clock", message))
}
