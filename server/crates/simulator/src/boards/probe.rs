//! The probe: a boot loader that asks an official server for a configuration, so that it can be seen
//! what such a server gives.
//!
//! Here the double is of use: the server does not know that it is talking to one. What it sends is the
//! vendor's own, and is left as it is.

use std::time::Duration;

use muster_netboot::booter::{Begin, Habits, Hardware, Outcome};
use muster_netboot::mac::Mac;
use muster_netboot::netinstall::Announcement;
use muster_netboot::wire::{self, Frame};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::BoardsError;
use super::card::Card;
use super::socket::{MAX_FRAME, Socket};

/// Most frames that are kept.
const MAX_FRAMES: usize = 200_000;
/// Between two questions of a boot loader.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks where nothing is due.
const IDLE: Duration = Duration::from_secs(1);

/// Whom to ask, and as what.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// The interface that leads to the server.
    pub interface: String,
    /// The board's hardware address.
    pub mac: Mac,
    /// What it says it is: `952-hb`.
    pub board_id: String,
    /// Bytes that it says it has for a configuration.
    pub free: u32,
    /// How long it asks, where a board gives up after 2.4 s; at most an hour.
    pub patience: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Probed {
    /// All that it sent and all that reached it, each frame with its time.
    pub frames: Vec<(Duration, Vec<u8>)>,
    /// What a board would have made of it; none when the probe was stopped, or was sent on.
    pub outcome: Option<Outcome>,
}

/// Asks until there is an answer and the file is there, until nobody has answered for long enough, or
/// until `shutdown`.
///
/// # Errors
/// [`BoardsError::Interface`] when the interface is no good.
pub async fn probe(
    options: ProbeOptions,
    shutdown: CancellationToken,
) -> Result<Probed, BoardsError> {
    let socket = Socket::open(&options.interface)?;
    let failed = |error: std::io::Error| BoardsError::Interface {
        interface: options.interface.clone(),
        words: error.to_string(),
    };
    let began = Instant::now();
    let waits = options.patience.min(Duration::from_secs(3_600)).as_millis() / PAUSE.as_millis();
    let habits = Habits { waits: u32::try_from(waits).unwrap_or(u32::MAX), ..Habits::default() };
    let (mut card, mut sent) =
        Card::switch_on(hardware(&options), habits, Begin::Flashboot, 1, Duration::ZERO);
    let mut frames = Vec::new();
    let mut buffer = vec![0; MAX_FRAME];
    loop {
        for frame in sent.drain(..) {
            socket.send(&frame).await.map_err(failed)?;
            keep(&mut frames, began.elapsed(), frame);
        }
        let booter = card.booter();
        if booter.outcome().is_some() || booter.is_in_etherboot() {
            return Ok(Probed { frames, outcome: booter.outcome().cloned() });
        }
        let next = began + card.deadline().unwrap_or_else(|| began.elapsed() + IDLE);
        let heard = tokio::select! {
            () = shutdown.cancelled() => return Ok(Probed { frames, outcome: None }),
            heard = socket.receive(&mut buffer) => heard.map_err(failed)?,
            () = sleep_until(next) => 0,
        };
        let now = began.elapsed();
        if let Some(frame) = wire::read(&buffer[..heard]) {
            if is_for(&frame, options.mac) {
                keep(&mut frames, now, buffer[..heard].to_vec());
            }
            sent.extend(card.frame(&frame, now));
        }
        sent.extend(card.tick(now));
    }
}

/// A datagram to the board or to all; questions who has an address are not worth keeping.
fn is_for(frame: &Frame<'_>, mac: Mac) -> bool {
    matches!(frame, Frame::Udp(datagram) if [mac, Mac::BROADCAST].contains(&datagram.macs.1))
}

fn keep(frames: &mut Vec<(Duration, Vec<u8>)>, at: Duration, frame: Vec<u8>) {
    if frames.len() < MAX_FRAMES {
        frames.push((at, frame));
    }
}

fn hardware(options: &ProbeOptions) -> Hardware {
    let nothing = String::new;
    Hardware {
        mac: options.mac,
        board_id: options.board_id.clone(),
        free: options.free,
        // It never comes to that: the probe ends where it would be sent into Etherboot.
        class: nothing(),
        announcement: Announcement {
            software_id: nothing(),
            key: nothing(),
            model: nothing(),
            arch: nothing(),
            min_version: nothing(),
            version: None,
        },
    }
}
