//! An experiment's TOML file, checked and resolved into a [`Plan`].

pub mod plan;

pub use plan::Plan;
