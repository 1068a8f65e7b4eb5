//! The templates that come with Muster, as stored templates.
//!
//! Owns that they are stored under ids that follow from their names, and that a text that is not among
//! their versions becomes a new one: so nodes of two versions of Muster may run side by side.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::ctx::App;
use crate::error::Error;
use crate::fleet::template::{Variable, builtin};
use crate::store::templates::{self as store, Template, Version};

/// Of the ids of these templates.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5274_8d70_6c61_7465_7331);
/// Who made them.
const BY: &str = "muster";

/// Stores those that are not.
///
/// # Errors
/// [`Error::Database`]
pub async fn ensure(app: &App, now: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = app.pool.begin().await?;
    store::lock(&mut tx).await?;
    for one in builtin::ALL.iter() {
        let (name, description) = (one.name.to_owned(), one.description.to_owned());
        let template_id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        let body = one.body.to_owned();
        let variables: Json<Vec<Variable>> = Json(one.variables.clone());
        let known = store::get(&mut *tx, template_id).await?;
        if store::has_version(&mut tx, template_id, &body, &variables).await? {
            // It was stored before there was a bench.
            if let Some(known) = known.filter(|known| known.bench != one.bench) {
                let template = Template { bench: one.bench, updated_at: now, ..known };
                store::update(&mut tx, &template).await?;
            }
            continue;
        }
        if known.is_none() && store::named(&mut *tx, &name).await?.is_some() {
            tracing::warn!(template.name = name, "somebody has a template of this name already");
            continue;
        }
        let template = Template {
            template_id,
            name: name.clone(),
            description,
            version: known.as_ref().map_or(1, |known| known.version + 1),
            builtin: true,
            bench: one.bench,
            created_by: BY.to_owned(),
            created_at: known.as_ref().map_or(now, |known| known.created_at),
            updated_at: now,
        };
        match known {
            Some(_) => store::update(&mut tx, &template).await?,
            None => store::insert(&mut tx, &template).await?,
        }
        let version = Version {
            template_id,
            name,
            version: template.version,
            body,
            variables,
            note: format!("Muster {}", env!("CARGO_PKG_VERSION")),
            created_by: BY.to_owned(),
            created_at: now,
        };
        store::insert_version(&mut tx, &version).await?;
    }
    Ok(tx.commit().await?)
}
