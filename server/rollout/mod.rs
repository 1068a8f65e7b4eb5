//! Rollouts: a change, the devices, and a plan made of waves (design section 2).
//!
//! Pure, but for [`reconcile`]: no clock, no database, no randomness.
//!
//! - [`change`], [`plan`]: what, for whom, and how, as people write it; `check` refuses nonsense.
//! - [`state`]: where a rollout and a device in it can be, and go.
//! - [`assign`]: which devices are in which wave, and in which order.
//! - [`pace`]: how many may begin now.
//! - [`gate`]: whether a wave is good, and what then.
//! - [`device`]: what one device does next, from what is seen of it.
//! - [`fault`]: what a failure means for the rollout. [`words`]: how many, in words.

pub mod assign;
pub mod change;
pub mod check;
pub mod device;
pub mod fault;
pub mod gate;
pub mod pace;
pub mod plan;
pub mod reconcile;
pub mod state;
pub mod words;

#[cfg(test)]
mod simulation;
