//! `muster user`: people who log in, from the server's own console. It rescues an installation whose
//! administrators cannot log in any more.

use anyhow::Context;
use clap::Subcommand;
use muster::access::user::{GrantFields, UserFields};
use muster::config::Config;
use muster::ctx::{App, Ctx};
use muster::fleet::secret::new_password;
use muster::service::roles;
use muster::service::users::{self, Person};

use super::console::{told, with_app};

/// Users read at once.
const PAGE: i64 = 1_000;

/// `muster user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// List users with their roles.
    List,
    /// Make a user and print the password, once; it must be changed at the first log-in.
    Create {
        /// What they log in as.
        login: String,
        /// What they may do, everywhere: the name of a role.
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Their name.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
    /// Give a user a new password and print it, once; it must be changed at the next log-in.
    Password {
        /// What they log in as.
        login: String,
        /// Also take their second factor away.
        #[arg(long)]
        remove_totp: bool,
    },
    /// Log a user out and let them in no more.
    Disable {
        /// What they log in as.
        login: String,
    },
    /// Let a user in again.
    Enable {
        /// What they log in as.
        login: String,
    },
}

/// Runs `muster user`.
pub async fn user(config: Config, command: User) -> anyhow::Result<()> {
    with_app(config, async |app, ctx| run(app, ctx, command).await).await
}

async fn run(app: &App, ctx: &Ctx, command: User) -> anyhow::Result<()> {
    match command {
        User::List => list(app, ctx).await?,
        User::Create { login, role, display_name } => {
            let roles = roles::list(app, ctx).await.map_err(told)?;
            let role = roles.iter().find(|r| r.name == role).with_context(|| {
                let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
                format!("no role `{role}`: there are {}", names.join(", "))
            })?;
            let grant = GrantFields { role_id: role.role_id, site_id: None, group_id: None };
            let fields = UserFields { display_name, disabled: None, grants: Some(vec![grant]) };
            let password = new_password();
            users::create(app, ctx, &login, Some(password.clone()), fields).await.map_err(told)?;
            println!("{password}");
        }
        User::Password { login, remove_totp } => {
            let person = users::named(app, ctx, &login).await.map_err(told)?;
            let user_id = person.user.user_id;
            let password = new_password();
            users::set_password(app, ctx, user_id, password.clone()).await.map_err(told)?;
            if remove_totp && person.user.has_totp {
                users::remove_totp(app, ctx, user_id).await.map_err(told)?;
            }
            println!("{password}");
        }
        User::Disable { login } => {
            set_disabled(app, ctx, &login, true).await?;
            println!("disabled");
        }
        User::Enable { login } => {
            set_disabled(app, ctx, &login, false).await?;
            println!("enabled");
        }
    }
    Ok(())
}

async fn set_disabled(app: &App, ctx: &Ctx, login: &str, disabled: bool) -> anyhow::Result<()> {
    let person = users::named(app, ctx, login).await.map_err(told)?;
    let patch = |fields: UserFields| Ok(UserFields { disabled: Some(disabled), ..fields });
    users::change(app, ctx, person.user.user_id, |_| Ok(()), patch).await.map_err(told)?;
    Ok(())
}

async fn list(app: &App, ctx: &Ctx) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = users::list(app, ctx, after.as_deref(), PAGE).await.map_err(told)?;
        for person in &page {
            println!("{}", line(person));
        }
        match page.last() {
            Some(last) if page.len() as i64 == PAGE => after = Some(last.user.login.clone()),
            Some(_) | None => return Ok(()),
        }
    }
}

fn line(person: &Person) -> String {
    let user = &person.user;
    let grants: Vec<String> = person
        .grants
        .iter()
        .map(|g| match (&g.site, &g.group) {
            (Some(site), _) => format!("{}@{site}", g.role),
            (None, Some(group)) => format!("{}@group:{group}", g.role),
            (None, None) => g.role.clone(),
        })
        .collect();
    let roles = if grants.is_empty() { "no role".to_owned() } else { grants.join(",") };
    let state = match (user.disabled_at, user.last_login_at) {
        (Some(at), _) => format!("disabled {}", at.format("%F %R")),
        (None, Some(at)) => format!("last in {}", at.format("%F %R")),
        (None, None) => "never in".to_owned(),
    };
    format!("{}  {roles}  {state}", user.login)
}
