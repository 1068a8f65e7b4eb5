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

/// How a bench is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
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
    let (mut beat, mut away) = (None::<DateTime<Utc>>, false);
    let mut read = Profiles::default();
    loop {
        let now = clock::now();
        let news = status.has_changed().unwrap_or(false);
        let told = status.borrow_and_update().clone();
        let mut result = Ok(());
        if news || beat.is_none_or(|at| now - at >= BEAT) {
            result = store::heartbeat(&app.pool, &row(&bench, &told, now)).await;
            beat = result.is_ok().then_some(now);
        }
        if result.is_ok() {
            result = look(&app, &bench, &orders, &mut read, now).await;
        }
        if let Err(e) = &result
            && !away
        {
            tracing::error!(
                bench.interface = bench.interface,
                "the bench cannot be looked up: {e}"
            );
        }
        away = result.is_err();
        if tokio::time::timeout(LOOK, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

fn row(bench: &Bench, status: &Status, now: DateTime<Utc>) -> BenchRow {
    BenchRow {
        bench_id: bench.bench_id,
        host: bench.host.clone(),
        interface: bench.interface.clone(),
        address: status.address,
        problem: status.problem.clone(),
        heard_at: now,
        others: json!(status.others),
    }
}

async fn look(
    app: &Shared,
    bench: &Bench,
    orders: &watch::Sender<Orders>,
    read: &mut Profiles,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let all = store::armings(&app.pool, &bench.host).await?;
    let own = all.into_iter().find(|armed| armed.bench_id == bench.bench_id);
    read.take(store::profiles(&app.pool).await?);
    let said = said(own, Arc::clone(&read.profiles));
    let is_armed = |orders: &Orders| orders.until.is_some_and(|until| until > now);
    let armed = is_armed(&said);
    if armed && !is_armed(&orders.borrow()) {
        tokio::spawn(warm(app.clone()));
    }
    let value = f64::from(u8::from(armed));
    metrics::gauge!("muster_bench_armed", "interface" => bench.interface.clone()).set(value);
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
    let rendered = (0..workers).map(|_| app.render.try_out("#\n", json!({})));
    // Each goes to the process that has least to do.
    let (_, world) = tokio::join!(join_all(rendered), world::current(&app));
    if let Err(e) = world {
        tracing::warn!("what is wanted of boards could not be read ahead: {}", e.private());
    }
}

fn said(armed: Option<Armed>, profiles: Arc<Vec<Profile>>) -> Orders {
    let Some(armed) = armed else { return Orders { profiles, ..Orders::default() } };
    let arming = armed.arming.as_ref().and_then(|stored| Arming::masked(stored).ok());
    Orders {
        // What cannot be read is served to nobody.
        until: armed.armed_until.filter(|_| arming.is_some()),
        armed_at: armed.armed_at,
        dhcp: arming.is_some_and(|arming| arming.dhcp),
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
        };
        let until = |arming| said(Some(armed(arming)), Arc::default()).until;
        assert_eq!(until(Some(json!({ "template": "t" }))), Some(at));
        assert_eq!(until(Some(json!({ "template": 1 }))), None);
        assert_eq!(until(None), None);
        assert_eq!(said(None, Arc::default()), Orders::default());
    }
}
