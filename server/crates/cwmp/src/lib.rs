//! CWMP (TR-069) for both sides of the wire: the SOAP codec, HTTP authentication, and the ACS-side
//! and CPE-side session machines.
//!
//! Pure: no sockets, no clock, no randomness, no database. Time and nonces are arguments. Liberal
//! in what it takes (devices exist that break every rule of the standard), strict in what it sends.
//!
//! - [`rpc`], [`fault`], [`value`]: the vocabulary.
//! - [`decode`], [`encode`]: bytes to vocabulary and back; [`xml`] is the capped reader below them.
//! - [`acs`], [`cpe`]: what each side of a session may do next.
//! - [`digest`]: Basic and Digest (RFC 7617, RFC 7616) for both sides.

#![forbid(unsafe_code)]

pub mod acs;
pub mod cookie;
pub mod cpe;
pub mod decode;
pub mod digest;
pub mod encode;
pub mod fault;
pub mod rpc;
pub mod value;
pub mod xml;
