//! The bench on the wire: the real server on virtual interfaces, with clients that know nothing of it.
//!
//! What proves compatibility, and what does not: klibc, BusyBox, `bootpc`, `curl`, `tftp-hpa`, `atftp`,
//! U-Boot, iPXE, `dnsmasq` and `pynetinstall` were written by others, and show that our BOOTP, DHCP, TFTP
//! and Netinstall are theirs. The boards of the simulator are test doubles that we wrote ourselves, from
//! the same notes as the server: that they are served proves consistency, not compatibility. Nothing here
//! proves what a real board does.
//!
//! The server stays in the namespace of the tests, where its database and its API are; what it serves is
//! at the other end of a pair of interfaces. Where the kernel gives no namespaces, or a client is not
//! installed, a test says so on standard error (`SKIPPED netboot: ...`), and `tests/run` counts it.

mod agreed;
mod boards;
mod clients;
mod console;
mod installs;
mod lab;
mod learn;
mod lossy;
mod machines;
mod modes;
mod oracle;
mod others;
mod pipe;
mod policy;
mod transfers;
mod turns;
mod two;
mod wire;
