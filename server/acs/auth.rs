//! Who a device is (TR-069 3.4.4, 3.4.5): certificate, its own credential, that of its claim, or the
//! enrolment one.
//!
//! Owns the policy; the arithmetic is in `muster_cwmp::digest`. What is not proven changes nothing
//! but a counter and, once, a log line.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use muster_cwmp::digest::{
    Algorithm, Authorization, NonceState, Nonces, challenges, ha1, secrets_match,
};
use muster_cwmp::rpc::{EventCode, Inform};
use sqlx::PgPool;
use uuid::Uuid;

use super::batch::{BatchError, Batcher};
use super::noise::Noise;
use crate::clock;
use crate::config::{AuthMode, Config, IdentityMode, OfferBasic, Reenrol};
use crate::fleet::claim;
use crate::fleet::credentials::{Enrolment, REALM};
use crate::fleet::secret::Keys;
use crate::net::{ConnInfo, tls::device_cn_matches};
use crate::store::claims;
use crate::store::credentials::{self, Credentials};

/// How long a nonce may be used to open a session, in seconds. Within the session it then opened,
/// the session itself is the proof.
const NONCE_SECONDS: u64 = 120;
/// Wrong credentials of one user from one address in [`WINDOW`], before the answer is slow.
const MAX_FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// How long a guesser waits for each further answer.
const SLOW: Duration = Duration::from_secs(1);
/// Lines about wrong credentials, of the whole process.
static NOISE: Noise = Noise::new(10, Duration::from_secs(1));
/// Pairs of address and user whose failures are counted; more are a flood, and counted as one.
const MAX_COUNTED: usize = 20_000;

/// How a session was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// `acs.auth = "none"`.
    None,
    /// The enrolment credential: the device needs its own.
    Enrolment,
    /// The credential of this claim, whether or not there is one: the device needs its own.
    Claim(Uuid),
    /// Its own credential.
    Device {
        /// HA1 of that credential, if it is the first time that it was used.
        confirms: Option<String>,
    },
    /// A client certificate.
    Certificate,
}

impl Proof {
    /// The claim by whose credential it came.
    pub fn claim(&self) -> Option<Uuid> {
        match self {
            Self::Claim(claim_id) => Some(*claim_id),
            Self::None | Self::Enrolment | Self::Device { .. } | Self::Certificate => None,
        }
    }

    /// Whether it needs a credential of its own.
    pub fn enrols(&self) -> bool {
        matches!(self, Self::Enrolment | Self::Claim(_))
    }

    /// The word in `device_facts.auth`. By `certificate` admission knows that the serial number is
    /// proven.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Enrolment => "enrolment",
            Self::Claim(_) => "claim",
            Self::Device { .. } => "device",
            Self::Certificate => "certificate",
        }
    }
}

/// Why a device was not let in.
#[derive(Debug)]
pub enum Denied {
    /// 401 with these challenges.
    Challenge(Vec<String>),
    /// 403: the certificate names another device (U7).
    Forbidden(String),
    /// 503: the database does not answer.
    Unavailable(BatchError),
}

/// What a credential that was looked at is worth.
enum Judgement {
    Proven(Proof),
    /// The enrolment credential, or a claim's, from a device that has one of its own and may not enrol
    /// again.
    Knocked,
    Wrong,
}

/// What an Inform is checked against.
pub struct Request<'a> {
    /// The connection.
    pub conn: &'a ConnInfo,
    /// `Authorization`, if any.
    pub authorization: Option<&'a str>,
    /// Path of the request.
    pub path: &'a str,
    /// Who it says it is.
    pub inform: &'a Inform,
    /// Its id.
    pub device_id: Uuid,
}

/// The gate.
pub struct Authenticator {
    mode: AuthMode,
    identity: IdentityMode,
    offer_basic: OfferBasic,
    reenrol: Reenrol,
    nonces: Nonces,
    used: Mutex<Generations>,
    failures: Mutex<HashMap<(IpAddr, String), (u32, Instant)>>,
    loader: Batcher<Uuid, Option<Credentials>>,
    pool: PgPool,
    keys: Keys,
}

/// Nonces that have opened a session, in two generations of [`NONCE_SECONDS`] each, so that old
/// ones go without being looked for (U3: a replay in another session fails).
#[derive(Default)]
struct Generations {
    since: u64,
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl Authenticator {
    /// By configuration.
    pub fn new(config: &Config, keys: &Keys, pool: PgPool) -> Self {
        let db = pool.clone();
        Self {
            mode: config.acs.auth,
            identity: config.acs.identity,
            offer_basic: config.acs.offer_basic,
            reenrol: config.acs.reenrol,
            nonces: Nonces { key: keys.derive("digest nonces") },
            used: Mutex::default(),
            failures: Mutex::default(),
            loader: Batcher::start(2, move |ids| load(db.clone(), ids)),
            pool,
            keys: keys.clone(),
        }
    }

    /// Fresh challenges; `stale` = the credential was right, only the nonce was old.
    pub fn challenges(&self, conn: &ConnInfo, stale: bool) -> Vec<String> {
        let nonce = self.nonces.issue(unix_now(), rand::random());
        challenges(REALM, &nonce, "muster", stale, self.basic_offered(conn))
    }

    /// Whether anything must be proven at all.
    pub fn required(&self) -> bool {
        self.mode == AuthMode::Device
    }

    fn basic_offered(&self, conn: &ConnInfo) -> bool {
        match self.offer_basic {
            OfferBasic::Tls => conn.tls,
            OfferBasic::Always => true,
            OfferBasic::Never => false,
        }
    }

    /// Decides about an Inform.
    pub async fn check(&self, enrolment: &Enrolment, r: &Request<'_>) -> Result<Proof, Denied> {
        if let Some(cn) = r.conn.client_cn.as_deref() {
            let id = &r.inform.device_id;
            return match device_cn_matches(cn, id, self.identity) {
                true => Ok(Proof::Certificate),
                false => Err(Denied::Forbidden(format!(
                    "the certificate names {cn:?}, the Inform another device"
                ))),
            };
        }
        if self.mode == AuthMode::None {
            return Ok(Proof::None);
        }
        let again = |stale| Err(Denied::Challenge(self.challenges(r.conn, stale)));
        let Some(header) = r.authorization else { return again(false) };
        let Ok(authorization) = Authorization::parse(header) else { return again(false) };
        let counted = (r.conn.peer.ip(), authorization.username().chars().take(64).collect());
        let digest = match &authorization {
            Authorization::Basic { .. } if !self.basic_offered(r.conn) => return again(false),
            Authorization::Basic { .. } => None,
            Authorization::Digest(d) => match self.nonce_state(&d.nonce) {
                NonceState::Valid if d.uri_names(r.path) => Some(d.nonce.clone()),
                NonceState::Stale => return again(true),
                NonceState::Valid | NonceState::Forged => return again(false),
            },
        };
        let known = self.loader.submit(r.device_id).await.map_err(Denied::Unavailable)?;
        let judgement = self.judge(enrolment, &authorization, known.as_ref(), r);
        let proof = match self.of_its_claim(judgement, known.is_some(), r.device_id).await? {
            Judgement::Proven(proof) => proof,
            // Not a guess: it must not count against those that enrol from behind the same address.
            Judgement::Knocked => {
                self.knocked(r.device_id).await?;
                return again(false);
            }
            Judgement::Wrong => {
                self.failed(counted).await;
                return again(false);
            }
        };
        // Only now, so that a guess does not use up a good device's nonce.
        if digest.is_some_and(|nonce| !self.first_use(&nonce)) {
            return again(true);
        }
        Ok(proof)
    }

    fn judge(
        &self,
        enrolment: &Enrolment,
        authorization: &Authorization,
        known: Option<&Credentials>,
        r: &Request<'_>,
    ) -> Judgement {
        if let Some(c) = known
            && c.username == authorization.username()
        {
            let confirms = (!c.confirmed).then(|| c.ha1_sha256.clone());
            return match () {
                () if proves(authorization, &c.ha1_md5, &c.ha1_sha256) => {
                    Judgement::Proven(Proof::Device { confirms })
                }
                // It was given another that it has not taken yet.
                () if proves_previous(authorization, c) => {
                    Judgement::Proven(Proof::Device { confirms: None })
                }
                () => Judgement::Wrong,
            };
        }
        let Some(proof) = self.to_enrol(enrolment, authorization) else { return Judgement::Wrong };
        let open = match known {
            None => true,
            Some(c) if is_open(c) || c.enrol_until.is_some_and(|t| t > clock::now()) => true,
            Some(_) => self.reenrol == Reenrol::Bootstrap && r.inform.has(EventCode::Bootstrap),
        };
        if open { Judgement::Proven(proof) } else { Judgement::Knocked }
    }

    /// What lets a device in that has no credential of its own.
    fn to_enrol(&self, enrolment: &Enrolment, authorization: &Authorization) -> Option<Proof> {
        if authorization.username() == enrolment.username {
            let good = proves(authorization, &enrolment.ha1_md5, &enrolment.ha1_sha256);
            return good.then_some(Proof::Enrolment);
        }
        let claim_id = claim::of_user(authorization.username())?;
        let login = claim::Login::of(&self.keys, claim_id);
        proves(authorization, &login.ha1_md5, &login.ha1_sha256).then_some(Proof::Claim(claim_id))
    }

    /// A device that is in and enrols again is who it was only by what its claim asks for: by the
    /// claim's own credential, or by none of any other claim. Who is not in yet is for
    /// `fleet::admission`.
    async fn of_its_claim(
        &self,
        judgement: Judgement,
        is_in: bool,
        device_id: Uuid,
    ) -> Result<Judgement, Denied> {
        let presented = match &judgement {
            Judgement::Proven(Proof::Enrolment) if is_in => None,
            Judgement::Proven(Proof::Claim(claim_id)) if is_in => Some(*claim_id),
            _ => return Ok(judgement),
        };
        let unavailable =
            |e: sqlx::Error| Denied::Unavailable(BatchError::Failed(e.to_string().into()));
        let taken = claims::taken_by(&self.pool, device_id).await.map_err(unavailable)?;
        let good = match (taken, presented) {
            (Some(taken), None) => !taken.own_credential,
            (Some(taken), Some(claim_id)) => taken.claim_id == claim_id,
            (None, presented) => presented.is_none(),
        };
        Ok(if good { judgement } else { Judgement::Knocked })
    }

    async fn knocked(&self, device_id: Uuid) -> Result<(), Denied> {
        match credentials::note_knock(&self.pool, device_id, clock::now()).await {
            Ok(true) => tracing::warn!(
                device.id = %device_id,
                "a known device came with the enrolment credential or a claim's and was refused: approve it if it was reset"
            ),
            Ok(false) => {}
            Err(e) => return Err(Denied::Unavailable(BatchError::Failed(e.to_string().into()))),
        }
        Ok(())
    }

    fn nonce_state(&self, nonce: &str) -> NonceState {
        self.nonces.verify(nonce, unix_now(), NONCE_SECONDS)
    }

    /// True once per nonce.
    fn first_use(&self, nonce: &str) -> bool {
        let Some(random) = Nonces::random_in(nonce) else { return false };
        let now = unix_now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= used.since + NONCE_SECONDS {
            used.old = std::mem::take(&mut used.new);
            used.since = now;
        }
        !used.old.contains(&random) && used.new.insert(random)
    }

    /// Counts a wrong credential. Beyond [`MAX_FAILURES`] the answer is slow: that hampers whoever
    /// guesses, and never whoever has the right one, from the same address or not.
    async fn failed(&self, who: (IpAddr, String)) {
        metrics::counter!("muster_cwmp_auth_failures_total").increment(1);
        let (address, user) = who.clone();
        let count = self.count(who);
        if count == 1
            && let Some(unsaid) = NOISE.say(Instant::now())
        {
            tracing::warn!(%address, ?user, unsaid, "wrong credentials from a device");
        }
        if count > MAX_FAILURES {
            tokio::time::sleep(SLOW).await;
        }
    }

    /// Failures of this pair in the present window, this one included. More pairs than are counted
    /// are a flood: each of them is then one that has failed too often.
    fn count(&self, who: (IpAddr, String)) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_COUNTED {
            failures.retain(|_, (_, since)| since.elapsed() < WINDOW);
        }
        if failures.len() >= MAX_COUNTED && !failures.contains_key(&who) {
            return MAX_FAILURES + 1;
        }
        let entry = failures.entry(who).or_insert((0, Instant::now()));
        if entry.1.elapsed() >= WINDOW {
            *entry = (0, Instant::now());
        }
        entry.0 += 1;
        entry.0
    }
}

/// It has never used a credential of its own: nobody knows yet whether it has one. One that is only
/// given another has used the one before.
fn is_open(c: &Credentials) -> bool {
    !c.confirmed && c.previous_sha256.is_none()
}

fn proves_previous(authorization: &Authorization, c: &Credentials) -> bool {
    let previous = c.previous_md5.as_deref().zip(c.previous_sha256.as_deref());
    previous.is_some_and(|(md5, sha256)| proves(authorization, md5, sha256))
}

fn proves(authorization: &Authorization, ha1_md5: &str, ha1_sha256: &str) -> bool {
    match authorization {
        Authorization::Basic { username, password } => {
            secrets_match(ha1_sha256, &ha1(Algorithm::Sha256, username, REALM, password))
        }
        Authorization::Digest(d) => {
            let stored = match d.algorithm {
                Algorithm::Md5 => ha1_md5,
                Algorithm::Sha256 => ha1_sha256,
            };
            d.realm == REALM && d.verify("POST", stored)
        }
    }
}

async fn load(pool: PgPool, ids: Vec<Uuid>) -> Result<Vec<Option<Credentials>>, String> {
    let rows = credentials::of_devices(&pool, &ids)
        .await
        .map_err(|e| format!("credentials were not read: {e}"))?;
    let by_id: HashMap<Uuid, Credentials> = rows.into_iter().map(|c| (c.device_id, c)).collect();
    Ok(ids.iter().map(|id| by_id.get(id).cloned()).collect())
}

fn unix_now() -> u64 {
    u64::try_from(clock::now().timestamp()).unwrap_or(0)
}
