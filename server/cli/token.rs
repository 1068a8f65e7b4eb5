//! `muster token` and `muster enrolment`: the credentials of people's programs and of new devices.

use chrono::TimeDelta;
use clap::Subcommand;
use muster::access::right::Right;
use muster::boot;
use muster::config::Config;
use muster::ctx::{App, Ctx};
use muster::fleet::credentials::Enrolment;
use muster::service::tokens::{self, NewToken};
use uuid::Uuid;

use super::console::{told, with_app};

/// `muster token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do, with commas between: support, read, operate, approve, bench, secrets,
        /// audit, admin.
        #[arg(long, value_delimiter = ',', value_name = "RIGHT,...", default_value = "operate")]
        scope: Vec<Right>,
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

/// Runs `muster token`.
pub async fn token(config: Config, command: Token) -> anyhow::Result<()> {
    with_app(config, async |app, ctx| run(app, ctx, command).await).await
}

async fn run(app: &App, ctx: &Ctx, command: Token) -> anyhow::Result<()> {
    match command {
        Token::Create { name, scope, days } => {
            let expires_at = days.map(|days| ctx.now + TimeDelta::days(i64::from(days)));
            let new = NewToken { name, scopes: scope, site_id: None, group_id: None, expires_at };
            let (token, _) = tokens::create(app, ctx, new).await.map_err(told)?;
            println!("{token}");
        }
        Token::List => {
            for t in tokens::list(app, ctx).await.map_err(told)? {
                let state = match (t.revoked_at, t.expires_at) {
                    (Some(at), _) => format!("revoked {}", at.format("%F %R")),
                    (None, Some(at)) if at <= ctx.now => format!("expired {}", at.format("%F %R")),
                    (None, Some(at)) => format!("until {}", at.format("%F %R")),
                    (None, None) => "without end".to_owned(),
                };
                let place = match (t.site, t.group) {
                    (Some(site), _) => format!("@{site}"),
                    (None, Some(group)) => format!("@group:{group}"),
                    (None, None) => String::new(),
                };
                println!("{}  {}{place}  {}  {state}", t.token_id, t.scopes.join(","), t.name);
            }
        }
        Token::Revoke { id } => {
            tokens::revoke(app, ctx, id).await.map_err(told)?;
            println!("revoked");
        }
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
