//! The inform writer: the hot path's only write (design section 4).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::PgPool;
use uuid::Uuid;

use super::batch::{BatchError, Batcher};
use crate::clock;
use crate::store::informs::{self, InformRow, Known};

/// PostgreSQL's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Writes informs in batches.
pub struct InformWriter {
    batcher: Batcher<InformRow, Result<Known, String>>,
    written: AtomicU64,
}

impl InformWriter {
    /// Starts the writer's task. The pool is its own and small: behind a thousand sessions that want
    /// a connection each, one batch would wait for all of them. Its lock timeout must be short.
    pub fn start(pool: PgPool, node: String) -> Self {
        let batcher = Batcher::start(1, move |rows| write(pool.clone(), node.clone(), rows));
        Self { batcher, written: AtomicU64::new(0) }
    }

    /// Returns once the inform is committed.
    pub async fn write(&self, row: InformRow) -> Result<Known, BatchError> {
        let known = self.batcher.submit(row).await?.map_err(|e| BatchError::Failed(e.into()))?;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(known)
    }

    /// Informs committed since the process began.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

/// One statement cannot touch a row twice: a device that informs again within a batch goes into a
/// statement of its own, after the first.
async fn write(
    pool: PgPool,
    node: String,
    rows: Vec<InformRow>,
) -> Result<Vec<Result<Known, String>>, String> {
    metrics::histogram!("muster_inform_batch_rows").record(rows.len() as f64);
    let order: Vec<Uuid> = rows.iter().map(|r| r.device_id).collect();
    let mut known: HashMap<Uuid, Result<Known, String>> = HashMap::with_capacity(rows.len());
    let mut rest = rows;
    while !rest.is_empty() {
        let mut seen = HashSet::with_capacity(rest.len());
        let (now, later): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|r| seen.insert(r.device_id));
        known.extend(statement(&pool, &node, &now).await?);
        rest = later;
    }
    let unanswered = || Err("an inform was not answered".to_owned());
    Ok(order.iter().map(|id| known.get(id).cloned().unwrap_or_else(unanswered)).collect())
}

/// The whole batch, or, where somebody holds one of its rows, each row for itself: one device that
/// another node has not let go of must not cost the others their answer.
async fn statement(
    pool: &PgPool,
    node: &str,
    rows: &[InformRow],
) -> Result<Vec<(Uuid, Result<Known, String>)>, String> {
    let failed = |e: &sqlx::Error| format!("informs were not written: {e}");
    let ok = |(id, known)| (id, Ok(known));
    match informs::write(pool, node, rows, clock::now()).await {
        Ok(answers) => Ok(answers.into_iter().map(ok).collect()),
        Err(e) if rows.len() > 1 && locked(&e) => {
            let each = rows.iter().map(async |row| {
                let one = std::slice::from_ref(row);
                match informs::write(pool, node, one, clock::now()).await {
                    Ok(answers) => answers.into_iter().map(ok).collect(),
                    Err(e) => vec![(row.device_id, Err(failed(&e)))],
                }
            });
            Ok(futures_util::future::join_all(each).await.concat())
        }
        Err(e) => Err(failed(&e)),
    }
}

fn locked(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|c| c == LOCK_NOT_AVAILABLE)
}
