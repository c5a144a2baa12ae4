//! Virtual memory: addresses, physical memory and mappings as separate owned things.
//!
//! A [`Reservation`] is a range of addresses with nothing behind it; a [`Physical`] is memory without an
//! address; a [`Mapping`] puts the one behind the other, and nobody may touch it until
//! [`Mapping::set_access`] says who.
//!
//! The runtime has no such calls: this room calls the driver, in the primary context of the device.

mod mapping;
mod physical;
mod properties;
mod reservation;

pub use mapping::Mapping;
pub use physical::Physical;
pub use properties::{Export, Granularity, granularity};
pub use reservation::Reservation;

pub(crate) use physical::owned;
