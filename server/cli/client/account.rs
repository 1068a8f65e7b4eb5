//! `muster account`: one's own account, by a token of one's own.
//!
//! Passwords come from files, or standard input: on a command line others would see them.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use muster::access::right::Right;
use muster::fleet::secret::new_password;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::Api;
use super::output::{done, fields, hint, maybe, maybe_time, show, show_page, time, yes};
use super::tokens::{list_tokens, show_made};
use super::users::first_line;

/// `muster account`
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Show the account.
    Show,
    /// Change the password, and end all sessions. It is shown, once, if it was made up here.
    Password {
        #[command(flatten)]
        proof: Proof,
        /// File whose first line is the new password; - is standard input. Made up when absent.
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
    /// The second factor: set up, take away.
    #[command(subcommand)]
    Totp(Totp),
    /// List where one is logged in.
    Sessions,
    /// Log out somewhere.
    EndSession {
        /// Id of the session.
        session: Uuid,
    },
    /// Show how the dashboard is to be, or say it; an empty word takes back.
    Preferences {
        /// auto, light or dark.
        #[arg(long, value_name = "THEME")]
        theme: Option<String>,
        /// Such as Europe/Riga.
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
    },
    /// Tokens of one's own: list, make, revoke.
    #[command(subcommand)]
    Tokens(OwnTokens),
}

/// The second factor.
#[derive(Debug, Subcommand)]
pub enum Totp {
    /// Offer one, for an authenticator app.
    Begin,
    /// Take the one that was offered: from then on each log-in asks for a code.
    Confirm {
        /// The offer, as `begin` showed it.
        #[arg(allow_hyphen_values = true)]
        offer: String,
        /// What the app shows now.
        code: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Log in with the password alone.
    Remove {
        #[command(flatten)]
        proof: Proof,
    },
}

/// Tokens of one's own.
#[derive(Debug, Subcommand)]
pub enum OwnTokens {
    /// List them, without their secrets.
    List,
    /// Make one and show it, once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do, of what one may oneself, with commas between: support, read, operate,
        /// approve, bench, secrets, audit, admin.
        #[arg(long, value_delimiter = ',', value_name = "RIGHT,...", default_value = "operate")]
        scope: Vec<Right>,
        /// Days until it ends; never when absent.
        #[arg(long)]
        days: Option<u32>,
        #[command(flatten)]
        proof: Proof,
    },
    /// Revoke one, at once and for good.
    Revoke {
        /// Id of the token.
        #[arg(value_name = "TOKEN")]
        token_id: Uuid,
    },
}

/// What proves who one is: a token alone does not.
#[derive(Debug, Args)]
pub struct Proof {
    /// File whose first line is one's password; - is standard input.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

impl Proof {
    fn password(&self) -> anyhow::Result<String> {
        first_line(&self.password_file)
    }
}

#[derive(Debug, Deserialize)]
struct Shown {
    user_id: Uuid,
    login: String,
    display_name: String,
    has_password: bool,
    has_totp: bool,
    oidc_issuer: Option<String>,
    last_login_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Offer {
    secret: String,
    url: String,
    offer: String,
}

#[derive(Debug, Deserialize)]
struct Session {
    session_id: Uuid,
    created_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    address: String,
    user_agent: String,
}

#[derive(Debug, Deserialize)]
struct Preferred {
    theme: Option<String>,
    time_zone: Option<String>,
}

pub(super) async fn run(api: &Api, command: Account) -> anyhow::Result<()> {
    match command {
        Account::Show => show(api, &api.get(&["account"], &[]).await?, view),
        Account::Password { proof, new_password_file } => {
            set_password(api, &proof, new_password_file).await
        }
        Account::Totp(command) => totp(api, command).await,
        Account::Sessions => {
            let answer = api.get(&["account", "sessions"], &[]).await?;
            let header = ["session_id", "user_agent", "address", "created_at", "seen_at"];
            show_page(api, &answer, &header, |s: Session| {
                let (id, since, seen) = (s.session_id.to_string(), s.created_at, s.seen_at);
                vec![id, maybe(Some(s.user_agent)), s.address, time(since), time(seen)]
            })
        }
        Account::EndSession { session } => {
            api.delete(&["account", "sessions", &session.to_string()], &[]).await?;
            done(api, &format!("{session} is ended"))
        }
        Account::Preferences { theme, time_zone } => {
            let path = ["account", "preferences"];
            let answer = match wished([("theme", theme), ("time_zone", time_zone)]) {
                None => api.get(&path, &[]).await?,
                Some(wishes) => api.call(Method::PATCH, &path, Some(&wishes)).await?,
            };
            show(api, &answer, |p: Preferred| {
                fields(&[("theme", maybe(p.theme)), ("time_zone", maybe(p.time_zone))])
            })
        }
        Account::Tokens(command) => tokens(api, command).await,
    }
}

fn view(account: Shown) -> String {
    fields(&[
        ("user_id", account.user_id.to_string()),
        ("login", account.login),
        ("display_name", maybe(Some(account.display_name))),
        ("password", yes(account.has_password)),
        ("second factor", yes(account.has_totp)),
        ("single sign-on", maybe(account.oidc_issuer)),
        ("last_login_at", maybe_time(account.last_login_at)),
    ])
}

async fn set_password(api: &Api, proof: &Proof, file: Option<PathBuf>) -> anyhow::Result<()> {
    let old = proof.password()?;
    let password = match &file {
        Some(file) => first_line(file)?,
        None => new_password(),
    };
    let body = json!({ "old_password": old, "password": password });
    api.call(Method::PUT, &["account", "password"], Some(&body)).await?;
    done(api, "the password is changed, and all sessions have ended")?;
    if file.is_none() {
        // Not in what a program keeps of the answer.
        hint(&format!("password {password}"));
    }
    Ok(())
}

async fn totp(api: &Api, command: Totp) -> anyhow::Result<()> {
    let path = |verb| ["account", "totp", verb];
    match command {
        Totp::Begin => {
            let answer = api.call(Method::POST, &["account", "totp"], None).await?;
            show(api, &answer, |o: Offer| {
                fields(&[("secret", o.secret), ("url", o.url), ("offer", o.offer)])
            })
        }
        Totp::Confirm { offer, code, proof } => {
            let body = json!({ "offer": offer, "code": code, "password": proof.password()? });
            api.call(Method::POST, &path("confirm"), Some(&body)).await?;
            done(api, "from now on each log-in asks for a code")
        }
        Totp::Remove { proof } => {
            let body = json!({ "password": proof.password()? });
            api.call(Method::POST, &path("remove"), Some(&body)).await?;
            done(api, "the second factor is gone")
        }
    }
}

async fn tokens(api: &Api, command: OwnTokens) -> anyhow::Result<()> {
    let path = ["account", "tokens"];
    match command {
        OwnTokens::List => list_tokens(api, &path).await,
        OwnTokens::Create { name, scope, days, proof } => {
            let end = days.map(|days| muster::clock::now() + TimeDelta::days(i64::from(days)));
            let password = proof.password()?;
            let body = json!({
                "name": name, "scopes": scope, "expires_at": end, "password": password,
            });
            show_made(api, &api.call(Method::POST, &path, Some(&body)).await?)
        }
        OwnTokens::Revoke { token_id } => {
            api.delete(&["account", "tokens", &token_id.to_string()], &[]).await?;
            done(api, &format!("{token_id} is revoked"))
        }
    }
}

/// A merge patch of what was said, where an empty word is null; `None` = nothing was.
fn wished(words: [(&str, Option<String>); 2]) -> Option<Value> {
    let said = words.into_iter().filter_map(|(name, word)| {
        let word = word?;
        let value = if word.is_empty() { Value::Null } else { Value::from(word) };
        Some((name.to_owned(), value))
    });
    let said: serde_json::Map<String, Value> = said.collect();
    (!said.is_empty()).then_some(Value::Object(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_word_takes_a_preference_back() {
        let word = |word: &str| Some(word.to_owned());
        assert_eq!(wished([("theme", None), ("time_zone", None)]), None);
        let wish = wished([("theme", word("dark")), ("time_zone", word(""))]);
        assert_eq!(wish, Some(json!({ "theme": "dark", "time_zone": null })));
    }
}
