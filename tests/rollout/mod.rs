//! Staged rollouts: the real server, simulated devices of four architectures and two generations of
//! RouterOS, some of them sick.

mod chaos;
pub mod lab;
mod more;
mod named;
mod other;
mod people;
mod scale;
mod story;
mod template;
