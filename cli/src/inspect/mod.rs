//! A report in every form in which `cuwhy inspect` prints it.
//!
//! Printing is a function of the report alone: what is printed of a saved report is what would have
//! been printed on its machine.

pub mod flat;
pub mod health;
pub mod prometheus;
pub mod saved;
pub mod select;
pub mod sheet;
pub mod tables;
