//! Staged rollouts: the real server, simulated devices of four architectures and two generations of
//! RouterOS, some of them sick.

mod asks;
mod chaos;
mod forecast;
mod held_fast;
mod kept;
pub mod lab;
mod locked;
mod more;
mod moved;
mod named;
mod other;
mod people;
mod right;
mod scale;
mod secret;
mod story;
mod template;
