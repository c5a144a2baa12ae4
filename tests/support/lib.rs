//! What the tests of several crates share: where things are, whether there is a GPU, and how a test
//! that may die is run.
//!
//! | setting | values | meaning |
//! | --- | --- | --- |
//! | `CUWHY_TEST_GPU` | `auto` (default), `off`, `require` | device tests run where a device is; never; or a test that had to be skipped is a failure |
//! | `CUWHY_TEST_TOOLKITS` | `auto` (default), `require` | the same for tests that need the pinned toolkits (`cargo xtask toolkits`) or a C compiler |
//! | `CUWHY_TOOLKITS` | a folder | where the unpacked toolkits are, when not in the target folder |
//! | `CUWHY_ARCHIVE` | a folder | the root of the archive for GPU machines, when the tests do not stand inside it |

mod child;
mod compiler;
mod cuda;
mod gpu;
mod place;
mod skip;
mod toolkit;

pub use child::{Child, Outcome, test_name};
pub use compiler::{compiler, refused_lines, run_c, shared_object};
pub use cuda::{is_on_machine, on_cuda, on_cuda_with, simulated};
pub use gpu::{Wanted, device, device_or_why, wanted};
pub use place::{ARCHIVE_MARK, House, executable, fixture, house, shared_library, workspace};
pub use skip::skip;
pub use toolkit::{Toolkit, toolkit, toolkits};
