//! The inform writer: the hot path's only write (design section 4).

use std::collections::{HashMap, HashSet};

use sqlx::PgPool;
use uuid::Uuid;

use super::batch::{BatchError, Batcher};
use crate::clock;
use crate::store::informs::{self, InformRow, Known};

/// Writes informs in batches.
pub struct InformWriter {
    batcher: Batcher<InformRow, Known>,
}

impl InformWriter {
    /// Starts the writer's task.
    pub fn start(pool: PgPool, node: String) -> Self {
        let batcher = Batcher::start(1, move |rows| write(pool.clone(), node.clone(), rows));
        Self { batcher }
    }

    /// Returns once the inform is committed.
    pub async fn write(&self, row: InformRow) -> Result<Known, BatchError> {
        self.batcher.submit(row).await
    }
}

/// One statement cannot touch a row twice: a device that informs again within a batch goes into a
/// statement of its own, after the first.
async fn write(pool: PgPool, node: String, rows: Vec<InformRow>) -> Result<Vec<Known>, String> {
    metrics::histogram!("muster_inform_batch_rows").record(rows.len() as f64);
    let order: Vec<Uuid> = rows.iter().map(|r| r.device_id).collect();
    let mut known: HashMap<Uuid, Known> = HashMap::with_capacity(rows.len());
    let mut rest = rows;
    while !rest.is_empty() {
        let mut seen = HashSet::with_capacity(rest.len());
        let (now, later): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|r| seen.insert(r.device_id));
        let answers = informs::write(&pool, &node, &now, clock::now())
            .await
            .map_err(|e| format!("informs were not written: {e}"))?;
        known.extend(answers);
        rest = later;
    }
    order
        .iter()
        .map(|id| known.get(id).cloned().ok_or_else(|| "an inform was not answered".to_owned()))
        .collect()
}
