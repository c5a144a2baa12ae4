//! The C interface: one entry per exported name.

mod array;
mod attributes;
mod batch;
mod c;
mod capture;
mod context;
mod copy;
mod copy_array;
mod copy_box;
mod device;
mod event;
mod exports;
mod extra;
mod forked;
mod gate;
mod graph;
mod graph_exec;
mod graph_memory;
mod graph_query;
mod guard;
mod init;
mod ipc;
mod library;
mod managed;
mod memory;
mod memset;
mod module;
mod node;
mod pool;
mod proc_address;
mod sentences;
mod stream;
mod submit;
mod texts;
mod vmm;

/// The CUDA version of this driver; also before `cuInit`.
fn driver_version() -> u32 {
    crate::model::machine::start().config.driver
}
