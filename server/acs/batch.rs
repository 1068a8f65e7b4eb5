//! Many callers, one statement: a task drains its queue and serves all that waited at once.
//!
//! No timer: while one batch is with the database the next one gathers, so that the size adapts
//! from one row on an idle server to hundreds in a storm (design section 4).

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

/// Items in one batch: beyond it a statement's latency grows and its share shrinks no more.
const MAX_BATCH: usize = 512;
/// Items that may wait; beyond it callers are told to come again.
const MAX_WAITING: usize = 65_536;

/// A batch could not be served; nothing of it was acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BatchError {
    /// More callers wait than memory should hold.
    #[error("too many requests wait for the database")]
    Full,
    /// The statement failed.
    #[error("{0}")]
    Failed(Arc<str>),
    /// The process is stopping.
    #[error("the server is stopping")]
    Stopped,
}

type Waiting<T, R> = (T, oneshot::Sender<Result<R, BatchError>>);

/// A handle to the task.
pub struct Batcher<T, R> {
    queue: mpsc::Sender<Waiting<T, R>>,
}

impl<T: Send + 'static, R: Send + 'static> Batcher<T, R> {
    /// Starts `lanes` tasks that serve batches by `serve`, which gives one answer per item, in
    /// order. Two lanes let one batch form and travel while another commits.
    pub fn start<F, Fut>(lanes: usize, serve: F) -> Self
    where
        F: Fn(Vec<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<R>, String>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let serve = Arc::new(serve);
        for _ in 0..lanes {
            tokio::spawn(lane(waiting.clone(), serve.clone()));
        }
        Self { queue }
    }

    /// Waits for the item's batch.
    pub async fn submit(&self, item: T) -> Result<R, BatchError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send((item, answer)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => BatchError::Full,
            mpsc::error::TrySendError::Closed(_) => BatchError::Stopped,
        })?;
        answered.await.map_err(|_| BatchError::Stopped)?
    }
}

async fn lane<T, R, F, Fut>(
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting<T, R>>>>,
    serve: Arc<F>,
) where
    F: Fn(Vec<T>) -> Fut,
    Fut: Future<Output = Result<Vec<R>, String>>,
{
    loop {
        let mut batch = Vec::new();
        if waiting.lock().await.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        let (items, answers): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
        let size = items.len();
        match serve(items).await {
            Ok(results) if results.len() == size => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that hung up does not want its answer.
                    let _ = answer.send(Ok(result));
                }
            }
            Ok(_) => fail(answers, "the batch was answered in part"),
            Err(e) => fail(answers, &e),
        }
    }
}

fn fail<R>(answers: Vec<oneshot::Sender<Result<R, BatchError>>>, why: &str) {
    let why: Arc<str> = why.into();
    for answer in answers {
        let _ = answer.send(Err(BatchError::Failed(why.clone())));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn everybody_gets_their_own_answer_and_storms_share_statements() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let batcher = Arc::new(Batcher::start(1, |items: Vec<u32>| async move {
            CALLS.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(items.into_iter().map(|i| i * 2).collect())
        }));
        let tasks: Vec<_> = (0..1_000u32)
            .map(|i| {
                let batcher = batcher.clone();
                tokio::spawn(async move { (i, batcher.submit(i).await.unwrap()) })
            })
            .collect();
        for task in tasks {
            let (i, twice) = task.await.unwrap();
            assert_eq!(twice, i * 2);
        }
        assert!(CALLS.load(Ordering::SeqCst) < 1_000);
    }

    #[tokio::test]
    async fn a_failed_batch_fails_for_all_of_it() {
        let batcher: Batcher<u32, u32> = Batcher::start(1, |_| async { Err("down".to_owned()) });
        assert_eq!(batcher.submit(1).await.unwrap_err().to_string(), "down");
    }
}
