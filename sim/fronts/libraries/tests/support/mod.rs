//! What the tests share: the folder of libraries, children, compilers and toolkits.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    clippy::allow_attributes,
    reason = "every test takes what it needs"
)]

pub(crate) mod announce;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use cuda_sys::driver::Driver;
use cuda_sys::runtime::{Major, Runtime};
use cuwhy_sim_libraries::{Folder, Libraries, Unversioned};

/// Calls a function of a table and answers its status as a number.
macro_rules! c {
    ($table:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live; addresses are given away on purpose, and what becomes of them is the test.
        unsafe { $table.$name($($argument),*) }.0
    };
}
pub(crate) use c;

/// The majors with the name of the folder's file.
pub(crate) const MAJORS: [Major; 3] = Major::ALL;

/// The simulator's libraries, in the folder that every program of this target shares.
pub(crate) fn folder() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let core = cuwhy_tests::shared_library("cuwhy-sim", "libcuwhy_sim.so");
        let libraries = Libraries::find_around(&core).unwrap();
        libraries.folder(Unversioned::V13).unwrap()
    })
}

/// One of the libraries under its real name.
pub(crate) fn library(name: &str) -> PathBuf {
    folder().path().join(name)
}

/// The runtime of this major and the driver under it.
pub(crate) fn open(major: Major) -> (&'static Runtime, &'static Driver) {
    let runtime = Runtime::open(&library(major.soname())).unwrap();
    assert_eq!(runtime.major(), major);
    (runtime, Driver::open(&library("libcuda.so.1")).unwrap())
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exit(i32),
    Signal(i32),
}

/// Runs `work` in a child, which is where libraries are loaded: each child begins without any.
pub(crate) fn in_child(work: impl FnOnce() -> i32) -> End {
    // A child does not look for them: another thread may have been looking at the time of the fork.
    folder();
    // SAFETY: the child runs `work` on the one thread that it has and leaves without unwinding.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: our own child and a live place.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Exit(libc::WEXITSTATUS(status))
    }
}

/// A file or folder of the workspace: these tests compile what stands there.
pub(crate) fn workspace(part: &str) -> PathBuf {
    cuwhy_tests::workspace(part).expect("these tests are for the workspace")
}

/// Real headers and the real library of one major, as `cargo xtask toolkits` unpacks them.
pub(crate) struct Toolkit {
    pub(crate) major: Major,
    pub(crate) include: PathBuf,
    pub(crate) library: PathBuf,
}

/// The newest toolkit of each major; none, and a line that says so, where they are not unpacked.
pub(crate) fn toolkits() -> Vec<Toolkit> {
    let mut all = cuwhy_tests::toolkits();
    // The oldest come first.
    all.reverse();
    let newest = |major: Major| {
        let of_major =
            |toolkit: &&cuwhy_tests::Toolkit| toolkit.version.major() == major.version().major();
        all.iter().find(of_major).map(|toolkit| Toolkit {
            major,
            include: toolkit.include.clone(),
            library: toolkit.runtime.clone(),
        })
    };
    MAJORS.into_iter().filter_map(newest).collect()
}

/// Compiles one of the programs beside the tests.
pub(crate) fn compile(program: &str, into: &Path, arguments: &[&std::ffi::OsStr]) {
    let source = workspace("sim/fronts/libraries/tests/programs").join(program);
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.arg("-o").arg(into).arg(source).args(arguments);
    let output = command.output().expect("a C compiler");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs a program with these libraries first.
pub(crate) fn run(program: &Path, arguments: &[&str], libraries: &Path) -> Output {
    Command::new(program)
        .args(arguments)
        .env("LD_LIBRARY_PATH", libraries)
        .env("CUWHY_SIM", "quiet")
        .output()
        .unwrap()
}

/// What a program wrote, if it ended well.
pub(crate) fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Whether a program asks for functions of this version.
pub(crate) fn needs_version(program: &Path, version: &str) -> bool {
    let bytes = std::fs::read(program).unwrap();
    bytes
        .windows(version.len())
        .any(|window| window == version.as_bytes())
        && bytes.windows(11).any(|window| window == b"cudaMemcpy\0")
}

/// Whether the system's loader finds a driver of its own.
pub(crate) fn has_driver() -> bool {
    let end = in_child(|| {
        // SAFETY: the name is a C string; the child ends right after.
        let handle = unsafe { libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY) };
        i32::from(!handle.is_null())
    });
    end != End::Exit(0)
}

/// The name of the first device.
pub(crate) fn device_name(runtime: &Runtime) -> String {
    use cuda_sys::runtime::DeviceProperties;
    let (status, found) = runtime.device_properties(0);
    assert_eq!(status.0, 0);
    let name = match &found {
        DeviceProperties::V11(found) => &found.name,
        DeviceProperties::V12(found) => &found.name,
        DeviceProperties::V13(found) => &found.name,
        _ => panic!("a major that is not known here"),
    };
    let bytes = name.iter().take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(byte.cast_unsigned())).collect()
}

/// Asks for the properties of the first device, to be written into so much room.
pub(crate) fn raw_properties(runtime: &Runtime, room: *mut core::ffi::c_void) -> u32 {
    if let Some(own) = runtime.v12() {
        return c!(own.cudaGetDeviceProperties_v2(room.cast(), 0));
    }
    let own = runtime.v13().unwrap();
    c!(own.cudaGetDeviceProperties(room.cast(), 0))
}
