//! The way to the server that takes writes: one pool, several servers, failover.
//!
//! sqlx knows one server a pool, so this looks for the primary itself, at the start and whenever the
//! one in use is lost. Must never hand out a read-only replica.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::{sleep, timeout};

use super::PgError;

/// How long one server may take to say whether it is the primary.
const PROBE: Duration = Duration::from_secs(5);

/// How often the primary is looked after where there is more than one server.
const WATCH: Duration = Duration::from_secs(1);

/// How long a caller waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// How long a statement waits for a row that another transaction holds.
pub const LOCK_TIMEOUT: &str = "10s";

/// What every connection is told. Muster's own statements take milliseconds: one that takes longer
/// than these is stuck, and holds locks that devices wait for.
const LIMITS: [(&str, &str); 2] =
    [("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "10s")];

/// The servers in `text`: URLs separated by spaces, each with one host or several
/// (`postgres://user@a,b:5433/db`).
///
/// # Errors
/// [`PgError::Address`], which never repeats the text: it holds a password.
pub fn parse_servers(text: &str) -> Result<Vec<PgConnectOptions>, PgError> {
    let mut servers = Vec::new();
    for url in text.split_whitespace() {
        for single in split_hosts(url)? {
            let options = PgConnectOptions::from_str(&single)
                .map_err(|error| PgError::Address(error.to_string()))?;
            servers.push(options);
        }
    }
    if servers.is_empty() { Err(PgError::Address("empty".to_owned())) } else { Ok(servers) }
}

/// A pool on whichever of `servers` takes writes. With several servers it follows the primary for
/// as long as the pool is open. Sessions run with `statement_timeout` 30 s and `lock_timeout` 10 s:
/// a migration must lift them for itself.
///
/// # Errors
/// [`PgError::NoPrimary`] when no server answers and takes writes.
pub async fn connect(
    servers: &[PgConnectOptions],
    max_connections: u32,
    lock_timeout: &str,
) -> Result<PgPool, PgError> {
    let servers: Vec<PgConnectOptions> =
        servers.iter().map(|s| with_limits(s, lock_timeout)).collect();
    let primary = find_primary(&servers).await?;
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(primary);
    if servers.len() > 1 {
        tokio::spawn(follow_primary(pool.clone(), servers));
    }
    Ok(pool)
}

/// The first of `servers` that takes writes.
///
/// # Errors
/// [`PgError::NoPrimary`] with a reason for each server.
pub async fn find_primary(servers: &[PgConnectOptions]) -> Result<PgConnectOptions, PgError> {
    let mut reasons = Vec::new();
    for server in servers {
        let reason = match timeout(PROBE, is_replica(server)).await {
            Ok(Ok(false)) => return Ok(server.clone()),
            Ok(Ok(true)) => "is a read-only replica".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("does not answer within {} s", PROBE.as_secs()),
        };
        reasons.push(format!("{}:{} {reason}", server.get_host(), server.get_port()));
    }
    Err(PgError::NoPrimary(reasons.join("; ")))
}

async fn is_replica(server: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut connection = PgConnection::connect_with(server).await?;
    let replica =
        sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(replica)
}

/// Points new connections at the primary when the one in use is lost. Connections to the old one
/// end by themselves: a server is restarted to become a replica.
async fn follow_primary(pool: PgPool, servers: Vec<PgConnectOptions>) {
    let mut lost = false;
    loop {
        tokio::select! {
            () = pool.close_event() => return,
            () = sleep(WATCH) => {}
        }
        let in_use = pool.connect_options();
        if let Ok(Ok(false)) = timeout(PROBE, is_replica(&in_use)).await {
            lost = false;
            continue;
        }
        match find_primary(&servers).await {
            Ok(primary) => {
                let (host, port) = (primary.get_host().to_owned(), primary.get_port());
                tracing::warn!(server.address = host, server.port = port, "following the primary");
                pool.set_connect_options(primary);
                lost = false;
            }
            Err(error) if !lost => {
                tracing::error!(%error, "the database is lost; going on looking");
                lost = true;
            }
            Err(_) => {}
        }
    }
}

fn with_limits(server: &PgConnectOptions, lock_timeout: &str) -> PgConnectOptions {
    let options = server.clone().application_name("muster").statement_cache_capacity(256);
    options.options(LIMITS).options([("lock_timeout", lock_timeout)])
}

/// One URL for each host of the authority, which is as libpq reads several hosts.
fn split_hosts(url: &str) -> Result<Vec<String>, PgError> {
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))
        .ok_or_else(|| PgError::Address("it does not start with postgres://".to_owned()))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    Ok(hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn addresses(text: &str) -> Vec<(String, u16)> {
        let servers = parse_servers(text).unwrap();
        servers.iter().map(|server| (server.get_host().to_owned(), server.get_port())).collect()
    }

    #[test]
    fn several_hosts_in_one_url_and_several_urls_are_the_same_servers() {
        let expected = [("a".to_owned(), 5433), ("b".to_owned(), 5434)];
        assert_eq!(addresses("postgres://u:p%40@a:5433,b:5434/db?sslmode=disable"), expected);
        assert_eq!(addresses("postgres://u:p@a:5433/db  postgresql://u:p@b:5434/db"), expected);
    }

    #[test]
    fn every_host_keeps_user_and_database() {
        for server in parse_servers("postgres://u:p@a,b/db").unwrap() {
            assert_eq!(server.get_username(), "u");
            assert_eq!(server.get_database(), Some("db"));
        }
    }

    #[test]
    fn a_refused_address_does_not_show_its_password() {
        for text in ["", "mysql://u:sesame@a/db", "postgres://u:sesame@a:port/db"] {
            let error = parse_servers(text).unwrap_err();
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
    }

    #[tokio::test]
    async fn servers_that_do_not_answer_are_each_named() {
        // Nothing listens on port 1, so both refuse at once.
        let servers = parse_servers("postgres://u@127.0.0.1:1,127.0.0.2:1/db").unwrap();
        let error = find_primary(&servers).await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:1 ") && error.contains("127.0.0.2:1 "), "{error}");
    }
}
