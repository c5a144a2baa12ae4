//! One file per subcommand: its arguments, and the function that runs it.

pub mod completions;
pub mod demo;
pub mod man;
