//! What every request and task of the process shares, and who is asking.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access::grant::{Grants, Reach};
use crate::access::right::Right;
use crate::acs::registry::Sessions;
use crate::acs::transcript::Transcripts;
use crate::acs::writer::InformWriter;
use crate::config::Config;
use crate::error::Error;
use crate::files::FileStore;
use crate::files::sealed::Incoming;
use crate::fleet::credentials::Enrolment;
use crate::fleet::secret::Keys;
use crate::service::live::Live;

/// The process: built once by `boot`, then only shared.
pub struct App {
    /// Settings.
    pub config: Config,
    /// The database.
    pub pool: PgPool,
    /// The hot path's own connections to it.
    pub hot: PgPool,
    /// What seals and signs.
    pub keys: Keys,
    /// Bytes of artifacts.
    pub files: FileStore,
    /// Configurations that devices send at this moment.
    pub incoming: Incoming,
    /// This node's name, as rows show it.
    pub node: String,
    /// CWMP sessions open on this node.
    pub sessions: Sessions,
    /// The hot path's writer.
    pub informs: InformWriter,
    /// The credential with which new devices come.
    pub enrolment: Enrolment,
    /// Rings when a device is to be woken; a hint, the table is the truth.
    pub wake_hint: Notify,
    /// Wrong tokens and passwords, as this node saw them.
    pub attempts: crate::access::throttle::Attempts,
    /// Login by OpenID Connect; `None` = not set up.
    pub oidc: Option<crate::access::oidc::Provider>,
    /// How fast this node sends what rollouts download.
    pub throttle: crate::files::throttle::Throttle,
    /// Keeps what was said in sessions.
    pub transcripts: Transcripts,
    /// Renders templates.
    pub render: crate::render::Renderer,
    /// What is wanted, as it was read last.
    pub desired: crate::desired::world::Cache,
    /// How many devices this node compares in a second.
    pub pace: crate::desired::pace::Pace,
    /// Who follows what happens on this node.
    pub live: Live,
    /// Tells those who follow the benches on this node.
    pub benches: crate::service::bench::News,
    /// Cancelled when the process stops: for answers that have no end of their own.
    pub stop: CancellationToken,
}

/// Shared handle.
pub type Shared = Arc<App>;

/// What kind of somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// A person in the dashboard.
    User,
    /// A program with an API token.
    Token,
    /// A person by an API token of their own; whose it is.
    Personal(Uuid),
    /// The command line on a server of Muster's.
    Console,
    /// Muster itself.
    Muster,
    /// Somebody who has not logged in.
    Nobody,
}

impl ActorKind {
    /// The word in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token | Self::Personal(_) => "token",
            Self::Console => "console",
            Self::Muster => "muster",
            Self::Nobody => "nobody",
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// Id of the user or the token.
    pub id: Option<Uuid>,
    /// Login of the user, also where a token of theirs came; name of a program's token. It stands
    /// beside what was done.
    pub name: String,
}

impl Actor {
    /// The person who acts, in the dashboard or by a token of theirs; `None` = nobody in person.
    pub fn person(&self) -> Option<Uuid> {
        match self.kind {
            ActorKind::User => self.id,
            ActorKind::Personal(user_id) => Some(user_id),
            ActorKind::Token | ActorKind::Console | ActorKind::Muster | ActorKind::Nobody => None,
        }
    }

    /// Who it is, whether in the dashboard or by a token of their own: the person, else the token.
    pub fn whoever(&self) -> Option<Uuid> {
        self.person().or(self.id)
    }
}

/// Who asks, from where, when, and what they may: an argument of every call in `service`, which
/// asks it before anything else.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Who.
    pub actor: Actor,
    /// What they may, and where.
    pub grants: Grants,
    /// The address they came from; `None` = the command line.
    pub from: Option<IpAddr>,
    /// The time of the request.
    pub now: DateTime<Utc>,
}

impl Ctx {
    /// The command line on the server: whoever reads the key file may do everything.
    pub fn console(now: DateTime<Utc>) -> Self {
        let actor = Actor { kind: ActorKind::Console, id: None, name: "console".to_owned() };
        Self { actor, grants: Grants::all(), from: None, now }
    }

    /// Muster, acting by itself.
    pub fn muster(now: DateTime<Utc>) -> Self {
        let actor = Actor { kind: ActorKind::Muster, id: None, name: "muster".to_owned() };
        Self { actor, grants: Grants::all(), from: None, now }
    }

    /// Somebody who has not logged in: may nothing.
    pub fn nobody(name: &str, from: Option<IpAddr>, now: DateTime<Utc>) -> Self {
        let actor = Actor { kind: ActorKind::Nobody, id: None, name: name.to_owned() };
        Self { actor, grants: Grants::default(), from, now }
    }

    /// Where they may do this.
    pub fn reach(&self, right: Right) -> Reach {
        self.grants.reach(right)
    }

    /// Whether they may do this anywhere: for what a page offers.
    pub fn may(&self, right: Right) -> bool {
        !self.reach(right).is_nowhere()
    }

    /// Refuses who may do this nowhere; gives where they may.
    ///
    /// # Errors
    /// [`Error::Denied`], naming the right that is missing.
    pub fn require(&self, right: Right) -> Result<Reach, Error> {
        let reach = self.reach(right);
        if reach.is_nowhere() {
            return Err(Error::Denied(format!("this needs the right `{right}`")));
        }
        Ok(reach)
    }

    /// Refuses who may not do this everywhere: for what belongs to no site.
    ///
    /// # Errors
    /// [`Error::Denied`], naming the right that is missing.
    pub fn require_everywhere(&self, right: Right) -> Result<(), Error> {
        match self.require(right)? {
            Reach::Everywhere => Ok(()),
            Reach::Within { .. } => {
                Err(Error::Denied(format!("this needs the right `{right}` everywhere")))
            }
        }
    }

    /// Refuses who may not do this at a site. What they may not even see is for the caller to
    /// hide.
    ///
    /// # Errors
    /// [`Error::Denied`], naming the right and the site.
    pub fn require_at(&self, right: Right, site: Option<&str>) -> Result<(), Error> {
        self.require_with(right, site, &[])
    }

    /// Refuses who may not do this with a device that stands at a site and was put into these
    /// groups, in the words of [`Ctx::require_at`].
    ///
    /// # Errors
    /// [`Error::Denied`], naming the right and the site.
    pub fn require_with(
        &self,
        right: Right,
        site: Option<&str>,
        groups: &[Uuid],
    ) -> Result<(), Error> {
        if self.require(right)?.covers_device(site, groups) {
            return Ok(());
        }
        let place = site.map_or_else(|| "outside of all sites".to_owned(), |s| format!("at {s}"));
        Err(Error::Denied(format!("this needs the right `{right}` {place}")))
    }
}
