//! The CWMP sessions open on this node: found by cookie, one per device, capped.
//!
//! Holds no session's content for longer than it is open, and nothing that another node would need:
//! a killed node loses only what devices send again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::driver::Session;

/// A session and what finds it.
pub struct Slot {
    /// Its id: the cookie's value.
    pub session_id: Uuid,
    /// Whose.
    pub device_id: Uuid,
    /// Where it came from.
    pub address: IpAddr,
    /// Until when the device must send its next message.
    idle_until: Mutex<Instant>,
    /// Until when it must be over.
    pub deadline: Instant,
    /// How long it may be idle.
    pub timeout: Duration,
    /// The session; locked while one of its messages is worked on. `None` = over.
    pub session: tokio::sync::Mutex<Option<Session>>,
}

impl Slot {
    /// Starts the wait for the next message.
    pub fn touch(&self, now: Instant) {
        *lock(&self.idle_until) = (now + self.timeout).min(self.deadline);
    }
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<Uuid, Arc<Slot>>,
    by_device: HashMap<Uuid, Uuid>,
    by_address: HashMap<IpAddr, usize>,
}

/// All sessions of the node.
pub struct Sessions {
    inner: Mutex<Inner>,
    max: usize,
    max_per_address: usize,
}

/// Why no session was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The node has as many as it may.
    Node,
    /// This address has as many as it may.
    Address,
}

impl Sessions {
    /// With caps.
    pub fn new(max: usize, max_per_address: usize) -> Self {
        Self { inner: Mutex::default(), max, max_per_address }
    }

    /// Opens a session; gives the one of the same device that it supersedes (N7).
    pub fn open(
        &self,
        session: Session,
        address: IpAddr,
        timeout: Duration,
        deadline: Duration,
        now: Instant,
    ) -> Result<(Arc<Slot>, Option<Arc<Slot>>), Full> {
        let (session_id, device_id) = (session.session_id, session.device_id);
        let mut inner = lock(&self.inner);
        let old = inner.by_device.get(&device_id).copied();
        // The one that is superseded makes room; while there is none, it must not be lost either.
        let leaving = old.and_then(|id| inner.by_id.get(&id)).map(|slot| slot.address);
        if inner.by_id.len() - usize::from(leaving.is_some()) >= self.max {
            return Err(Full::Node);
        }
        let of_address = inner.by_address.get(&address).copied().unwrap_or(0);
        if of_address - usize::from(leaving == Some(address)) >= self.max_per_address {
            return Err(Full::Address);
        }
        let superseded = old.and_then(|id| remove(&mut inner, id));
        *inner.by_address.entry(address).or_default() += 1;
        let slot = Arc::new(Slot {
            session_id,
            device_id,
            address,
            idle_until: Mutex::new(now + timeout),
            deadline: now + deadline,
            timeout,
            session: tokio::sync::Mutex::new(Some(session)),
        });
        inner.by_id.insert(session_id, slot.clone());
        inner.by_device.insert(device_id, session_id);
        Ok((slot, superseded))
    }

    /// The session of a cookie.
    pub fn get(&self, session_id: Uuid) -> Option<Arc<Slot>> {
        lock(&self.inner).by_id.get(&session_id).cloned()
    }

    /// Takes a session out; its content is dropped when its last message has been worked on.
    pub fn close(&self, session_id: Uuid) -> Option<Arc<Slot>> {
        remove(&mut lock(&self.inner), session_id)
    }

    /// Takes out all that are idle for too long or over their deadline.
    pub fn expired(&self, now: Instant) -> Vec<Arc<Slot>> {
        let mut inner = lock(&self.inner);
        let late: Vec<Uuid> = inner
            .by_id
            .values()
            // One whose message is being worked on is not idle.
            .filter(|s| now >= *lock(&s.idle_until) && s.session.try_lock().is_ok())
            .map(|s| s.session_id)
            .collect();
        late.into_iter().filter_map(|id| remove(&mut inner, id)).collect()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        lock(&self.inner).by_id.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn remove(inner: &mut Inner, session_id: Uuid) -> Option<Arc<Slot>> {
    let slot = inner.by_id.remove(&session_id)?;
    if inner.by_device.get(&slot.device_id) == Some(&session_id) {
        inner.by_device.remove(&slot.device_id);
    }
    if let Some(n) = inner.by_address.get_mut(&slot.address) {
        *n -= 1;
        if *n == 0 {
            inner.by_address.remove(&slot.address);
        }
    }
    Some(slot)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks; the maps are whole either way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
