//! The processes that render, as the server keeps them: started when they are needed, asked for several
//! templates at a time, ended when one takes too long, and started again.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{self, Answer, Request};
use super::{Failure, Settings};

/// Templates that a process is given ahead, so that it need not wait to be asked.
pub(super) const DEPTH: usize = 16;
/// How long a process may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// Renders templates in processes of their own.
pub struct Renderer {
    lanes: Vec<Lane>,
}

/// The way to one process, whichever it is at the time.
struct Lane {
    jobs: mpsc::Sender<Job>,
    /// Who waits for it.
    waiting: Arc<AtomicUsize>,
}

/// A template that is to be rendered.
struct Job {
    frame: Vec<u8>,
    answer: oneshot::Sender<Result<String, Failure>>,
}

/// Counts one that waits, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Renderer {
    /// Starts nothing yet: the first template starts the first process. Must be called in a runtime.
    pub fn start(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let lane = |_| {
            let (jobs, queue) = mpsc::channel(DEPTH);
            tokio::spawn(run(Arc::clone(&settings), queue));
            Lane { jobs, waiting: Arc::default() }
        };
        Self { lanes: (0..settings.workers.max(1)).map(lane).collect() }
    }

    /// The script that a template gives with the values in `context`, an object.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn render(&self, template: &str, context: Value) -> Result<String, Failure> {
        let request = Request { template: template.into(), context };
        let frame = frame::encoded(&request)
            .map_err(|e| Failure::Mistake(format!("the template and its values: {e}")))?;
        let least = |lane: &&Lane| lane.waiting.load(Ordering::Relaxed);
        let lane = self.lanes.iter().min_by_key(least).expect("there is at least one");
        lane.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&lane.waiting);
        let (answer, answered) = oneshot::channel();
        if lane.jobs.send(Job { frame, answer }).await.is_err() {
            return Err(Failure::Died);
        }
        answered.await.unwrap_or(Err(Failure::Died))
    }
}

/// Keeps a process at work until nobody asks any more. What a process that had to be ended was given
/// ahead goes to the next one: answers come in order, so it is known whose template ended it.
async fn run(settings: Arc<Settings>, mut queue: mpsc::Receiver<Job>) {
    let mut open: VecDeque<Job> = VecDeque::new();
    loop {
        if open.is_empty() {
            match queue.recv().await {
                Some(job) => open.push_back(job),
                None => return,
            }
        }
        let failure = match Worker::start(&settings).await {
            Ok(mut worker) => match worker.work(&mut queue, &mut open, settings.patience).await {
                Some(end) => worker.end(end).await,
                None => return,
            },
            Err(error) => {
                let program = settings.program.display();
                tracing::error!("{program} render-worker does not start: {error}");
                Failure::Died
            }
        };
        if let Some(job) = open.pop_front() {
            tracing::warn!("the rendering of a template was ended: {failure}");
            // Who does not wait any more need not be told.
            let _ = job.answer.send(Err(failure));
        }
    }
}

/// How the work of a process ended.
enum End {
    /// It took too long.
    Slow,
    /// It is gone.
    Gone,
}

/// A process.
struct Worker {
    child: Child,
    input: ChildStdin,
    answers: mpsc::Receiver<Answer>,
}

impl Worker {
    async fn start(settings: &Settings) -> std::io::Result<Self> {
        let mut child = Command::new(&settings.program)
            .arg0("muster")
            .arg("render-worker")
            .arg(format!("--memory-mb={}", settings.memory_mb))
            // It knows nothing but what it is asked.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().expect("it was asked for");
        let mut output = child.stdout.take().expect("it was asked for");
        let (told, mut answers) = mpsc::channel(DEPTH);
        tokio::spawn(async move {
            while let Ok(answer) = frame::receive(&mut output).await {
                if told.send(answer).await.is_err() {
                    break;
                }
            }
        });
        // Its start is not the time of the first template.
        match timeout(PATIENCE, answers.recv()).await {
            Ok(Some(Answer::Ready)) => Ok(Self { child, input, answers }),
            _ => Err(std::io::Error::other("it does not become ready")),
        }
    }

    /// Has the templates in `open` rendered, and what comes in the queue; `None` = nobody asks any more.
    /// The first of `open` is the one that is being rendered.
    async fn work(
        &mut self,
        queue: &mut mpsc::Receiver<Job>,
        open: &mut VecDeque<Job>,
        patience: Duration,
    ) -> Option<End> {
        let mut sent = 0;
        let mut closed = false;
        let mut until = Instant::now() + patience;
        loop {
            if closed && open.is_empty() {
                return None;
            }
            while let Some(job) = open.get(sent) {
                if sent == 0 {
                    until = Instant::now() + patience;
                }
                match timeout(patience, self.input.write_all(&job.frame)).await {
                    Ok(Ok(())) => sent += 1,
                    Ok(Err(_)) => return Some(End::Gone),
                    Err(_) => return Some(End::Slow),
                }
            }
            tokio::select! {
                job = queue.recv(), if !closed && open.len() < DEPTH => match job {
                    Some(job) => open.push_back(job),
                    // What is open is still answered.
                    None => closed = true,
                },
                answer = self.answers.recv() => {
                    let Some(answer) = answer else { return Some(End::Gone) };
                    let Some(job) = open.pop_front() else { return Some(End::Gone) };
                    sent -= 1;
                    until = Instant::now() + patience;
                    // Who does not wait any more need not be told.
                    let _ = job.answer.send(result(answer));
                }
                () = sleep_until(until), if sent > 0 => return Some(End::Slow),
            }
        }
    }

    /// Ends the process, and says what that was about.
    async fn end(mut self, end: End) -> Failure {
        match end {
            // It goes with `self`.
            End::Slow => return Failure::TooSlow,
            End::Gone => drop(self.input),
        }
        let status = timeout(PATIENCE, self.child.wait()).await;
        match status {
            // What Rust does where there is no memory.
            Ok(Ok(status)) if status.signal() == Some(Signal::SIGABRT as i32) => Failure::TooMuch,
            Ok(Ok(status)) => {
                tracing::warn!("a process that renders templates ended by itself: {status}");
                Failure::Died
            }
            Ok(Err(_)) | Err(_) => Failure::Died,
        }
    }
}

fn result(answer: Answer) -> Result<String, Failure> {
    match answer {
        Answer::Script(script) => Ok(script),
        Answer::Mistake(words) => Err(Failure::Mistake(words)),
        Answer::TooMuch => Err(Failure::TooMuch),
        Answer::Ready => Err(Failure::Died),
    }
}
