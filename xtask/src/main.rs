//! Chores of the workspace. `cargo xtask help` lists them.

mod build_times;
mod codegen;
mod counts;
mod gpu_archive;
mod packages;
mod plots;

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
    /// Measure clean release builds for the table of docs/performance.md.
    BuildTimes {
        /// Criterion's folder, in which the other numbers are.
        folder: std::path::PathBuf,
    },
    /// Make the committed bindings again from the pinned header packages.
    Codegen {
        /// Write nothing; fail when a committed file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Compare how many instructions this tree and another commit take for the paths that must stay short.
    Counts {
        /// The commit to compare with: unless told, where this branch left the main branch, or, on
        /// the main branch, the parent.
        #[arg(long, env = "CUWHY_COUNTS_BASE", value_name = "REV")]
        base: Option<String>,
    },
    /// Draw the figures and fill in the tables of docs/performance.md.
    Plots {
        /// The folder that criterion wrote.
        folder: std::path::PathBuf,
        /// Where performance.md and the folder figures are; the workspace's docs unless told.
        #[arg(long)]
        docs: Option<std::path::PathBuf>,
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
        Chore::BuildTimes { folder } => build_times::run(&folder),
        Chore::Codegen { check } => codegen::run(check),
        Chore::Counts { base } => counts::run(base),
        Chore::Plots { folder, docs } => plots::run(&folder, docs),
        Chore::GpuArchive { release } => gpu_archive::run(release),
        Chore::Toolkits => packages::fetch_all()
            .and_then(|_| packages::fetch_nvml())
            .map(drop),
    }
}
