//! Says before a CUDA copy what is wrong with it, which byte, whose memory, what CUDA will
//! answer, and what to change.
//!
//! Facts about a call's operands come in ([`facts`], asked for in [`ask`] alone), pure functions
//! decide ([`predict()`] what CUDA will answer, [`rules`] why), and a [`Finding`] comes out.
//! [`Checker`] puts that around calls that are really made; [`Registry`] knows what this process
//! allocated; [`repro`] has a wrong call and a right twin for the rules.
//!
//! # Examples
//!
//! Forty bytes of device memory, and four hundred to be copied there:
//!
//! ```
//! use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
//! use cuwhy_validate::facts::Permissions;
//! use cuwhy_validate::{Call, Kind, Prediction, Span, check};
//!
//! let device = Span::sized(0x7f4d_3680_0000, 40);
//! let host = Span::sized(0x5555_0000_0000, 4096);
//! let world = Recorded::default()
//!     .with(device, Attributes { memory_type: 2, range: Some(device), ..Attributes::default() })
//!     .with_host(Mapped { span: host, permissions: Permissions::READ_WRITE, name: None });
//!
//! let call = Call::memcpy(device.start, host.start, 400, Kind::HostToDevice);
//! let verdict = check(&call, &world, None);
//! assert_eq!(verdict.prediction, Prediction::Status(1));
//! assert_eq!(verdict.findings[0].rule, "range.past-end");
//! assert_eq!(
//!     verdict.findings[0].says,
//!     "the copy runs 360 bytes past the end of its destination"
//! );
//! ```
//!
//! On a real driver `Live::new(driver)` takes the place of the recording.

pub mod ask;
pub mod book;
pub mod call;
#[cfg(any(feature = "driver", feature = "runtime"))]
pub mod checked;
pub mod checker;
#[cfg(feature = "device-state")]
pub mod device_state;
pub mod facts;
pub mod finding;
pub mod predict;
pub mod registry;
pub mod repro;
pub mod rules;
mod span;
mod verdict;

pub use call::{Api, Call, Kind, Operand, Order, Role, Site, Stream};
pub use checker::{CheckedError, Checker, Policy};
pub use facts::{Class, Facts, OperandFacts};
pub use finding::Finding;
pub use predict::{Prediction, predict};
pub use registry::Registry;
pub use rules::{Evidence, RULES, Rule, Severity};
pub use span::Span;
pub use verdict::{Verdict, check, find, judge};
