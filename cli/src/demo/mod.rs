//! The copies of `cuwhy demo`: made on a real device, judged before, compared after.

mod cases;
mod session;

pub use cases::{Case, cases};
pub use session::{Session, Shown};
