//! A report as tables for people, one file per section.

mod all;
mod devices;
mod health;
mod libraries;
mod memory;
mod overview;
mod processes;
mod topology;
mod words;

pub use all::{all, chosen};
pub use devices::devices;
pub use health::health;
pub use libraries::libraries;
pub use memory::memory;
pub use overview::overview;
pub use processes::processes;
pub use topology::topology;
pub use words::{first_line, why_nothing};
