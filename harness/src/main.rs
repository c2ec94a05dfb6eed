//! The `exitlab` binary: starts logging, runs one command, maps its error to an exit code.

fn main() {}
