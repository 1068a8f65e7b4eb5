//! What mode a board is in, by what it asks.

use crate::bootp::Request;
use crate::profile::{self, Profile};
use crate::vendor;

/// What mode a board is in, by its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It takes a configuration: FlashFig.
    Flashboot,
    /// It takes a boot image.
    Etherboot {
        /// What it is made for, of [`vendor::TABLE`].
        arch: &'static str,
    },
    /// It speaks DHCP, whatever it says it is.
    Dhcp,
    /// A client of plain BOOTP that is no such board.
    Other,
}

impl Kind {
    /// As it is stored: `flashboot`, `etherboot`, `dhcp`, `other`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flashboot => "flashboot",
            Self::Etherboot { .. } => "etherboot",
            Self::Dhcp => "dhcp",
            Self::Other => "other",
        }
    }
}

/// What mode the request is of. A message of DHCP is of [`Kind::Dhcp`] also where it names an
/// architecture, unless a profile asks for just that.
pub fn kind(request: &Request, profiles: &[Profile]) -> Kind {
    if profile::matching(profiles, request).is_some() {
        return Kind::Flashboot;
    }
    if request.message_type().is_some() {
        return Kind::Dhcp;
    }
    match request.vendor_class().and_then(|class| vendor::arch_of(&class)) {
        Some(arch) => Kind::Etherboot { arch },
        None => Kind::Other,
    }
}
