//! What CUDA knows of an address.
//!
//! [`attributes`] answers for every address, even one that CUDA has never heard of; [`address_range`] tells the allocation around an address.

mod address;
mod attributes;
mod range;

pub use address::Address;
pub use attributes::{Access, Attributes, MemoryType, attributes};
pub use range::{AddressRange, address_range, symbol_range};
