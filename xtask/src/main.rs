//! Chores of the workspace. `cargo xtask help` lists them.

mod codegen;
mod gpu_archive;
mod packages;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Chores of the cuwhy workspace")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Make the committed bindings again from the pinned header packages.
    Codegen {
        /// Write nothing; fail when a committed file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Pack tests, benches, the command and real runtimes for a machine with a GPU and without Rust.
    GpuArchive {
        /// Build the tests optimised: smaller, and slower to make.
        #[arg(long)]
        release: bool,
    },
    /// Fetch and unpack the pinned packages: headers and real libcudart of every version.
    Toolkits,
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Codegen { check } => codegen::run(check),
        Chore::GpuArchive { release } => gpu_archive::run(release),
        Chore::Toolkits => packages::fetch_all().map(drop),
    }
}
