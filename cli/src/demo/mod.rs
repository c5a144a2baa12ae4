//! The copies of `cuwhy demo`: made on a real device, judged before, compared after.

mod cases;
mod chosen;
mod last_words;
mod play;
mod player;
mod rules;
mod session;

pub use cases::{Case, cases};
pub(crate) use chosen::unknown;
pub use play::play;
pub use rules::{Scene, Scenes, table};
pub use session::{Session, Shown};
