//! Staged rollouts: the real server, simulated devices of four architectures and two generations of
//! RouterOS, some of them sick.

mod chaos;
mod forecast;
mod held_fast;
mod kept;
pub mod lab;
mod more;
mod named;
mod other;
mod people;
mod right;
mod scale;
mod secret;
mod story;
mod template;
