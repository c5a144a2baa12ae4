//! The `cuwhy` command. Everything is in the library; this file only starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cuwhy_cli::start(std::env::args_os())
}
