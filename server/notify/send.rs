//! Carries out deliveries: leases what is due, sends it, writes down what came of it.
//!
//! A reconciler, safe on any number of nodes: who leases a row has it until the lease ends, so what
//! a killed node had is sent again by another. Each webhook has a task of its own, so that one that
//! does not answer holds no other one up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hook::{self, Transport};
use super::http::{Call, Caller};
use super::mail::Mailer;
use super::message;
use crate::clock;
use crate::config::Config;
use crate::ctx::{App, Shared};
use crate::error::Error;
use crate::store::deliveries::{self as store, Due, Settled};
use crate::store::webhooks::{self, Webhook};

/// How often is looked for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Webhooks that a node works on at a time.
const WEBHOOKS: usize = 32;
/// Calls of one webhook under way at once.
const AT_ONCE: usize = 8;
/// Calls that are leased together: with all of them silent they end within the lease.
const CALLS: i64 = 48;
/// Events that one mail is about at most: people are not written to ten thousand times because a
/// line is down.
const EVENTS_IN_MAIL: i64 = 5_000;
/// How long the others leave a delivery alone.
const LEASE: TimeDelta = TimeDelta::seconds(120);
/// Attempts before a delivery is given up, and its age.
const MOST_ATTEMPTS: i32 = 30;
const MOST_AGE: TimeDelta = TimeDelta::days(3);
/// Between the first attempt and the second, in seconds; then twice as long each time, up to this.
const FIRST_PAUSE: u32 = 10;
const LONGEST_PAUSE: u32 = 6 * 3_600;
/// How long deliveries are kept that have ended, and how many are forgotten at a time.
const KEEP: TimeDelta = TimeDelta::days(30);
const PURGE: i64 = 10_000;
const PURGE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Characters of an answer that are kept.
const MAX_ANSWER: usize = 300;

/// What sends.
struct Post {
    http: Caller,
    /// Or why there is none.
    mail: Result<Mailer, String>,
}

impl Post {
    fn new(config: &Config) -> Self {
        let mail = Mailer::new(&config.smtp);
        if let (Some(_), Err(why)) = (&config.smtp.server, &mail) {
            tracing::error!("no mail is sent: {why}");
        }
        Self { http: Caller::new(&config.notify), mail }
    }
}

/// Sends what is due until the process stops.
pub async fn run(app: Shared, stop: CancellationToken) {
    let post = Arc::new(Post::new(&app.config));
    let mut at_work: HashMap<Uuid, JoinHandle<()>> = HashMap::new();
    let mut purge_at = clock::now() + PURGE_EVERY;
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        at_work.retain(|_, task| !task.is_finished());
        let now = clock::now();
        let waiting = store::waiting(&app.pool, now).await.unwrap_or_else(|error| {
            tracing::error!("webhooks were not looked at: {error}");
            Vec::new()
        });
        for webhook_id in waiting {
            if at_work.len() < WEBHOOKS && !at_work.contains_key(&webhook_id) {
                let (app, post, stop) = (app.clone(), post.clone(), stop.clone());
                at_work.insert(webhook_id, tokio::spawn(work_on(app, post, webhook_id, stop)));
            }
        }
        if now >= purge_at {
            purge_at = now + PURGE_EVERY;
            if let Err(error) = store::purge(&app.pool, now - KEEP, PURGE).await {
                tracing::error!("old deliveries were not purged: {error}");
            }
        }
    }
    for task in at_work.into_values() {
        if let Err(error) = task.await {
            tracing::error!("a webhook's task ended badly: {error}");
        }
    }
}

async fn work_on(app: Shared, post: Arc<Post>, webhook_id: Uuid, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match pass(&app, &post, webhook_id).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // What was leased is tried again when the lease ends.
                tracing::error!(webhook.id = %webhook_id, "not sent: {}", error.private());
                return;
            }
        }
    }
}

/// Sends a batch of what is due to a webhook; false = there was none.
async fn pass(app: &Shared, post: &Arc<Post>, webhook_id: Uuid) -> Result<bool, Error> {
    let Some(webhook) = webhooks::get(&app.pool, webhook_id).await? else { return Ok(false) };
    let transport = Transport::of(&webhook);
    let limit = match transport {
        Transport::Http => CALLS,
        Transport::Email => EVENTS_IN_MAIL,
    };
    let now = clock::now();
    let due = store::lease(&app.pool, webhook_id, limit, now + LEASE, now).await?;
    if due.is_empty() {
        return Ok(false);
    }
    if !webhook.enabled {
        give_up(app, &webhook, &due, "it is switched off").await?;
        return Ok(true);
    }
    match transport {
        Transport::Http => calls(app, post, webhook, due).await?,
        Transport::Email => mail(app, post, &webhook, &due).await?,
    }
    Ok(true)
}

/// Calls a webhook for each of these, a few at a time.
async fn calls(
    app: &Shared,
    post: &Arc<Post>,
    webhook: Webhook,
    due: Vec<Due>,
) -> Result<(), Error> {
    let sealed = webhook.secret_sealed.as_deref().unwrap_or_default();
    let secret = app.keys.open(sealed, &hook::context(webhook.webhook_id))?;
    let (webhook, secret) = (Arc::new(webhook), Arc::new(secret));
    let mut sending = JoinSet::new();
    for one in due {
        if sending.len() >= AT_ONCE
            && let Some(done) = sending.join_next().await
        {
            ended(done)?;
        }
        let (app, post) = (app.clone(), post.clone());
        let (webhook, secret) = (webhook.clone(), secret.clone());
        sending.spawn(async move { call(&app, &post, &webhook, &secret, one).await });
    }
    while let Some(done) = sending.join_next().await {
        ended(done)?;
    }
    Ok(())
}

fn ended(done: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    done.map_err(|e| Error::Internal(format!("a call of a webhook ended badly: {e}")))?
}

async fn call(
    app: &App,
    post: &Post,
    webhook: &Webhook,
    secret: &str,
    due: Due,
) -> Result<(), Error> {
    let call = Call {
        url: &webhook.target,
        secret,
        kind: &due.kind,
        delivery_id: due.delivery_id,
        body: message::document(&due).to_string().into_bytes(),
        now: clock::now(),
    };
    let said = post.http.post(call).await;
    settle(app, webhook, std::slice::from_ref(&due), said).await
}

/// Writes one mail about all of these.
async fn mail(app: &App, post: &Post, webhook: &Webhook, due: &[Due]) -> Result<(), Error> {
    let said = match (&post.mail, due.first()) {
        (Ok(mailer), Some(first)) => {
            let text = message::text(due, app.config.web.public_url.as_deref());
            let subject = message::subject(due);
            mailer.send(&webhook.target, first.delivery_id, &subject, text).await
        }
        (Err(why), _) => Err(why.clone()),
        (Ok(_), None) => return Ok(()),
    };
    settle(app, webhook, due, said).await
}

/// Writes down what came of an attempt.
async fn settle(
    app: &App,
    webhook: &Webhook,
    due: &[Due],
    said: Result<String, String>,
) -> Result<(), Error> {
    let now = clock::now();
    let fate = |one: &Due| match &said {
        Ok(_) => ("delivered", now),
        Err(_) => match next_attempt(one, now, rand::random()) {
            Some(next_at) => ("queued", next_at),
            None => ("dead", now),
        },
    };
    let settled: Vec<Settled> = due.iter().map(|one| settled(one, fate(one))).collect();
    let answer = match &said {
        Ok(answer) | Err(answer) => shortened(answer),
    };
    write_down(app, webhook, &settled, &answer, now).await
}

/// Gives up what is not even tried.
async fn give_up(app: &App, webhook: &Webhook, due: &[Due], why: &str) -> Result<(), Error> {
    let now = clock::now();
    let settled: Vec<Settled> = due.iter().map(|one| settled(one, ("dead", now))).collect();
    write_down(app, webhook, &settled, why, now).await
}

fn settled(due: &Due, (state, next_at): (&'static str, DateTime<Utc>)) -> Settled {
    Settled { delivery_id: due.delivery_id, attempts: due.attempts, state, next_at }
}

async fn write_down(
    app: &App,
    webhook: &Webhook,
    settled: &[Settled],
    answer: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    store::settle(&app.pool, settled, answer, now).await?;
    for state in ["delivered", "queued", "dead"] {
        let count = settled.iter().filter(|one| one.state == state).count();
        if count == 0 {
            continue;
        }
        let result = if state == "queued" { "failed" } else { state };
        metrics::counter!(
            "muster_notifications_total",
            "transport" => webhook.transport.clone(), "result" => result
        )
        .increment(count as u64);
        let (name, place) = (&webhook.name, hook::place(webhook));
        match state {
            "delivered" => tracing::debug!(webhook.name = name, place, count, answer, "told"),
            "queued" => tracing::info!(webhook.name = name, place, count, answer, "not told yet"),
            _ => tracing::warn!(webhook.name = name, place, count, answer, "given up"),
        }
    }
    Ok(())
}

/// When a delivery is tried again; `None` = it is given up. `dice` is 0 to 1: what failed together
/// does not come together again.
fn next_attempt(due: &Due, now: DateTime<Utc>, dice: f64) -> Option<DateTime<Utc>> {
    if due.attempts >= MOST_ATTEMPTS || now - due.at >= MOST_AGE {
        return None;
    }
    let doublings = u32::try_from(due.attempts - 1).unwrap_or(0).min(16);
    let pause = f64::from((FIRST_PAUSE << doublings).min(LONGEST_PAUSE));
    let spread = pause * (0.8 + 0.4 * dice);
    Some(now + TimeDelta::milliseconds((spread * 1_000.0) as i64))
}

fn shortened(answer: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    answer.chars().take(MAX_ANSWER).map(clean).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn after(attempts: i32, age: TimeDelta) -> Due {
        Due {
            delivery_id: Uuid::nil(),
            kind: "device.offline".to_owned(),
            device_id: None,
            at: DateTime::UNIX_EPOCH - age,
            detail: json!({}),
            attempts,
            serial: None,
            oui: None,
            manufacturer: None,
            product_class: None,
            model: None,
            identity: None,
            software_version: None,
            site: None,
            customer: None,
            tags: None,
        }
    }

    #[test]
    fn pauses_double_up_to_six_hours() {
        let now = DateTime::UNIX_EPOCH;
        let pause = |attempts, dice| {
            (next_attempt(&after(attempts, TimeDelta::zero()), now, dice).unwrap() - now)
                .num_seconds()
        };
        let middle = [1, 2, 3, 11, 12, 13, 29].map(|attempts| pause(attempts, 0.5));
        assert_eq!(middle, [10, 20, 40, 10_240, 20_480, 21_600, 21_600]);
        assert_eq!((pause(1, 0.0), pause(1, 1.0)), (8, 12));
    }

    #[test]
    fn it_is_given_up_after_three_days_or_thirty_attempts() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(next_attempt(&after(30, TimeDelta::zero()), now, 0.5), None);
        assert_eq!(next_attempt(&after(1, TimeDelta::days(3)), now, 0.5), None);
        assert!(next_attempt(&after(1, TimeDelta::hours(71)), now, 0.5).is_some());
    }

    #[test]
    fn calls_that_all_run_into_their_deadline_end_within_the_lease() {
        let rounds = CALLS / i64::try_from(AT_ONCE).unwrap();
        assert!(TimeDelta::seconds(rounds * 10) < LEASE);
    }
}
