//! `muster users`. People are named by their logins; the API knows them by ids.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use muster::fleet::secret::new_password;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{Api, List, Page, Span};
use super::output::{clean, done, fields, hint, joined, list, maybe, maybe_time, show, yes};
use super::{groups, roles, sites};

/// `muster users`
#[derive(Debug, Subcommand)]
pub enum Users {
    /// List people, by login.
    List {
        #[command(flatten)]
        span: Span,
    },
    /// Make a user, and show the password, once, if it was made up here.
    Create {
        /// What they log in with.
        login: String,
        /// Their name.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// What they may do: a role, everywhere, at a site and below, or for the devices of a group;
        /// may be repeated.
        #[arg(long, value_name = "ROLE[@SITE|@group:NAME]")]
        grant: Vec<RoleAt>,
        /// File whose first line is the password; - is standard input. Made up when absent.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// None: they log in by single sign-on only.
        #[arg(long, conflicts_with = "password_file")]
        no_password: bool,
    },
    /// Change how a user is called.
    Change {
        /// Their login.
        login: String,
        /// Their name.
        #[arg(long, value_name = "NAME")]
        display_name: String,
    },
    /// Give a user another password, and end all their sessions. It is shown, once, if it was made
    /// up here.
    Password {
        /// Their login.
        login: String,
        /// File whose first line is the password; - is standard input. Made up when absent.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Take away the second factor of a user who lost it.
    RemoveTotp {
        /// Their login.
        login: String,
    },
    /// Remove a user; what they did stays in the audit log.
    Delete {
        /// Their login.
        login: String,
    },
    /// Shut a user out, at once.
    Disable {
        /// Their login.
        login: String,
    },
    /// Let a user in again.
    Enable {
        /// Their login.
        login: String,
    },
    /// Give a user roles.
    Grant {
        /// Their login.
        login: String,
        /// A role, everywhere, at a site and below, or for the devices of a group.
        #[arg(required = true, value_name = "ROLE[@SITE|@group:NAME]")]
        roles: Vec<RoleAt>,
        /// These and no others.
        #[arg(long)]
        only: bool,
    },
    /// End all sessions of a user.
    RevokeSessions {
        /// Their login.
        login: String,
    },
}

/// A role at a site and below, for the devices of a group, or everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleAt {
    role: String,
    site: Option<String>,
    group: Option<String>,
}

/// What stands before the name of a group.
const GROUP: &str = "@group:";

impl std::str::FromStr for RoleAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A group may have any name, also one with an `@`.
        let (role, site, group) = match (text.split_once(GROUP), text.rsplit_once('@')) {
            (Some((role, group)), _) => (role, None, Some(group.to_owned())),
            (None, Some((role, site))) => (role, Some(site.to_owned()), None),
            (None, None) => (text, None, None),
        };
        if role.is_empty() || [&site, &group].into_iter().any(|at| at.as_deref() == Some("")) {
            let why = "a role, a role and a site as in operator@eu.lv, or a role and a group as in \
                       operator@group:vip";
            return Err(why.to_owned());
        }
        Ok(Self { role: role.to_owned(), site, group })
    }
}

#[derive(Debug, Deserialize)]
struct User {
    user_id: Uuid,
    login: String,
    display_name: String,
    disabled: bool,
    last_login_at: Option<DateTime<Utc>>,
    grants: Vec<Grant>,
}

#[derive(Debug, Deserialize)]
struct Grant {
    role_id: Uuid,
    role: String,
    site_id: Option<Uuid>,
    site: Option<String>,
    group_id: Option<Uuid>,
    group: Option<String>,
}

impl Grant {
    fn text(&self) -> String {
        match (&self.site, &self.group) {
            (Some(site), _) => format!("{}@{site}", self.role),
            (None, Some(group)) => format!("{}{GROUP}{group}", self.role),
            (None, None) => self.role.clone(),
        }
    }
}

/// Of a new user, who changes it at the first log-in.
enum Password {
    Given(String),
    MadeUp(String),
    None,
}

#[derive(Debug, Deserialize)]
struct Session {
    session_id: Uuid,
}

pub(super) async fn run(api: &Api, command: Users) -> anyhow::Result<()> {
    match command {
        Users::List { span } => {
            let header = ["login", "display_name", "grants", "disabled", "last_login_at"];
            list(api, &all(), &span, &header, row).await
        }
        Users::Create { login, display_name, grant, password_file, no_password } => {
            let password = match password_file {
                Some(file) => Password::Given(first_line(&file)?),
                None if no_password => Password::None,
                None => Password::MadeUp(new_password()),
            };
            create(api, &login, display_name, &grant, &password).await
        }
        Users::Change { login, display_name } => {
            change(api, &login, &json!({ "display_name": display_name })).await
        }
        Users::Password { login, password_file } => {
            set_password(api, &login, password_file.as_deref()).await
        }
        Users::RemoveTotp { login } => {
            let id = find(api, &login).await?.user_id.to_string();
            api.delete(&["users", &id, "totp"], &[]).await?;
            done(api, &format!("{login} logs in without a second factor"))
        }
        Users::Delete { login } => {
            let id = find(api, &login).await?.user_id.to_string();
            api.delete(&["users", &id], &[]).await?;
            done(api, &format!("{login} is removed"))
        }
        Users::Disable { login } => change(api, &login, &json!({ "disabled": true })).await,
        Users::Enable { login } => change(api, &login, &json!({ "disabled": false })).await,
        Users::Grant { login, roles, only } => grant(api, &login, &roles, only).await,
        Users::RevokeSessions { login } => revoke_sessions(api, &login).await,
    }
}

fn all() -> List<'static> {
    List { path: vec!["users"], query: Vec::new(), cursor: "after" }
}

fn granted(grants: &[Grant]) -> String {
    joined(&grants.iter().map(Grant::text).collect::<Vec<_>>())
}

fn row(u: User) -> Vec<String> {
    let disabled = yes(u.disabled);
    let name = maybe(Some(u.display_name));
    vec![u.login, name, granted(&u.grants), disabled, maybe_time(u.last_login_at)]
}

fn view(u: User) -> String {
    fields(&[
        ("user_id", u.user_id.to_string()),
        ("login", u.login),
        ("display_name", maybe(Some(u.display_name))),
        ("grants", granted(&u.grants)),
        ("disabled", yes(u.disabled)),
    ])
}

async fn find(api: &Api, login: &str) -> anyhow::Result<User> {
    // As the server compares them.
    let wanted = login.to_lowercase();
    let found = api.find(&all(), |user: &User| user.login.to_lowercase() == wanted).await?;
    found.with_context(|| format!("no user {}", clean(login)))
}

async fn create(
    api: &Api,
    login: &str,
    display_name: Option<String>,
    grants: &[RoleAt],
    password: &Password,
) -> anyhow::Result<()> {
    let text = match password {
        Password::Given(text) | Password::MadeUp(text) => Some(text),
        Password::None => None,
    };
    let body = json!({
        "login": login,
        "display_name": display_name,
        "password": text,
        "grants": resolved(api, grants).await?,
    });
    let answer = api.call(Method::POST, &["users"], Some(&body)).await?;
    show(api, &answer, view)?;
    if let Password::MadeUp(text) = password {
        // Not in what a program keeps of the answer.
        hint(&format!("password {text}"));
    }
    Ok(())
}

/// The grants as the API takes them.
async fn resolved(api: &Api, grants: &[RoleAt]) -> anyhow::Result<Vec<Value>> {
    let mut resolved = Vec::new();
    for grant in grants {
        let role_id = roles::id_of(api, &grant.role).await?;
        let site_id = match &grant.site {
            Some(path) => Some(sites::id_of(api, path).await?),
            None => None,
        };
        let group_id = match &grant.group {
            Some(name) => Some(groups::id_of(api, name).await?),
            None => None,
        };
        resolved.push(json!({ "role_id": role_id, "site_id": site_id, "group_id": group_id }));
    }
    Ok(resolved)
}

async fn change(api: &Api, login: &str, patch: &Value) -> anyhow::Result<()> {
    let id = find(api, login).await?.user_id.to_string();
    show(api, &api.call(Method::PATCH, &["users", &id], Some(patch)).await?, view)
}

async fn grant(api: &Api, login: &str, roles: &[RoleAt], only: bool) -> anyhow::Result<()> {
    let user = find(api, login).await?;
    let mut grants = Vec::new();
    if !only {
        let had = |g: &Grant| json!({ "role_id": g.role_id, "site_id": g.site_id, "group_id": g.group_id });
        grants.extend(user.grants.iter().map(had));
    }
    for grant in resolved(api, roles).await? {
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    let id = user.user_id.to_string();
    let patch = json!({ "grants": grants });
    show(api, &api.call(Method::PATCH, &["users", &id], Some(&patch)).await?, view)
}

async fn revoke_sessions(api: &Api, login: &str) -> anyhow::Result<()> {
    let id = find(api, login).await?.user_id.to_string();
    let sessions: Page<Session> = api.get(&["users", &id, "sessions"], &[]).await?.read()?;
    for session in &sessions.items {
        api.delete(&["users", &id, "sessions", &session.session_id.to_string()], &[]).await?;
    }
    done(api, &format!("{} sessions of {login} are ended", sessions.items.len()))
}

async fn set_password(api: &Api, login: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let id = find(api, login).await?.user_id.to_string();
    let password = match file {
        Some(file) => first_line(file)?,
        None => new_password(),
    };
    let body = json!({ "password": password });
    api.call(Method::PUT, &["users", &id, "password"], Some(&body)).await?;
    done(api, &format!("{login} has another password, to be changed at the next log-in"))?;
    if file.is_none() {
        // Not in what a program keeps of the answer.
        hint(&format!("password {password}"));
    }
    Ok(())
}

/// A password in a file, or on standard input.
pub(super) fn first_line(file: &Path) -> anyhow::Result<String> {
    let place = || file.display().to_string();
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).with_context(place)?;
    } else {
        text = std::fs::read_to_string(file).with_context(place)?;
    }
    let line = text.lines().next().unwrap_or_default();
    ensure!(!line.is_empty(), "{}: the first line is the password", place());
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_role_is_granted_everywhere_at_a_site_or_for_a_group() {
        let parse = |text: &str| text.parse::<RoleAt>();
        let everywhere = RoleAt { role: "viewer".to_owned(), site: None, group: None };
        assert_eq!(parse("viewer").unwrap(), everywhere);
        let at = parse("night shift@eu.lv").unwrap();
        assert_eq!((at.role.as_str(), at.site.as_deref()), ("night shift", Some("eu.lv")));
        let of = parse("night shift@group:vip @ home").unwrap();
        assert_eq!(
            (of.role.as_str(), of.site, of.group.as_deref()),
            ("night shift", None, Some("vip @ home"))
        );
        for bad in ["", "@", "@eu", "viewer@", "viewer@group:", "@group:vip"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "correct horse \nmore\n").unwrap();
        assert_eq!(first_line(&file).unwrap(), "correct horse ");
        std::fs::write(&file, "\n").unwrap();
        assert!(first_line(&file).is_err());
    }
}
