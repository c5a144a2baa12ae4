//! `cuwhy sim`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use clap::ValueEnum;
use cuwhy_sim_libraries::{Folder, Libraries, Unversioned};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Runs a program on simulated GPUs.
///
/// The program finds the simulator's libcuda, libcudart and libnvidia-ml in place of the machine's, all
/// three or none. Memory and copies behave as on hardware, errors and crashes included; kernels are not
/// run: launching one answers 801, "operation not supported".
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which runtime the name libcudart.so means.
    #[arg(long, value_enum, default_value_t = Runtime::V13, value_name = "MAJOR")]
    pub cudart: Runtime,
    /// A setting of the simulator, such as devices=2 or profile=gtx980; may be repeated.
    ///
    /// They are added to those in CUWHY_SIM.
    #[arg(long = "set", short, value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Say nothing but what the program says.
    #[arg(long, short)]
    pub quiet: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

/// A major version of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// CUDA 11.
    #[value(name = "11")]
    V11,
    /// CUDA 12.
    #[value(name = "12")]
    V12,
    /// CUDA 13.
    #[value(name = "13")]
    V13,
}

impl From<Runtime> for Unversioned {
    fn from(runtime: Runtime) -> Self {
        match runtime {
            Runtime::V11 => Self::V11,
            Runtime::V12 => Self::V12,
            Runtime::V13 => Self::V13,
        }
    }
}

/// Becomes the program.
///
/// # Errors
///
/// [`Failure::Failed`] when the simulator's libraries cannot be found, [`Failure::Usage`] when the
/// program cannot be started. Otherwise this does not return: the program's exit code is the command's.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let folder = folder(arguments.cudart.into())?;
    let Some((program, rest)) = arguments.program.split_first() else {
        return Err(Failure::Usage("no program is given".into()));
    };
    if !arguments.quiet {
        output.note(&format!(
            "cuwhy: {} runs on simulated devices; kernels are not run",
            Path::new(program).display()
        ));
        if carries_a_runtime(program) {
            output.note(
                "cuwhy: this program carries a CUDA runtime of its own, linked statically; that one asks the \
                 driver for private tables, which the simulator does not have, and will fail with 801",
            );
        }
    }
    let mut settings = arguments.settings.clone();
    if arguments.quiet {
        settings.push("quiet".into());
    }
    let error = on(&folder, &settings, program, rest);
    Err(Failure::Usage(format!(
        "cannot start {}: {error}",
        Path::new(program).display()
    )))
}

/// The folder with the simulator's libraries.
///
/// # Errors
///
/// [`Failure::Failed`] when there are none, or no folder can be made.
pub fn folder(unversioned: Unversioned) -> Result<Folder, Failure> {
    let found = Libraries::find().and_then(|libraries| libraries.folder(unversioned));
    found.map_err(|error| Failure::Failed {
        what: "the simulator cannot be used".into(),
        cause: Box::new(error),
    })
}

/// Replaces this process by a program on the simulator; comes back only with the reason why not.
pub fn on(
    folder: &Folder,
    settings: &[String],
    program: &OsStr,
    arguments: &[OsString],
) -> io::Error {
    let mut command = Command::new(program);
    command.args(arguments).envs(folder.environment());
    let inherited = env::var("CUWHY_SIM").ok().filter(|text| !text.is_empty());
    let all: Vec<String> = inherited
        .into_iter()
        .chain(settings.iter().cloned())
        .collect();
    if !settings.is_empty() {
        command.env("CUWHY_SIM", all.join(","));
    }
    command.exec()
}

/// Whether a program has libcudart in itself: a sentence of its errors is in the file.
///
/// The sentence is put together here, because this very command must not contain it.
fn carries_a_runtime(program: &OsStr) -> bool {
    let words = [
        "read",
        "as",
        "normalized",
        "float",
        "not",
        "supported",
        "for",
    ];
    let mark = words.join(" ");
    let Some(bytes) = executable(program).and_then(|path| beginning(&path).ok()) else {
        return false;
    };
    bytes
        .windows(mark.len())
        .any(|window| window == mark.as_bytes())
}

/// The file that the shell would start.
fn executable(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return Some(path.to_path_buf());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(path))
        .find(|path| path.is_file())
}

/// As much of a file as is read without thinking.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 64 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
