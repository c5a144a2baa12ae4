//! Says before a CUDA copy what is wrong with it, which byte, whose memory, what CUDA will
//! answer, and what to change.
//!
//! Facts about a call's operands come in ([`facts`], asked for in [`ask`] alone), pure functions
//! decide ([`predict()`] what CUDA will answer, [`rules`] why), and a [`Finding`] comes out.

pub mod ask;
pub mod book;
pub mod call;
#[cfg(any(feature = "driver", feature = "runtime"))]
pub mod checked;
pub mod checker;
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
