//! One file per subcommand: its arguments, and the function that runs it.

pub mod ask;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod inspect;
pub mod man;
pub mod rules;
pub mod sim;
pub mod truth;
