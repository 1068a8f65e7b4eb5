//! One decision about one board: everything that it depends on is read anew, asked of the [`policy`],
//! and what the board gets is prepared.
//!
//! Owns that each decision is a fresh one: what somebody said a moment ago of the bench, the claim or
//! the board counts. It never sends anything.

mod parts;
mod rate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use muster_netboot::board::{Gives, Kind};
use muster_netboot::mac::Mac;
use muster_netboot::profile::Profile;
use muster_routeros::arch::Arch;
use uuid::Uuid;

use super::arming::{Arming, Install};
use super::bench::Bench;
use super::images::{self, Library};
use super::policy::{self, Armed, By, Facts, Grant, Refusal, Served, What};
use super::prepare::{self, Prepared, Stop, Subject};
use crate::clock;
use crate::ctx::Shared;
use crate::error::Error;
use crate::fleet::variables::Variables;
use crate::store::bench::{self as store, BoardRow};
use crate::store::claims::Claim;
use rate::Rate;

pub use parts::{Asks, Decision, Gift, Given, Question, Reading, Stored};

/// Attempts where something fails, and the pause between two: a board in flash-boot mode asks for some
/// two seconds.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(150);
/// While the renderers or the database have no time for it, it is tried for so long.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Decides for one bench.
pub struct Decider {
    app: Shared,
    bench: Bench,
    library: Arc<Library>,
    rate: Mutex<Rate>,
}

impl Decider {
    /// For this bench; the library may be shared with others.
    pub fn new(app: Shared, bench: Bench, library: Arc<Library>) -> Self {
        Self { app, bench, library, rate: Mutex::default() }
    }

    /// Decides. Where that fails again and again the board is refused for now; what was read of it
    /// counts all the same.
    pub async fn decide(&self, question: Question, profiles: &[Profile]) -> Decision {
        let (began, mut attempt, mut known) = (Instant::now(), 1, None);
        let outcome = loop {
            match self.attempt(&question, &mut known, profiles, clock::now()).await {
                Ok(outcome) => break outcome,
                Err(e) if is_over(&e, attempt, began.elapsed()) => {
                    let mac = question.mac;
                    tracing::error!(board.mac = %mac, "it could not be decided: {}", e.private());
                    let words = format!("it could not be decided, and is tried again: {e}");
                    break Err(Refusal::new("undecided", words));
                }
                Err(_) => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let (row, claim) = known.map_or((Stored::Unknown, None), Known::stored);
        Decision { question, row, claim, outcome }
    }

    /// One attempt; leaves in `known` what it has read.
    async fn attempt(
        &self,
        question: &Question,
        known: &mut Option<Known>,
        profiles: &[Profile],
        now: DateTime<Utc>,
    ) -> Result<Result<Given, Refusal>, Error> {
        let known = self.read(question, known).await?;
        let (grant, served) = match self.granted(question, known, profiles, now).await? {
            Ok(granted) => granted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if known.is_elsewhere(self.bench.bench_id, now) {
            return Ok(Err(policy::elsewhere()));
        }
        let given = match self.given(question, known, grant, served).await {
            Ok(given) => given,
            Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
            Err(Stop::Failed(error)) => return Err(error),
        };
        // Only now: one that there is nothing for takes no turn, and no other's place.
        if !self.take_turn(question.mac, now).await? {
            return Ok(Err(policy::elsewhere()));
        }
        let counts = known.armed.as_ref().filter(|_| grant.by == By::Any);
        let spent = counts.and_then(|(arming, _)| self.spent(question.mac, arming, now));
        if let Some(refusal) = spent {
            let mac = question.mac.to_string();
            store::end_turn(&self.app.pool, &mac, self.bench.bench_id).await?;
            return Ok(Err(refusal));
        }
        Ok(Ok(given))
    }

    /// Reads what is stored at this moment.
    async fn read<'k>(
        &self,
        question: &Question,
        known: &'k mut Option<Known>,
    ) -> Result<&'k Known, Error> {
        let pool = &self.app.pool;
        let mac = question.mac.to_string();
        let known = known.insert(Known::of(store::load_board(pool, &mac).await?));
        known.claim = store::claim_for(pool, &mac).await?;
        known.named = known.claim.as_ref().map(|claim| (claim.claim_id, claim.site.clone()));
        if let Some(taken_at) = known.claim.as_ref().and_then(taken_at) {
            let rearmed_at = store::rearmed_at(pool, &mac).await?;
            known.taken = rearmed_at.is_none_or(|at| at <= taken_at);
        }
        known.armed = self.armed().await?;
        Ok(known)
    }

    /// Whether this bench is the one to serve it, for a while; false = another one is. Of those that hear
    /// it at once just one is told so.
    async fn take_turn(&self, mac: Mac, now: DateTime<Utc>) -> Result<bool, Error> {
        let (mac, until) = (mac.to_string(), now + store::TURN);
        Ok(store::take_turn(&self.app.pool, &mac, self.bench.bench_id, now, until).await?)
    }

    /// Why one that nobody named is not served, although it could be; `None` = it is one of this minute.
    fn spent(&self, mac: Mac, arming: &Arming, now: DateTime<Utc>) -> Option<Refusal> {
        let is_taken = self.rate().take(mac, arming.any_per_minute, now);
        (!is_taken).then(|| policy::spent(arming))
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what the bench is armed at this moment.
    async fn armed(&self) -> Result<Option<(Arming, DateTime<Utc>)>, Error> {
        let app = &self.app;
        let all = store::armings(&app.pool, &self.bench.host).await?;
        let own = all.into_iter().find(|armed| armed.bench_id == self.bench.bench_id);
        // What was armed is another interface than this one.
        let Some(own) = own.filter(|own| own.is_for(own.mac.as_deref())) else { return Ok(None) };
        let (Some(until), Some(stored)) = (own.armed_until, own.arming) else { return Ok(None) };
        Ok(Some((Arming::opened(&stored, &app.keys, self.bench.bench_id)?, until)))
    }

    /// Whether it is served, and by which profile.
    async fn granted<'p>(
        &self,
        question: &Question,
        known: &Known,
        profiles: &'p [Profile],
        now: DateTime<Utc>,
    ) -> Result<Result<(Grant, Option<&'p Profile>), Refusal>, Error> {
        let pool = &self.app.pool;
        let mac = question.mac.to_string();
        let claimed = known.claim.is_some();
        let board_id = known.board_id(question);
        let allowed = !claimed && store::allowed_for(pool, &mac, board_id).await?.is_some();
        let arming = known.armed.as_ref().map(|(arming, _)| arming);
        let profile = arming.and_then(|a| profiles.iter().find(|p| p.name == a.profile));
        let (kind, arch, matches) = match &question.asks {
            Asks::Boot { request, kind, said } => {
                (*kind, said.arch, profile.is_some_and(|profile| profile.matches(request)))
            }
            Asks::Install(announcement) => {
                let arch = announcement.arch.parse::<Arch>().map(Arch::word).unwrap_or_default();
                (Kind::Etherboot { arch }, Some(arch), false)
            }
        };
        let most = arming.map_or(0, |arming| arming.any_per_minute);
        let facts = Facts {
            now,
            kind,
            arch,
            announced: matches!(question.asks, Asks::Install(_)),
            armed: known.armed.as_ref().map(|(arming, until)| Armed { arming, until: *until }),
            served: profile.map(|profile| Served { profile, matches }),
            claimed,
            allowed,
            serial_only: false,
            any_spent: self.rate().is_spent(question.mac, most, now),
            done: known.row.as_ref().is_some_and(|row| row.done),
            taken: known.taken,
            install_until: known.row.as_ref().and_then(|row| row.install_until),
        };
        let mut decided = policy::decide(&facts);
        // Looked up only for those of whom it is worth a word.
        if decided.as_ref().is_err_and(|refusal| refusal.code == policy::NOT_CLAIMED)
            && store::serial_only_claims(pool).await?
        {
            decided = policy::decide(&Facts { serial_only: true, ..facts });
        }
        Ok(decided.map(|grant| (grant, profile)))
    }

    /// What it gets.
    async fn given(
        &self,
        question: &Question,
        known: &Known,
        grant: Grant,
        profile: Option<&Profile>,
    ) -> Result<Given, Stop> {
        let Some((arming, _)) = &known.armed else {
            return Err(Refusal::new("disarmed", "the bench is not armed").into());
        };
        let (script, gift) = match grant.what {
            What::Script => self.script(question, known, arming, profile).await?,
            What::Redirect => (None, redirect(profile)?),
            What::Image => {
                let class = match &question.asks {
                    Asks::Boot { said, .. } => said.vendor_class.as_deref(),
                    Asks::Install(_) => None,
                };
                let (name, content) = images::boot_image(&self.app, &self.library, class).await?;
                let reading = Reading::default();
                (None, Gift::File { gives: Gives::Image, name, content, reading })
            }
            What::Install => self.install(question, known, arming).await?,
        };
        let served = profile.filter(|_| matches!(grant.what, What::Script | What::Redirect));
        Ok(Given {
            by: grant.by,
            profile: served.map(|profile| profile.name.clone()),
            profile_status: served.map(|profile| profile.status.to_string()),
            strategy: arming.strategy.to_string(),
            script,
            gift,
        })
    }

    async fn script(
        &self,
        question: &Question,
        known: &Known,
        arming: &Arming,
        profile: Option<&Profile>,
    ) -> Result<(Option<Prepared>, Gift), Stop> {
        let profile = profile.ok_or_else(no_profile)?;
        let subject = known.subject(question);
        let (content, prepared) = prepare::file(&self.app, subject, arming, profile).await?;
        let (name, reading) = (profile.reply.boot_file.clone(), Reading::of(profile));
        Ok((Some(prepared), Gift::File { gives: Gives::Script, name, content, reading }))
    }

    async fn install(
        &self,
        question: &Question,
        known: &Known,
        arming: &Arming,
    ) -> Result<(Option<Prepared>, Gift), Stop> {
        let named = known.row.as_ref().and_then(|row| row.install.clone().zip(row.install_until));
        let (Some((stored, until)), Asks::Install(announcement)) = (named, &question.asks) else {
            let words = "it is not armed for an installation";
            return Err(Refusal::new("not_armed_for_install", words).into());
        };
        let install: Install = serde_json::from_value(stored.clone())
            .map_err(|e| Error::Internal(format!("for what a board is armed: {e}")))?;
        let over: &Variables = &arming.variables;
        let script = match &install.template {
            Some(template) => {
                let subject = known.subject(question);
                Some(prepare::script(&self.app, subject, (template, None), over).await?)
            }
            None => None,
        };
        let text = script.as_ref().map(|prepared| prepared.script.as_str());
        let (files, warnings) =
            images::files(&self.app, &self.library, &install, announcement, text).await?;
        Ok((script, Gift::Files { files, warnings, install: stored, until }))
    }
}

/// What was read for one decision.
struct Known {
    row: Option<BoardRow>,
    /// The claim that names it, and the site of that: as it was stored, until it is read.
    named: Option<(Uuid, Option<String>)>,
    claim: Option<Claim>,
    /// A device has taken that, and nobody has re-armed the board since.
    taken: bool,
    armed: Option<(Arming, DateTime<Utc>)>,
}

impl Known {
    /// The board alone was read.
    fn of(row: Option<BoardRow>) -> Self {
        let named = row.as_ref().and_then(|row| Some((row.claim_id?, row.site.clone())));
        Self { row, named, claim: None, taken: false, armed: None }
    }

    /// What a decision tells of it.
    fn stored(self) -> (Stored, Option<(Uuid, Option<String>)>) {
        (self.row.map_or(Stored::Nothing, |row| Stored::Row(Box::new(row))), self.named)
    }

    /// Whether another bench is about to serve it, as far as is stored.
    fn is_elsewhere(&self, bench_id: Uuid, now: DateTime<Utc>) -> bool {
        self.row.as_ref().is_some_and(|row| {
            row.bench_id != bench_id && store::is_served(&row.state, row.updated_at, now)
        })
    }

    /// What the board calls itself: now, or before its boot image ran.
    fn board_id<'a>(&'a self, question: &'a Question) -> Option<&'a str> {
        match &question.asks {
            Asks::Boot { said, .. } if said.board_id.is_some() => said.board_id.as_deref(),
            Asks::Boot { .. } | Asks::Install(_) => self.row.as_ref()?.board_id.as_deref(),
        }
    }

    fn subject<'a>(&'a self, question: &'a Question) -> Subject<'a> {
        let row = self.row.as_ref();
        let (free, arch) = match &question.asks {
            Asks::Boot { said, .. } => (said.free, said.arch),
            Asks::Install(announcement) => (None, Some(announcement.arch.as_str())),
        };
        Subject {
            mac: question.mac,
            board_id: self.board_id(question),
            free,
            arch: arch.or_else(|| row.and_then(|row| row.arch.as_deref())),
            claim: self.claim.as_ref(),
        }
    }
}

/// When a device took a claim.
fn taken_at(claim: &Claim) -> Option<DateTime<Utc>> {
    claim.taken_at.filter(|_| claim.device_id.is_some())
}

/// Whether it is not tried again.
fn is_over(error: &Error, attempt: u32, since: Duration) -> bool {
    match error {
        Error::Busy(_) => since >= PATIENCE,
        _ => attempt >= ATTEMPTS,
    }
}

fn redirect(profile: Option<&Profile>) -> Result<Gift, Refusal> {
    let profile = profile.ok_or_else(no_profile)?;
    let redirect = profile.redirect.as_ref().ok_or_else(no_profile)?;
    let (name, reading) = (profile.reply.boot_file.clone(), Reading::of(profile));
    let content = redirect.payload.as_slice().into();
    Ok(Gift::File { gives: Gives::Redirect, name, content, reading })
}

fn no_profile() -> Refusal {
    Refusal::new("no_profile", "the profile that the bench is armed with is gone: arm it anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_is_asked_for_as_long_as_the_board_waits() {
        let busy = Error::Busy(String::new());
        assert!(!is_over(&busy, 9, Duration::from_millis(1_400)));
        assert!(is_over(&busy, 9, PATIENCE));
        let broken = Error::Internal(String::new());
        assert!(!is_over(&broken, ATTEMPTS - 1, PATIENCE) && is_over(&broken, ATTEMPTS, PAUSE));
    }

    #[test]
    fn what_was_read_of_a_board_counts_where_nothing_could_be_decided() {
        let (claim_id, site) = (Uuid::from_u128(7), Some("eu.berlin".to_owned()));
        let at = DateTime::UNIX_EPOCH;
        let mut row = crate::netboot::record::fresh(muster_netboot::mac::Mac::ZERO, claim_id, at);
        (row.claim_id, row.site) = (Some(claim_id), site.clone());
        let (stored, claim) = Known::of(Some(row)).stored();
        assert!(matches!(stored, Stored::Row(_)));
        assert_eq!(claim, Some((claim_id, site)));
        assert!(matches!(Known::of(None).stored(), (Stored::Nothing, None)));
    }

    #[test]
    fn a_board_is_elsewhere_while_another_bench_is_about_to_serve_it() {
        let (here, there) = (Uuid::from_u128(7), Uuid::from_u128(8));
        let at = DateTime::UNIX_EPOCH;
        let known = |state: &str| {
            let mut row = crate::netboot::record::fresh(Mac::ZERO, there, at);
            state.clone_into(&mut row.state);
            Known::of(Some(row))
        };
        assert!(known("transferring").is_elsewhere(here, at));
        assert!(!known("transferring").is_elsewhere(there, at));
        assert!(!known("transferring").is_elsewhere(here, at + store::TURN));
        assert!(!known("failed").is_elsewhere(here, at) && !Known::of(None).is_elsewhere(here, at));
    }

    #[test]
    fn a_redirect_is_what_the_profile_says_and_no_other_bytes() {
        let profile = &muster_netboot::profile::builtin()[0];
        let Ok(Gift::File { gives, content, .. }) = redirect(Some(profile)) else {
            panic!("the profile has one")
        };
        assert_eq!((gives, &content[..]), (Gives::Redirect, b"doEB".as_slice()));
        let without = Profile { redirect: None, ..profile.clone() };
        assert!(redirect(Some(&without)).is_err() && redirect(None).is_err());
    }
}
