//! The processes that render, as the server keeps them: started when they are needed, asked for several
//! templates at a time, ended when one takes too long, and started again.
//!
//! Owns that no template holds up the others: one that took too long, or ended its process, is not begun
//! again for a while, and nobody waits without end.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{self, Answer, Request};
use super::refused::{Key, Refused};
use super::{Failure, Settings};

/// Templates that a process is given ahead, so that it need not wait to be asked.
pub(super) const DEPTH: usize = 16;
/// How long a process may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a template may wait for a process, beside the time that it may render.
const WAIT: Duration = Duration::from_secs(10);

/// Renders templates in processes of their own.
pub struct Renderer {
    lanes: Vec<Lane>,
    refused: Arc<Refused>,
    /// How long whoever asks waits for an answer.
    deadline: Duration,
}

/// The way to one process, whichever it is at the time.
struct Lane {
    jobs: mpsc::Sender<Job>,
    /// Who waits for it.
    waiting: Arc<AtomicUsize>,
}

/// A template that is to be rendered.
struct Job {
    key: Key,
    /// What the log calls it.
    name: String,
    frame: Vec<u8>,
    answer: oneshot::Sender<Result<String, Failure>>,
}

impl Job {
    /// Why it is not begun: nobody waits for it any more, or its template went too far meanwhile.
    fn given_up(&self, refused: &Refused) -> Option<Failure> {
        match self.answer.is_closed() {
            true => Some(Failure::Busy),
            false => refused.why(&self.key, std::time::Instant::now()),
        }
    }

    /// Tells whoever waits; who does not any more need not be told.
    fn tell(self, told: Result<String, Failure>) {
        let _ = self.answer.send(told);
    }
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
        let deadline = WAIT + settings.patience;
        let (settings, refused) = (Arc::new(settings), Arc::<Refused>::default());
        let lane = |_| {
            let (jobs, queue) = mpsc::channel(DEPTH);
            tokio::spawn(run(Arc::clone(&settings), Arc::clone(&refused), queue));
            Lane { jobs, waiting: Arc::default() }
        };
        let lanes = (0..settings.workers.max(1)).map(lane).collect();
        Self { lanes, refused, deadline }
    }

    /// The script that a template gives a device with the values in `context`, an object. One that went
    /// too far is refused with the same words for five minutes, and the log has its name.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn render(
        &self,
        name: &str,
        template: &str,
        context: Value,
    ) -> Result<String, Failure> {
        self.asked(key("device", template), name, template, context).await
    }

    /// The same for people. Their values may be any: what goes too far with these is refused to people,
    /// and not to devices.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn try_out(
        &self,
        name: &str,
        template: &str,
        context: Value,
    ) -> Result<String, Failure> {
        self.asked(key("person", template), name, template, context).await
    }

    async fn asked(
        &self,
        key: Key,
        name: &str,
        template: &str,
        context: Value,
    ) -> Result<String, Failure> {
        if let Some(failure) = self.refused.why(&key, std::time::Instant::now()) {
            return Err(failure);
        }
        let request = Request { template: template.into(), context };
        let frame = frame::encoded(&request)
            .map_err(|e| Failure::Mistake(format!("the template and its values: {e}")))?;
        let least = |lane: &&Lane| lane.waiting.load(Ordering::Relaxed);
        let lane = self.lanes.iter().min_by_key(least).expect("there is at least one");
        lane.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&lane.waiting);
        let (answer, answered) = oneshot::channel();
        let told = async {
            let job = Job { key, name: name.to_owned(), frame, answer };
            if lane.jobs.send(job).await.is_err() {
                return Err(Failure::Died);
            }
            answered.await.unwrap_or(Err(Failure::Died))
        };
        timeout(self.deadline, told).await.unwrap_or(Err(Failure::Busy))
    }
}

/// What a template is known by, to whoever has it rendered.
fn key(whose: &str, template: &str) -> Key {
    Sha256::new().chain_update(whose).chain_update([0_u8]).chain_update(template).finalize().into()
}

/// Keeps a process at work until nobody asks any more. What a process that had to be ended was given
/// ahead goes to the next one: answers come in order, so it is known whose template ended it.
async fn run(settings: Arc<Settings>, refused: Arc<Refused>, mut queue: mpsc::Receiver<Job>) {
    let mut open: VecDeque<Job> = VecDeque::new();
    loop {
        if open.is_empty() {
            match queue.recv().await {
                Some(job) => open.push_back(job),
                None => return,
            }
        }
        let (failure, of_template) = match Worker::start(&settings).await {
            Ok(mut worker) => {
                match worker.work(&mut queue, &mut open, &refused, settings.patience).await {
                    Some(end) => worker.end(end).await,
                    None => return,
                }
            }
            Err(error) => {
                let program = settings.program.display();
                tracing::error!("{program} render-worker does not start: {error}");
                (Failure::Died, false)
            }
        };
        if let Some(job) = open.pop_front() {
            let template = job.name.as_str();
            tracing::warn!(template, "the rendering of a template was ended: {failure}");
            if of_template {
                refused.note(job.key, &failure, std::time::Instant::now());
            }
            job.tell(Err(failure));
        }
    }
}

/// How the work of a process ended.
enum End {
    /// It took too long.
    Slow,
    /// It is gone; whether a template had been begun.
    Gone { begun: bool },
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
        refused: &Refused,
        patience: Duration,
    ) -> Option<End> {
        let mut sent = 0;
        let mut closed = false;
        let mut until = Instant::now() + patience;
        loop {
            while let Some(job) = open.get(sent) {
                if let Some(failure) = job.given_up(refused) {
                    if let Some(job) = open.remove(sent) {
                        job.tell(Err(failure));
                    }
                    continue;
                }
                if sent == 0 {
                    until = Instant::now() + patience;
                }
                match timeout(patience, self.input.write_all(&job.frame)).await {
                    Ok(Ok(())) => sent += 1,
                    Ok(Err(_)) => return Some(End::Gone { begun: sent > 0 }),
                    Err(_) => return Some(End::Slow),
                }
            }
            if closed && open.is_empty() {
                return None;
            }
            tokio::select! {
                job = queue.recv(), if !closed && open.len() < DEPTH => match job {
                    Some(job) => open.push_back(job),
                    // What is open is still answered.
                    None => closed = true,
                },
                answer = self.answers.recv() => {
                    let gone = Some(End::Gone { begun: sent > 0 });
                    let Some(answer) = answer else { return gone };
                    let Some(job) = open.pop_front() else { return gone };
                    sent -= 1;
                    until = Instant::now() + patience;
                    let told = result(answer);
                    if let Err(failure) = &told {
                        refused.note(job.key, failure, std::time::Instant::now());
                    }
                    job.tell(told);
                }
                () = sleep_until(until), if sent > 0 => return Some(End::Slow),
            }
        }
    }

    /// Ends the process, and says what that was about, and whether the template is to blame.
    async fn end(mut self, end: End) -> (Failure, bool) {
        let begun = match end {
            // It goes with `self`.
            End::Slow => return (Failure::TooSlow, true),
            End::Gone { begun } => begun,
        };
        drop(self.input);
        let Ok(Ok(status)) = timeout(PATIENCE, self.child.wait()).await else {
            return (Failure::Died, begun);
        };
        // What Rust does where there is no memory.
        if status.signal() == Some(Signal::SIGABRT as i32) {
            return (Failure::TooMuch, begun);
        }
        tracing::warn!("a process that renders templates ended by itself: {status}");
        // That one it cannot send itself: somebody else did.
        (Failure::Died, begun && status.signal() != Some(Signal::SIGKILL as i32))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One with a process that never answers, and what that is asked.
    fn deaf() -> (Renderer, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(1);
        let lanes = vec![Lane { jobs, waiting: Arc::default() }];
        let deadline = Duration::from_millis(20);
        (Renderer { lanes, refused: Arc::default(), deadline }, queue)
    }

    #[tokio::test]
    async fn nobody_waits_without_end() {
        let (renderer, mut queue) = deaf();
        // The second one does not even come into the queue.
        for _ in 0..2 {
            assert_eq!(renderer.render("x", "x", json!({})).await, Err(Failure::Busy));
        }
        assert_eq!(renderer.lanes[0].waiting.load(Ordering::Relaxed), 0);
        let left = queue.try_recv().expect("it was asked");
        assert_eq!(left.name, "x");
        assert_eq!(left.given_up(&renderer.refused), Some(Failure::Busy));
    }

    #[tokio::test]
    async fn what_went_too_far_is_refused_at_once_and_to_nobody_else() {
        let (renderer, mut queue) = deaf();
        let now = std::time::Instant::now();
        renderer.refused.note(key("person", "slow"), &Failure::TooSlow, now);
        assert_eq!(renderer.try_out("x", "slow", json!({})).await, Err(Failure::TooSlow));
        assert!(queue.try_recv().is_err(), "no process was asked");
        assert_eq!(renderer.render("x", "slow", json!({})).await, Err(Failure::Busy));
        assert!(queue.try_recv().is_ok(), "a device is not refused for what a person tried");
        assert_eq!(renderer.try_out("x", "other", json!({})).await, Err(Failure::Busy));
    }
}
