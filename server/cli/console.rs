//! Commands that act on the installation itself, on its server: who can read its key and its
//! database may do everything, also when no server runs.

use anyhow::Context;
use muster::config::Config;
use muster::ctx::{App, Ctx};
use muster::error::Error;
use muster::{boot, clock, store};

/// Does some work with the parts of a process that serves nothing.
pub(super) async fn with_app(
    config: Config,
    work: impl AsyncFnOnce(&App, &Ctx) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let keys = boot::keys(&config)?;
    let database = boot::Database::open(&config).await?;
    let done = async {
        let now = clock::now();
        store::migrate(&database.pool, now).await.context("the database schema")?;
        let app = boot::app(config, keys, database.pool.clone(), database.hot.clone())?;
        work(app.as_ref(), &Ctx::console(now)).await
    }
    .await;
    database.close().await;
    done
}

/// What to say of a failure: whoever reads it may know all of it.
pub(super) fn told(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{}", error.private())
}
