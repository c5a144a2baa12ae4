//! The C interface: one entry per exported name.

mod array;
mod attributes;
mod c;
mod context;
mod copy;
mod copy_array;
mod copy_box;
mod device;
mod event;
mod exports;
mod gate;
mod guard;
mod init;
mod library;
mod memory;
mod memset;
mod module;
mod pool;
mod proc_address;
mod stream;
mod submit;
mod texts;
mod vmm;

use crate::model::machine::machine;

/// The CUDA version of this driver; also before `cuInit`.
fn driver_version() -> u32 {
    machine().map_or_else(|_not_yet| crate::config::Config::from_environment().driver, |machine| machine.config.driver)
}
