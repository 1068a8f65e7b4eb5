//! One bench at work: its sockets around its [`Engine`].
//!
//! Owns the sockets, and which are open: before somebody has armed the bench only those that hear. It
//! decides nothing: what the engine asks is decided in tasks of their own, so many at a time, and comes
//! back as it is done; what it writes is written by another. So nothing that is slow holds up a board.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use muster_netboot::mac::Mac;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::bench::Bench;
use super::decide::{Decider, Decision, Question};
use super::engine::{Datagram, Engine, Now, Orders, Out, Port, Setup};
use super::images::Library;
use super::minder::{self, Status};
use super::record::Writer;
use super::socket::{self, Link, Listening, Serving, receive};
use crate::clock;
use crate::ctx::Shared;
use crate::store::bench as store;

/// Decisions that are made at the same time, at most, and of all connections to the database one of so
/// many: the rest is for the devices and people that are there already.
const DECISIONS: u32 = 16;
const OF_CONNECTIONS: u32 = 3;
/// Between two looks at the interface.
const LOOK: Duration = Duration::from_secs(1);
/// After a socket that failed.
const BREATH: Duration = Duration::from_millis(50);
/// How long what happened may take to be written before the bench ends, or begins anew.
const FLUSH: Duration = Duration::from_secs(5);
/// While nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// The longest datagram that means anything here, in bytes, and some more.
const DATAGRAM: usize = 4_096;

/// What comes back from tasks.
enum Event {
    Decided(Box<Decision>),
    Saved(Mac),
}

/// What was heard, by socket.
struct Buffers([Vec<u8>; 5]);

impl Buffers {
    fn new() -> Self {
        Self(std::array::from_fn(|_| vec![0; DATAGRAM]))
    }

    fn of(&self, port: Port) -> &[u8] {
        let [bootp, replies, tftp, transfer, netinstall] = &self.0;
        match port {
            Port::Bootp => bootp,
            Port::Replies => replies,
            Port::Tftp => tftp,
            Port::Transfer => transfer,
            Port::Netinstall => netinstall,
        }
    }
}

struct Responder {
    app: Shared,
    bench: Bench,
    decider: Arc<Decider>,
    gate: Arc<Semaphore>,
    events: mpsc::UnboundedSender<Event>,
    writer: Writer,
    orders: watch::Receiver<Orders>,
    status: watch::Sender<Status>,
    began: Instant,
    link: Option<Link>,
    engine: Option<Engine>,
    listening: Option<Listening>,
    serving: Option<Serving>,
}

/// Serves boards on one interface until the process stops. What began in the middle of that is cut off;
/// what happened is written.
pub async fn run(app: Shared, bench: Bench, library: Arc<Library>, stop: CancellationToken) {
    let (events, mut happened) = mpsc::unbounded_channel();
    let (status, said) = watch::channel(Status::default());
    let (ordered, orders) = watch::channel(Orders::default());
    tokio::spawn(minder::run(app.clone(), bench.clone(), said, ordered, stop.clone()));
    let saved = events.clone();
    let decisions = decisions(app.config.database.max_connections);
    let mut responder = Responder {
        decider: Arc::new(Decider::new(app.clone(), bench.clone(), library)),
        gate: Arc::new(Semaphore::new(decisions)),
        writer: Writer::start(app.clone(), move |mac| {
            // Who would hear of it is gone with the bench.
            let _ = saved.send(Event::Saved(mac));
        }),
        began: Instant::now(),
        link: None,
        engine: None,
        listening: None,
        serving: None,
        app,
        bench,
        events,
        orders: orders.clone(),
        status,
    };
    let (mut changes, mut buffers) = (orders, Buffers::new());
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = responder.due();
        tokio::select! {
            () = stop.cancelled() => break,
            heard = hear(responder.listening.as_ref(), responder.serving.as_ref(), &mut buffers) => {
                match heard {
                    Ok((port, from, bytes)) => {
                        responder.heard(port, from, &buffers.of(port)[..bytes]).await;
                    }
                    Err(e) => {
                        tracing::debug!(bench.interface = responder.bench.interface, "{e}");
                        sleep(BREATH).await;
                    }
                }
            }
            Some(event) = happened.recv() => responder.happened(event).await,
            Ok(()) = changes.changed() => responder.ordered(),
            _ = look.tick() => responder.look().await,
            () = sleep_until(due) => responder.tick().await,
        }
    }
    if timeout(FLUSH, responder.writer.flush()).await.is_err() {
        tracing::error!("what happened last at the bench was not written: the database is away");
    }
}

/// How many decisions are made at the same time.
fn decisions(connections: u32) -> usize {
    let most = (connections / OF_CONNECTIONS).clamp(2, DECISIONS);
    usize::try_from(most).expect("it is a small number")
}

/// The next datagram: on which socket, from whom, and how many bytes of its buffer it has.
async fn hear(
    listening: Option<&Listening>,
    serving: Option<&Serving>,
    buffers: &mut Buffers,
) -> io::Result<(Port, SocketAddrV4, usize)> {
    let [bootp, replies, tftp, transfer, netinstall] = &mut buffers.0;
    let replies_socket = listening.and_then(|sockets| sockets.replies.as_ref());
    let (port, got) = tokio::select! {
        got = receive(listening.map(|s| &s.bootp), bootp) => (Port::Bootp, got),
        got = receive(replies_socket, replies) => (Port::Replies, got),
        got = receive(serving.map(|s| &s.tftp), tftp) => (Port::Tftp, got),
        got = receive(serving.map(|s| &s.transfer), transfer) => (Port::Transfer, got),
        got = receive(serving.map(|s| &s.netinstall), netinstall) => (Port::Netinstall, got),
    };
    got.map(|(bytes, from)| (port, from, bytes))
}

impl Responder {
    fn now(&self) -> Now {
        Now { since: self.began.elapsed(), at: clock::now() }
    }

    /// When time has something to do.
    fn due(&self) -> Instant {
        let deadline = self.engine.as_ref().and_then(Engine::deadline);
        deadline.map_or_else(|| Instant::now() + IDLE, |since| self.began + since)
    }

    async fn heard(&mut self, port: Port, from: SocketAddrV4, bytes: &[u8]) {
        let now = self.now();
        if let Some(engine) = &mut self.engine {
            let out = engine.packet(port, from, bytes, now);
            self.carry_out(out).await;
        }
        let now = self.now();
        if port == Port::Tftp
            && let Some(engine) = &mut self.engine
        {
            engine.answered(from, now);
        }
    }

    async fn happened(&mut self, event: Event) {
        let now = self.now();
        if let Some(engine) = &mut self.engine {
            let out = match event {
                Event::Decided(decision) => engine.decided(*decision, now),
                Event::Saved(mac) => engine.saved(mac),
            };
            self.carry_out(out).await;
        }
    }

    async fn tick(&mut self) {
        let now = self.now();
        if let Some(engine) = &mut self.engine {
            let out = engine.tick(now);
            self.carry_out(out).await;
        }
    }

    fn ordered(&mut self) {
        let orders = self.orders.borrow().clone();
        if let Some(engine) = &mut self.engine {
            engine.ordered(orders);
        }
        // Else the next look says what is wrong.
        if self.listening.is_some() {
            let problem = self.open_or_close();
            self.tell(problem);
        }
    }

    async fn carry_out(&mut self, out: Out) {
        self.send(out.sends).await;
        for write in out.writes {
            self.writer.write(write);
        }
        for question in out.questions {
            self.ask(question);
        }
    }

    async fn send(&self, sends: Vec<Datagram>) {
        let now = self.now();
        if !self.engine.as_ref().is_some_and(|engine| engine.serves(now)) {
            return;
        }
        for Datagram { from, to, bytes } in sends {
            let Some(socket) = self.socket(from) else { continue };
            // What is lost is said again.
            if let Err(e) = socket.send_to(&bytes, to).await {
                tracing::debug!(bench.interface = self.bench.interface, "to {to}: {e}");
            }
        }
    }

    fn socket(&self, port: Port) -> Option<&UdpSocket> {
        let (listening, serving) = (self.listening.as_ref(), self.serving.as_ref());
        match port {
            Port::Bootp => listening.map(|sockets| &sockets.bootp),
            // Where another program has it, others are asked from where boards are answered.
            Port::Replies => {
                listening.map(|sockets| sockets.replies.as_ref().unwrap_or(&sockets.bootp))
            }
            Port::Tftp => serving.map(|sockets| &sockets.tftp),
            Port::Transfer => serving.map(|sockets| &sockets.transfer),
            Port::Netinstall => serving.map(|sockets| &sockets.netinstall),
        }
    }

    fn ask(&self, question: Question) {
        let (decider, gate) = (Arc::clone(&self.decider), Arc::clone(&self.gate));
        let (events, profiles) = (self.events.clone(), Arc::clone(&self.orders.borrow().profiles));
        let asked = Instant::now();
        tokio::spawn(async move {
            let _permit = gate.acquire_owned().await;
            let decision = decider.decide(question, &profiles).await;
            metrics::histogram!("muster_bench_decision_seconds").record(asked.elapsed());
            // Who asked is gone with the bench.
            let _ = events.send(Event::Decided(Box::new(decision)));
        });
    }

    /// Looks at the interface, which may come, go, and change.
    async fn look(&mut self) {
        let problem = match socket::link(&self.bench.interface) {
            Ok(link) => self.on(link).await,
            Err(why) => {
                (self.listening, self.serving) = (None, None);
                if let Some(engine) = &mut self.engine {
                    engine.ready(Err(why.clone()));
                }
                Some(why)
            }
        };
        self.tell(problem);
    }

    /// Works on the interface as it is; gives why it cannot, in words.
    async fn on(&mut self, link: Link) -> Option<String> {
        if self.link != Some(link) {
            (self.listening, self.serving) = (None, None);
            // Whatever the next one decides rests on what this one wrote.
            if !self.settled().await {
                return Some("the database is away".to_owned());
            }
            let config = &self.app.config.bench;
            let mut engine = Engine::new(Setup {
                bench_id: self.bench.bench_id,
                mac: link.mac,
                network: link.address,
                range: config.range(),
                lease_seconds: config.lease_seconds,
            });
            let mut orders = self.orders.borrow().clone();
            // Whoever armed it meant the one before: until the minder has looked, nobody has.
            if self.link.is_some_and(|before| before.mac != link.mac) {
                orders.until = None;
            }
            engine.ordered(orders);
            (self.engine, self.link) = (Some(engine), Some(link));
            let (interface, address) = (&self.bench.interface, link.address);
            tracing::info!(bench.interface = interface, "the bench is at {address}");
        }
        if self.listening.is_none() {
            match Listening::open(&self.bench.interface) {
                Ok(listening) => self.listening = Some(listening),
                Err(why) => return Some(why),
            }
        }
        self.open_or_close()
    }

    /// Has written what the engine before said, and ended what it left. False = the database is away.
    async fn settled(&self) -> bool {
        let bench_id = self.bench.bench_id;
        let settle = async {
            self.writer.flush().await;
            store::interrupted(&self.app.pool, bench_id, clock::now()).await
        };
        match timeout(FLUSH, settle).await {
            Ok(Ok(0)) => true,
            Ok(Ok(boards)) => {
                tracing::warn!(bench.id = %bench_id, boards, "boards were being served, and are not");
                true
            }
            Ok(Err(e)) => {
                tracing::error!(bench.id = %bench_id, "what was interrupted is not written: {e}");
                false
            }
            Err(_) => false,
        }
    }

    /// Opens what serves boards while it is needed, and closes it; gives why it cannot be opened.
    fn open_or_close(&mut self) -> Option<String> {
        let now = self.now();
        let (Some(engine), Some(link)) = (&mut self.engine, self.link) else { return None };
        if self.listening.is_none() || !engine.serves(now) {
            if self.serving.take().is_some() {
                engine.ready(Err("its ports are not open".to_owned()));
            }
            return None;
        }
        if self.serving.is_none() {
            match Serving::open(&self.bench.interface, link.address.addr()) {
                Ok(serving) => {
                    self.serving = Some(serving);
                    engine.ready(Ok(()));
                }
                Err(why) => {
                    engine.ready(Err(why.clone()));
                    return Some(why);
                }
            }
        }
        None
    }

    fn tell(&self, problem: Option<String>) {
        let now = self.now();
        let status = Status {
            mac: self.link.map(|link| link.mac.to_string()),
            address: self.link.map(|link| IpNet::V4(link.address)),
            problem,
            others: self.engine.as_ref().map(|engine| engine.others(now)).unwrap_or_default(),
        };
        self.status.send_if_modified(|told| {
            let news = *told != status;
            *told = status;
            news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_leave_connections_for_everybody_else() {
        for (connections, most) in [(1, 2), (8, 2), (12, 4), (48, 16), (500, 16)] {
            assert_eq!(decisions(connections), most, "{connections}");
        }
    }
}
