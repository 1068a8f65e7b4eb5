//! `muster token` and `muster enrolment`: the credentials of people's programs and of new devices.

use anyhow::Context;
use chrono::TimeDelta;
use clap::{Subcommand, ValueEnum};
use muster::config::Config;
use muster::fleet::credentials::Enrolment;
use muster::store::tokens;
use muster::{api, boot, clock, store};
use uuid::Uuid;

/// `muster token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do; each includes the ones before it.
        #[arg(long, value_enum, default_value = "operate")]
        scope: Scope,
        /// Days until it ends; never when absent.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List tokens, without their secrets.
    List,
    /// Revoke a token by its id.
    Revoke {
        /// As `muster token list` shows it.
        id: Uuid,
    },
}

/// What a token may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Scope {
    /// Look.
    Read,
    /// Look, and make jobs.
    Operate,
    /// Everything.
    Admin,
}

impl Scope {
    fn granted(self) -> api::auth::Scope {
        match self {
            Self::Read => api::auth::Scope::Read,
            Self::Operate => api::auth::Scope::Operate,
            Self::Admin => api::auth::Scope::Admin,
        }
    }
}

/// Runs `muster token`.
pub async fn token(config: Config, command: Token) -> anyhow::Result<()> {
    let database = boot::Database::open(&config).await?;
    let done = with_database(&database, command).await;
    database.close().await;
    done
}

async fn with_database(database: &boot::Database, command: Token) -> anyhow::Result<()> {
    let pool = &database.pool;
    let now = clock::now();
    store::migrate(pool, now).await.context("the database schema")?;
    match command {
        Token::Create { name, scope, days } => {
            let expires = days.map(|d| now + TimeDelta::days(i64::from(d)));
            let scopes = [scope.granted()];
            let secret = api::auth::create_token(pool, &name, &scopes, expires, now)
                .await
                .map_err(|e| anyhow::anyhow!("{}", e.private()))?;
            println!("{secret}");
        }
        Token::List => {
            for t in tokens::list(pool).await? {
                let state = match (t.revoked_at, t.expires_at) {
                    (Some(at), _) => format!("revoked {}", at.format("%F %R")),
                    (None, Some(at)) if at <= now => format!("expired {}", at.format("%F %R")),
                    (None, Some(at)) => format!("until {}", at.format("%F %R")),
                    (None, None) => "without end".to_owned(),
                };
                println!("{}  {}  {}  {state}", t.token_id, t.scopes.join(","), t.name);
            }
        }
        Token::Revoke { id } => match tokens::revoke(pool, id, now).await? {
            true => println!("revoked"),
            false => anyhow::bail!("no valid token {id}"),
        },
    }
    Ok(())
}

/// Runs `muster enrolment`.
pub fn enrolment(config: &Config) -> anyhow::Result<()> {
    let keys = boot::keys(config)?;
    let enrolment = Enrolment::from_keys(&keys);
    let url =
        config.acs.public_url.clone().unwrap_or_else(|| {
            format!("http://<this server's address>:{}", config.acs.listen.port())
        });
    println!("url      {url}");
    println!("username {}", enrolment.username);
    println!("password {}", enrolment.expose_password());
    Ok(())
}
