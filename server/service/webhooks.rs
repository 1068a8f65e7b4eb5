//! Webhooks: who is told what happens; and what became of what they were to be told.
//!
//! They belong to administrators: whoever administers anything sees who is told, and whoever
//! administers everything may change it, and sees what is told of all devices, and the whole of its
//! URL. The secret that signs a webhook's calls is shown once, when it is made.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::access::audit::{self, Object};
use crate::access::grant::Reach;
use crate::access::right::Right;
use crate::ctx::{App, Ctx};
use crate::error::Error;
use crate::fleet::secret::new_password;
use crate::notify::hook::{self, Draft, Transport, WebhookFields};
use crate::notify::kind::{Kind, TEST};
use crate::store::deliveries::{self, Delivery};
use crate::store::sites;
use crate::store::webhooks::{self as store, Webhook};

/// Webhooks there may be: each event of theirs looks at all of them.
const MOST: i64 = 100;
/// The states of a delivery.
pub const STATES: [&str; 3] = ["queued", "delivered", "dead"];

/// A page of webhooks in order of their names, after a name.
///
/// # Errors
/// [`Error::Denied`]
pub async fn list(
    app: &App,
    ctx: &Ctx,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Webhook>, Error> {
    let reach = ctx.require(Right::Admin)?;
    let found = store::list(&app.pool, after, limit).await?;
    Ok(found.into_iter().map(|webhook| shown(webhook, &reach)).collect())
}

/// One webhook.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn get(app: &App, ctx: &Ctx, webhook_id: Uuid) -> Result<Webhook, Error> {
    let reach = ctx.require(Right::Admin)?;
    Ok(shown(load(&app.pool, webhook_id).await?, &reach))
}

/// A webhook as somebody may see it: some URLs let in whoever knows them.
fn shown(webhook: Webhook, reach: &Reach) -> Webhook {
    match reach {
        Reach::Everywhere => webhook,
        Reach::Within { .. } => Webhook { target: hook::place(&webhook), ..webhook },
    }
}

async fn load(db: impl PgExecutor<'_>, webhook_id: Uuid) -> Result<Webhook, Error> {
    let unknown = || Error::NotFound(format!("no webhook {webhook_id}"));
    store::get(db, webhook_id).await?.ok_or_else(unknown)
}

/// Makes a webhook; gives also, of one that is called, the secret that signs its calls, in clear: it
/// is seen this once.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] for fields that cannot be taken, [`Error::Conflict`] for a
/// name that is taken, or where there are as many as there may be.
pub async fn create(
    app: &App,
    ctx: &Ctx,
    fields: WebhookFields,
) -> Result<(Webhook, Option<String>), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let draft = hook::checked(fields, &app.config)?;
    let webhook_id = Uuid::now_v7();
    let secret = (draft.transport == Transport::Http).then(new_password);
    let seal = |secret: &String| app.keys.seal(secret, &hook::context(webhook_id));
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    if store::count(&mut tx).await? >= MOST {
        return Err(Error::Conflict(format!("there are {MOST} webhooks, which is the most")));
    }
    check_place(&mut tx, &draft, webhook_id).await?;
    let webhook = Webhook {
        webhook_id,
        name: draft.name,
        transport: draft.transport.word().to_owned(),
        target: draft.target,
        secret_sealed: secret.as_ref().map(seal),
        kinds: words(&draft.kinds),
        site: draft.site,
        enabled: draft.enabled,
        created_by: ctx.actor.name.clone(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    store::insert(&mut tx, &webhook).await?;
    let object = Object::new("webhook", webhook_id, &webhook.name);
    audit::record(&mut tx, ctx, "webhook.create", object, (), hook::state(&webhook)).await?;
    tx.commit().await?;
    tracing::info!(
        webhook.id = %webhook_id, webhook.name, by = ctx.actor.name, "webhook made"
    );
    Ok((webhook, secret))
}

/// Changes a webhook. `check` says whether its version, the time of its last change, is the one that
/// is meant; `patch` gives the fields that it is to have. Its secret stays.
///
/// # Errors
/// As [`create`]; also [`Error::NotFound`], those of `check` and `patch`, and [`Error::Invalid`] for
/// mail in place of a URL or the other way.
pub async fn change(
    app: &App,
    ctx: &Ctx,
    webhook_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
    patch: impl FnOnce(WebhookFields) -> Result<WebhookFields, Error>,
) -> Result<Webhook, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let current = load(&mut *tx, webhook_id).await?;
    check(current.updated_at)?;
    let draft = hook::checked(patch(WebhookFields::of(&current))?, &app.config)?;
    if draft.transport != Transport::of(&current) {
        let pointer = if draft.transport == Transport::Http { "/url" } else { "/email" };
        let why = "a webhook stays with a URL or with a mail address: make another one";
        return Err(Error::invalid(pointer, why));
    }
    check_place(&mut tx, &draft, webhook_id).await?;
    let before = hook::state(&current);
    let webhook = Webhook {
        name: draft.name,
        target: draft.target,
        kinds: words(&draft.kinds),
        site: draft.site,
        enabled: draft.enabled,
        updated_at: ctx.now,
        ..current
    };
    store::update(&mut tx, &webhook).await?;
    let object = Object::new("webhook", webhook_id, &webhook.name);
    audit::record(&mut tx, ctx, "webhook.change", object, before, hook::state(&webhook)).await?;
    tx.commit().await?;
    tracing::info!(
        webhook.id = %webhook_id, webhook.name, by = ctx.actor.name, "webhook changed"
    );
    Ok(webhook)
}

/// Removes a webhook, with what it was still to be told. `check` as with [`change`].
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], those of `check`.
pub async fn delete(
    app: &App,
    ctx: &Ctx,
    webhook_id: Uuid,
    check: impl FnOnce(DateTime<Utc>) -> Result<(), Error>,
) -> Result<(), Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    let webhook = load(&mut *tx, webhook_id).await?;
    check(webhook.updated_at)?;
    store::delete(&mut tx, webhook_id).await?;
    let object = Object::new("webhook", webhook_id, &webhook.name);
    audit::record(&mut tx, ctx, "webhook.delete", object, hook::state(&webhook), ()).await?;
    tx.commit().await?;
    tracing::info!(
        webhook.id = %webhook_id, webhook.name, by = ctx.actor.name, "webhook removed"
    );
    Ok(())
}

/// That the name is free, and the site there.
async fn check_place(
    conn: &mut PgConnection,
    draft: &Draft,
    webhook_id: Uuid,
) -> Result<(), Error> {
    if store::is_taken(conn, &draft.name, webhook_id).await? {
        return Err(Error::Conflict(format!("there already is a webhook `{}`", draft.name)));
    }
    if let Some(site) = &draft.site
        && !sites::exists(&mut *conn, site).await?
    {
        return Err(Error::invalid("/site", format!("there is no site {site}")));
    }
    Ok(())
}

fn words(kinds: &[Kind]) -> Vec<String> {
    kinds.iter().map(|kind| kind.word().to_owned()).collect()
}

/// A page of what a webhook is told, was told and could not be told, newest first, before an id; only
/// what is in a state, if one is named.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Invalid`] for no state.
pub async fn deliveries(
    app: &App,
    ctx: &Ctx,
    webhook_id: Uuid,
    state: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    ctx.require_everywhere(Right::Admin)?;
    if let Some(state) = state.filter(|state| !STATES.contains(state)) {
        let states = STATES.join(", ");
        return Err(Error::invalid("", format!("`{state}` is no state: {states}")));
    }
    load(&app.pool, webhook_id).await?;
    Ok(deliveries::list(&app.pool, webhook_id, state, before, limit).await?)
}

/// Has a delivery that was given up tried again.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] where it was not given up.
pub async fn again(app: &App, ctx: &Ctx, delivery_id: Uuid) -> Result<Delivery, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    let before = delivery(&mut *tx, delivery_id).await?;
    if !deliveries::again(&mut tx, delivery_id, ctx.now).await? {
        let why = format!("it is {}: only what was given up is tried again", before.state);
        return Err(Error::Conflict(why));
    }
    let webhook = load(&mut *tx, before.webhook_id).await?;
    let object = Object::new("webhook", webhook.webhook_id, &webhook.name);
    let after = json!({ "delivery_id": delivery_id, "kind": before.kind });
    audit::record(&mut tx, ctx, "webhook.again", object, (), after).await?;
    let after = delivery(&mut *tx, delivery_id).await?;
    tx.commit().await?;
    Ok(after)
}

/// Has all deliveries of a webhook that were given up tried again; gives how many there were.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]
pub async fn all_again(app: &App, ctx: &Ctx, webhook_id: Uuid) -> Result<u64, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    let webhook = load(&mut *tx, webhook_id).await?;
    let count = deliveries::all_again(&mut tx, webhook_id, ctx.now).await?;
    if count > 0 {
        let object = Object::new("webhook", webhook_id, &webhook.name);
        let after = json!({ "deliveries": count });
        audit::record(&mut tx, ctx, "webhook.again", object, (), after).await?;
    }
    tx.commit().await?;
    Ok(count)
}

/// Tells a webhook something of no meaning, to see whether that arrives.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`]; [`Error::Conflict`] where it is switched off.
pub async fn test(app: &App, ctx: &Ctx, webhook_id: Uuid) -> Result<Delivery, Error> {
    ctx.require_everywhere(Right::Admin)?;
    let mut tx = app.pool.begin().await?;
    let webhook = load(&mut *tx, webhook_id).await?;
    if !webhook.enabled {
        return Err(Error::Conflict("it is switched off: switch it on first".to_owned()));
    }
    let detail = json!({ "text": format!("tried by {}", ctx.actor.name) });
    let id = deliveries::insert(&mut tx, webhook_id, TEST, &detail, ctx.now).await?;
    let object = Object::new("webhook", webhook_id, &webhook.name);
    audit::record(&mut tx, ctx, "webhook.test", object, (), json!({ "delivery_id": id })).await?;
    let made = delivery(&mut *tx, id).await?;
    tx.commit().await?;
    Ok(made)
}

async fn delivery(db: impl PgExecutor<'_>, delivery_id: Uuid) -> Result<Delivery, Error> {
    let unknown = || Error::NotFound(format!("no delivery {delivery_id}"));
    deliveries::get(db, delivery_id).await?.ok_or_else(unknown)
}
