//! What a bench tells the others, and what it is told: its row as a heartbeat, and for what people have
//! armed it. In a task of its own, so that a database that is slow holds up no board.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use ipnet::IpNet;
use muster_netboot::profile::{self, Profile};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::arming::Arming;
use super::bench::{Bench, Other};
use super::engine::Orders;
use crate::clock;
use crate::ctx::Shared;
use crate::desired::world;
use crate::store::bench::{self as store, Armed, BenchRow};

/// Between two looks at what people have said.
const LOOK: Duration = Duration::from_millis(500);
/// Between two heartbeats, unless there is news.
const BEAT: TimeDelta = TimeDelta::seconds(5);
/// How long one may take.
const BEAT_DUE: Duration = Duration::from_secs(2);
/// Who was not told for so long whether the bench is armed answers nobody anew.
const UNTOLD: Duration = Duration::from_secs(10);
/// What is wrong then.
const AWAY: &str = "the database was not reached for 10 s: nobody is answered anew until it is";

/// How a bench is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Its hardware address, as far as that is known.
    pub mac: Option<String>,
    /// Its address, with the length of its network.
    pub address: Option<IpNet>,
    /// Why it cannot serve boards, in words.
    pub problem: Option<String>,
    /// Other servers that it has heard.
    pub others: Vec<Other>,
}

/// Runs until the token is cancelled.
pub async fn run(
    app: Shared,
    bench: Bench,
    mut status: watch::Receiver<Status>,
    orders: watch::Sender<Orders>,
    stop: CancellationToken,
) {
    let mut beat = None::<DateTime<Utc>>;
    let (mut looked, mut away, mut untold) = (Instant::now(), false, false);
    let mut read = Profiles::default();
    loop {
        let now = clock::now();
        let news = status.has_changed().unwrap_or(false);
        let told = status.borrow_and_update().clone();
        // Not for longer than until it is to be taken for disarmed.
        let left = UNTOLD.saturating_sub(looked.elapsed()).max(LOOK);
        let look = look(&app, &bench, told.mac.as_deref(), &orders, &mut read, now);
        let result = timeout(left, look).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        if let Err(e) = &result
            && !away
        {
            tracing::error!(
                bench.interface = bench.interface,
                "the bench cannot be looked up: {e}"
            );
        }
        away = result.is_err();
        if !away {
            looked = Instant::now();
        }
        let was_untold = std::mem::replace(&mut untold, looked.elapsed() >= UNTOLD);
        if untold && !was_untold {
            tracing::error!(bench.interface = bench.interface, "{AWAY}");
            disarm(&bench, &orders);
        }
        let due = news || untold != was_untold || beat.is_none_or(|at| now - at >= BEAT);
        // Where the other did not come through this will hardly do; it is what tells people so.
        if due {
            let row = row(&bench, &told, untold, now);
            let send = timeout(BEAT_DUE, store::heartbeat(&app.pool, &row));
            let sent = (!away || untold) && matches!(send.await, Ok(Ok(())));
            // What is not told is news the next time.
            beat = sent.then_some(now);
        }
        if timeout(LOOK, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// Nobody is answered anew. What began goes on.
fn disarm(bench: &Bench, orders: &watch::Sender<Orders>) {
    gauge(bench, false);
    orders.send_modify(|orders| orders.until = None);
}

fn gauge(bench: &Bench, armed: bool) {
    let value = f64::from(u8::from(armed));
    metrics::gauge!("muster_bench_armed", "interface" => bench.interface.clone()).set(value);
}

fn row(bench: &Bench, status: &Status, untold: bool, now: DateTime<Utc>) -> BenchRow {
    let problem = status.problem.clone().or_else(|| untold.then(|| AWAY.to_owned()));
    BenchRow {
        bench_id: bench.bench_id,
        host: bench.host.clone(),
        interface: bench.interface.clone(),
        mac: status.mac.clone(),
        address: status.address,
        problem,
        heard_at: now,
        others: json!(status.others),
    }
}

async fn look(
    app: &Shared,
    bench: &Bench,
    mac: Option<&str>,
    orders: &watch::Sender<Orders>,
    read: &mut Profiles,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let all = store::armings(&app.pool, &bench.host).await?;
    let own = all.into_iter().find(|armed| armed.bench_id == bench.bench_id);
    read.take(store::profiles(&app.pool).await?);
    let said = said(own, mac, Arc::clone(&read.profiles));
    let is_armed = |orders: &Orders| orders.until.is_some_and(|until| until > now);
    let armed = is_armed(&said);
    if armed && !is_armed(&orders.borrow()) {
        tokio::spawn(warm(app.clone()));
    }
    gauge(bench, armed);
    orders.send_if_modified(|before| {
        let news = *before != said;
        *before = said;
        news
    });
    Ok(())
}

/// Has everything ready before the first board asks, which waits for two seconds: what renders, and what
/// is wanted of whom.
async fn warm(app: Shared) {
    let workers = app.config.zero_touch.render_workers;
    let rendered = (0..workers).map(|_| app.render.try_out("warm-up", "#\n", json!({})));
    // Each goes to the process that has least to do.
    let (_, world) = tokio::join!(join_all(rendered), world::current(&app));
    if let Err(e) = world {
        tracing::warn!("what is wanted of boards could not be read ahead: {}", e.private());
    }
}

/// What people said of an interface with this hardware address.
fn said(armed: Option<Armed>, mac: Option<&str>, profiles: Arc<Vec<Profile>>) -> Orders {
    let Some(armed) = armed else { return Orders { profiles, ..Orders::default() } };
    let arming = armed.arming.as_ref().and_then(|stored| Arming::masked(stored).ok());
    let is_it = arming.is_some() && armed.is_for(mac);
    Orders {
        // What cannot be read is served to nobody, and on another interface than was meant nobody is.
        until: armed.armed_until.filter(|_| is_it),
        armed_at: armed.armed_at,
        dhcp: arming.as_ref().is_some_and(|arming| arming.dhcp),
        profile: arming.map(|arming| arming.profile),
        profiles,
    }
}

/// The profiles, read anew only when a text of them has changed.
#[derive(Default)]
struct Profiles {
    texts: Vec<(String, String)>,
    profiles: Arc<Vec<Profile>>,
}

impl Profiles {
    fn take(&mut self, texts: Vec<(String, String)>) {
        if texts == self.texts {
            return;
        }
        let mut profiles = Vec::with_capacity(texts.len());
        for (name, text) in &texts {
            match profile::read(text) {
                Ok(profile) => profiles.push(profile),
                Err(why) => tracing::error!(profile.name = name, "the profile is not used: {why}"),
            }
        }
        (self.texts, self.profiles) = (texts, Arc::new(profiles));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_profile_that_cannot_be_read_leaves_the_others() {
        let good = &profile::builtin()[0];
        let text = |name: &str, body: &str| (name.to_owned(), body.to_owned());
        let mut read = Profiles::default();
        let all = vec![text("broken", "[[profile]]"), text(&good.name, &good.write())];
        read.take(all.clone());
        assert_eq!(*read.profiles, std::slice::from_ref(good));
        let before = Arc::clone(&read.profiles);
        read.take(all);
        assert!(Arc::ptr_eq(&before, &read.profiles));
        read.take(Vec::new());
        assert!(read.profiles.is_empty());
    }

    #[test]
    fn a_bench_whose_arming_cannot_be_read_is_not_armed() {
        let at = DateTime::UNIX_EPOCH;
        let armed = |arming| Armed {
            bench_id: Uuid::nil(),
            interface: "eth1".to_owned(),
            armed_until: Some(at),
            armed_at: Some(at),
            arming,
            armed_by: None,
            armed_mac: Some("E4:8D:8C:00:00:01".to_owned()),
            mac: None,
        };
        let mac = Some("E4:8D:8C:00:00:01");
        let until = |arming| said(Some(armed(arming)), mac, Arc::default()).until;
        assert_eq!(until(Some(json!({ "template": "t" }))), Some(at));
        assert_eq!(until(Some(json!({ "template": 1 }))), None);
        assert_eq!(until(None), None);
        assert_eq!(said(None, mac, Arc::default()), Orders::default());
    }

    #[test]
    fn what_was_armed_is_an_interface_and_none_that_came_in_its_place() {
        let at = DateTime::UNIX_EPOCH;
        let said = |armed_mac: Option<&str>, mac| {
            let armed = Armed {
                bench_id: Uuid::nil(),
                interface: "eth1".to_owned(),
                armed_until: Some(at),
                armed_at: Some(at),
                arming: Some(json!({ "template": "t", "profile": "p" })),
                armed_by: None,
                armed_mac: armed_mac.map(str::to_owned),
                mac: None,
            };
            let orders = said(Some(armed), mac, Arc::default());
            assert_eq!(orders.profile.as_deref(), Some("p"));
            orders.until
        };
        let (one, other) = ("E4:8D:8C:00:00:01", "E4:8D:8C:00:00:02");
        assert_eq!(said(Some(one), Some(one)), Some(at));
        assert_eq!(said(Some(one), Some(other)), None);
        // It is not known yet.
        assert_eq!(said(Some(one), None), None);
        assert_eq!(said(None, Some(one)), Some(at));
    }

    #[test]
    fn a_bench_that_was_not_told_for_long_says_so() {
        let bench = Bench::of("h", "eth1");
        let problem = |told: Option<&str>, untold| {
            let status = Status { problem: told.map(str::to_owned), ..Status::default() };
            row(&bench, &status, untold, DateTime::UNIX_EPOCH).problem
        };
        assert_eq!(problem(None, false), None);
        assert_eq!(problem(None, true).as_deref(), Some(AWAY));
        assert_eq!(problem(Some("it is down"), true).as_deref(), Some("it is down"));
    }
}
