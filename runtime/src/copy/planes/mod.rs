mod rows;
mod sides;
mod volumes;

pub use rows::{Copy2d, copy_2d, copy_2d_async, download_2d, upload_2d};
pub use sides::{Memory, Position, Side};
pub use volumes::{Copy3d, copy_3d, copy_3d_async, copy_3d_peer, copy_3d_peer_async};

pub(super) use rows::rows_fit;
