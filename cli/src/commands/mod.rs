//! One file per subcommand: its arguments, and the function that runs it.

pub mod ask;
pub mod completions;
pub mod inspect;
pub mod man;
