//! Who is served. Pure: everything that is looked at is in [`Facts`].
//!
//! Owns the default: nobody. What is served was claimed or allowed by what stands on the wire, which is
//! the MAC address and the identifier of the board, or somebody has armed for any board, for a while.
//! It must never let a board be formatted that was not armed for that by its name.

use chrono::{DateTime, Utc};
use muster_netboot::board::Kind;
use muster_netboot::profile::{Profile, Status, Strategy};

use super::arming::Arming;

/// The code of a board that had its delivery.
pub const HAD_IT: &str = "done";
/// The code of a board that has started, and is a device by now.
pub const TAKEN: &str = "taken";
/// The code of a board that nobody named.
pub const NOT_CLAIMED: &str = "not_claimed";

/// Why a board gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub words: String,
}

impl Refusal {
    /// One with this code and these words.
    pub fn new(code: &'static str, words: impl Into<String>) -> Self {
        Self { code, words: words.into() }
    }
}

/// What somebody has armed the bench for.
#[derive(Debug, Clone, Copy)]
pub struct Armed<'a> {
    /// For what.
    pub arming: &'a Arming,
    /// Until then.
    pub until: DateTime<Utc>,
}

/// How the profile that the bench is armed with stands to the board.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Whether it is for boards that ask like this one.
    pub matches: bool,
}

/// What decides whether a board is served, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Now.
    pub now: DateTime<Utc>,
    /// What mode it is in.
    pub kind: Kind,
    /// The architecture that its boot loader names.
    pub arch: Option<&'a str>,
    /// It runs its boot image, and asks for its installation.
    pub announced: bool,
    /// `None` = nobody has armed the bench.
    pub armed: Option<Armed<'a>>,
    /// `None` = the profile that the bench is armed with is gone.
    pub served: Option<Served<'a>>,
    /// There is a claim with its MAC address.
    pub claimed: bool,
    /// Its MAC address, its maker or its identifier is on the list of those that are allowed.
    pub allowed: bool,
    /// There are open claims that name a serial number alone.
    pub serial_only: bool,
    /// As many boards that nobody named were served within a minute as may be.
    pub any_spent: bool,
    /// It had its delivery.
    pub done: bool,
    /// A device has taken its claim since somebody said last that it is served once more.
    pub taken: bool,
    /// It is armed for an installation until then.
    pub install_until: Option<DateTime<Utc>>,
}

/// By what a board is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A claim has its MAC address.
    Claim,
    /// It is on the list of those that are allowed.
    Allowed,
    /// Any board is served.
    Any,
}

impl By {
    /// The word in its log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Allowed => "allowed",
            Self::Any => "any",
        }
    }
}

/// What a board gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Its script.
    Script,
    /// The word that sends it into Etherboot mode.
    Redirect,
    /// The boot image of its architecture.
    Image,
    /// Its installation, which formats it.
    Install,
}

/// That a board is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// By what.
    pub by: By,
    /// With what.
    pub what: What,
}

/// Decides.
///
/// # Errors
/// Why the board gets nothing.
pub fn decide(facts: &Facts<'_>) -> Result<Grant, Refusal> {
    let Some(armed) = facts.armed.filter(|armed| armed.until > facts.now) else {
        return Err(Refusal::new("disarmed", "the bench is not armed: nothing is sent on it"));
    };
    check_had_it(facts)?;
    check_kind(facts, armed.arming)?;
    // Whether it is one of those that are served comes first: of a stranger nothing else is said.
    let by = named(facts, armed.arming)?;
    let what = what(facts, armed.arming)?;
    // The last question, for its answer costs one of so many a minute.
    if by == By::Any && facts.any_spent {
        return Err(spent(armed.arming));
    }
    Ok(Grant { by, what })
}

/// Another bench hears it, too, and was first.
pub fn elsewhere() -> Refusal {
    let words = "another bench serves it at the moment: that is where it gets what it asks for";
    Refusal::new("elsewhere", words)
}

/// As many boards that nobody named were served within a minute as may be.
pub fn spent(arming: &Arming) -> Refusal {
    let words = format!(
        "{} boards that nobody named were served within a minute, and more may not be: it is served \
         when it asks again",
        arming.any_per_minute
    );
    Refusal::new("rate", words)
}

fn is_for_install(facts: &Facts<'_>) -> bool {
    facts.install_until.is_some_and(|until| until > facts.now)
}

/// One that had its delivery may ask for anything, once it has started: that changes nothing of what it
/// had. Who armed it by its name for an installation has said that it is served whatever it had before.
fn check_had_it(facts: &Facts<'_>) -> Result<(), Refusal> {
    if is_for_install(facts) {
        return Ok(());
    }
    if facts.done {
        let words = "it had its delivery, and gets no other: re-arm it to serve it once more";
        return Err(Refusal::new(HAD_IT, words));
    }
    if facts.taken {
        let words = "a device has taken its claim: re-arm it to serve it once more";
        return Err(Refusal::new(TAKEN, words));
    }
    Ok(())
}

fn check_kind(facts: &Facts<'_>, arming: &Arming) -> Result<(), Refusal> {
    match facts.kind {
        Kind::Flashboot | Kind::Etherboot { .. } => Ok(()),
        Kind::Dhcp | Kind::Other if arming.dhcp => Ok(()),
        Kind::Dhcp => {
            let words = "it speaks DHCP, and the bench is not armed for that";
            Err(Refusal::new("dhcp_off", words))
        }
        Kind::Other => {
            let words = "it is no board in flash-boot or Etherboot mode: arm the bench for DHCP to \
                         serve other clients, too";
            Err(Refusal::new("wrong_kind", words))
        }
    }
}

fn named(facts: &Facts<'_>, arming: &Arming) -> Result<By, Refusal> {
    if facts.claimed {
        return Ok(By::Claim);
    }
    if facts.allowed {
        return Ok(By::Allowed);
    }
    // Any board: what else speaks BOOTP or DHCP on the segment is no board.
    if arming.any && (facts.kind == Kind::Flashboot || facts.arch.is_some()) {
        return match arming.any_until {
            Some(until) if until > facts.now => Ok(By::Any),
            Some(_) | None => {
                let words = "nobody claimed or allowed it, and the time for which any board is served \
                             is over: arm the bench again, or claim its MAC address";
                Err(Refusal::new("any_expired", words))
            }
        };
    }
    if facts.serial_only {
        let words = "no claim has its MAC address. There are claims by serial number alone: such a \
                     claim names no board on the wire, put its MAC address into the claim";
        return Err(Refusal::new("serial_only", words));
    }
    let words = "nobody claimed or allowed it: claim its MAC address, or allow it";
    Err(Refusal::new(NOT_CLAIMED, words))
}

fn what(facts: &Facts<'_>, arming: &Arming) -> Result<What, Refusal> {
    let install = is_for_install(facts);
    let boots_image = match facts.kind {
        Kind::Etherboot { .. } => true,
        Kind::Dhcp => facts.arch.is_some(),
        Kind::Flashboot | Kind::Other => false,
    };
    if facts.announced || boots_image {
        return match (install, facts.announced) {
            // Who armed it by its name has said that it is to be formatted, whatever it had before.
            (true, true) => Ok(What::Install),
            (true, false) => Ok(What::Image),
            (false, _) => Err(not_armed_for_install()),
        };
    }
    if facts.kind == Kind::Flashboot && (install || arming.strategy == Strategy::EtherbootRedirect)
    {
        return redirect(facts, install);
    }
    check_profile(facts, arming)?;
    Ok(What::Script)
}

fn redirect(facts: &Facts<'_>, install: bool) -> Result<What, Refusal> {
    if !install {
        return Err(not_armed_for_install());
    }
    match facts.served {
        Some(Served { profile, matches: true }) if profile.redirect.is_some() => Ok(What::Redirect),
        _ => {
            let words = "it is armed for an installation, and how a board like it is sent into \
                         Etherboot mode is not known: start it in that mode by its reset button";
            Err(Refusal::new("no_profile", words))
        }
    }
}

fn not_armed_for_install() -> Refusal {
    let words = "it asks for an installation, which formats it: arm it for that by its MAC address";
    Refusal::new("not_armed_for_install", words)
}

fn check_profile(facts: &Facts<'_>, arming: &Arming) -> Result<(), Refusal> {
    let Some(served) = facts.served else {
        let words = format!("the profile {} is gone: arm the bench with another", arming.profile);
        return Err(Refusal::new("no_profile", words));
    };
    // Other clients than boards match none.
    if facts.kind == Kind::Flashboot && !served.matches {
        let words = format!("the profile {} is not for boards that ask like it", arming.profile);
        return Err(Refusal::new("no_profile", words));
    }
    if served.profile.status == Status::Unverified && !arming.accept_unverified {
        let words = format!(
            "nobody has verified the profile {}: arm the bench with accept_unverified to try it",
            arming.profile
        );
        return Err(Refusal::new("no_profile", words));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
