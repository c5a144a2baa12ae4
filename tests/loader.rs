//! What the loader does with good and with bad libraries.
//!
//! The libraries are made here with a C compiler. Each test that needs its own environment runs in a
//! process of its own, in which nothing but what the test names can be found.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use cuda_sys::driver::{CUresult, Driver};
use cuda_sys::runtime::{Major, Runtime};
use cuda_sys::{FoundBy, LibraryName, LoadError, Version, nvml};
use cuwhy_tests::{Child, compiler, here, shared_object, skip};

/// Tells a child where its parent made the libraries.
const FOLDER: &str = "CUWHY_TEST_LIBRARIES";

/// Everything that steers the loader.
const STEERS: [&str; 9] = [
    "CUWHY_LIBCUDA",
    "CUWHY_LIBCUDART",
    "CUWHY_LIBNVML",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "CONDA_PREFIX",
    "VIRTUAL_ENV",
    "PYTHONPATH",
];

/// A folder of libraries that pretend.
struct Bench {
    folder: PathBuf,
    compiler: Option<PathBuf>,
    _own: Option<tempfile::TempDir>,
}

impl Bench {
    /// The folder, which a child shares with its parent; `None` where there is no C compiler.
    fn new() -> Option<Self> {
        if let Some(folder) = env::var_os(FOLDER) {
            return Some(Self {
                folder: folder.into(),
                compiler: None,
                _own: None,
            });
        }
        let own = tempfile::tempdir().expect("the temporary folder can be written");
        Some(Self {
            folder: own.path().to_path_buf(),
            compiler: Some(compiler()?),
            _own: Some(own),
        })
    }

    /// Whether this is the test's own process, and no child of it.
    fn is_outside(&self) -> bool {
        self.compiler.is_some()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A shared object `name` in a folder that is made for it; a child finds it made.
    fn library(&self, name: &str, soname: &str, symbols: Option<&str>, source: &str) -> PathBuf {
        let file = self.path(name);
        let Some(compiler) = &self.compiler else {
            return file;
        };
        let folder = file.parent().expect("a file stands in a folder");
        fs::create_dir_all(folder).expect("a new folder can be written");
        let last = file.file_name().and_then(|name| name.to_str());
        let last = last.expect("names of tests are ASCII");
        shared_object(compiler, folder, last, soname, symbols, source)
    }

    /// A libcuda for this version of CUDA, with two functions beside the version's.
    fn driver(&self, name: &str, version: u32) -> PathBuf {
        let source = format!(
            "int cuDriverGetVersion(int *version) {{ *version = {version}; return 0; }}
             int cuInit(unsigned flags) {{ return 0; }}
             int cuDeviceGetCount(int *count) {{ *count = 3; return 0; }}"
        );
        self.library(name, "libcuda.so.1", None, &source)
    }

    /// A libcudart of this major, as its symbols say.
    fn runtime(&self, name: &str, soname: &str, version: u32) -> PathBuf {
        self.library(name, soname, Some(soname), &runtime_source(version))
    }

    /// The three majors in one folder.
    fn runtimes(&self, folder: &str) {
        for (major, version) in [
            (Major::V11, 11080),
            (Major::V12, 12090),
            (Major::V13, 13000),
        ] {
            let soname = major.soname();
            self.runtime(&format!("{folder}/{soname}"), soname, version);
        }
    }

    /// A file that is none of these.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.path(name);
        if self.compiler.is_some() {
            fs::write(&file, bytes).expect("the folder of the test can be written");
        }
        file
    }

    /// A process in which only this folder's libraries can be found, by what the test sets.
    fn child(&self, test: &str, part: &str) -> Child {
        let empty = self.path("empty");
        fs::create_dir_all(&empty).expect("the folder of the test can be written");
        let child = Child::new(test, part).env(FOLDER, &self.folder);
        let child = child.env("HOME", empty);
        STEERS.iter().fold(child, |child, name| child.without(name))
    }
}

fn runtime_source(version: u32) -> String {
    format!(
        "int cudaMemcpy(void *to, void *from, unsigned long count, int kind) {{ return 0; }}
         int cudaRuntimeGetVersion(int *version) {{ *version = {version}; return 0; }}"
    )
}

/// The error's text, which is to say what to do next.
#[track_caller]
fn text<T: std::fmt::Debug>(answer: Result<T, LoadError>) -> String {
    let error = answer.expect_err("this is no library to be had");
    let text = error.to_string();
    let next = error.next_step();
    assert!(!next.is_empty());
    assert!(text.ends_with(&format!("next: {next}")), "{text}");
    text
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Whether the machine has a driver that these tests cannot hide.
fn a_driver_is_installed() -> bool {
    let found = nvml::locate().is_ok() || Driver::get().is_ok();
    if found {
        skip("the machine has a driver, and this test is about having none");
    }
    found
}

/// Whether the system's loader finds a runtime of the machine's own, which these tests cannot hide. Asked
/// outside of the children: these have no libraries but those of their test.
fn a_runtime_is_installed() -> bool {
    let majors = [
        c"libcudart.so.11.0",
        c"libcudart.so.12",
        c"libcudart.so.13",
        c"libcudart.so",
    ];
    let found = majors.into_iter().any(|name| {
        // SAFETY: the name is a live C string; libcudart does nothing when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY) };
        if handle.is_null() {
            return false;
        }
        // SAFETY: opened just now, and nothing of it is kept.
        unsafe { libc::dlclose(handle) };
        true
    });
    if found {
        skip("the machine has a runtime, and this test is about what is left without one");
    }
    found
}

/// The files mapped into this process whose name begins with `prefix`.
fn mapped(prefix: &str) -> BTreeSet<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux tells the memory map");
    let files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    let files = files.map(PathBuf::from).filter(|file| {
        let name = file.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with(prefix))
    });
    files.collect()
}

/// Opens a library as a host program would, and leaves it open.
fn map(file: &Path) {
    // SAFETY: the library was made by this test and has no initialisers.
    let library = unsafe { libloading::Library::new(file) };
    core::mem::forget(library.expect("the library can be opened"));
}

// What a person may name that is no library.

#[test]
fn a_variable_that_points_nowhere_is_an_error_and_nothing_else_is_tried() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("good/libcuda.so.1", 12080);
    bench.runtimes("good");
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("good"))
        .env("CUWHY_LIBCUDA", "/nowhere/libcuda.so.1")
        .env("CUWHY_LIBCUDART", "/nowhere/libcudart.so.12")
        .env("CUWHY_LIBNVML", "/nowhere/libnvidia-ml.so.1");
    let outcome = child.run(|| {
        let answers = [
            (text(Driver::get()), "CUWHY_LIBCUDA", "libcuda.so.1"),
            (text(Runtime::get()), "CUWHY_LIBCUDART", "libcudart.so.12"),
            (text(nvml::locate()), "CUWHY_LIBNVML", "libnvidia-ml.so.1"),
        ];
        for (text, variable, file) in answers {
            has(
                &text,
                &[
                    &format!("/nowhere/{file}"),
                    &format!("named by {variable}"),
                    "No such file or directory",
                    &format!("next: correct {variable}, or unset it"),
                ],
            );
        }
        assert!(matches!(
            Driver::get(),
            Err(LoadError::NamedFile {
                library: LibraryName::Cuda,
                ..
            })
        ));
    });
    outcome.must_succeed();
}

#[test]
fn an_empty_variable_is_no_variable() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("good/libcuda.so.1", 12080);
    bench.runtimes("good");
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("good"))
        .env("CUWHY_LIBCUDA", "")
        .env("CUWHY_LIBCUDART", "");
    let outcome = child.run(|| {
        let driver = Driver::get().unwrap();
        assert_eq!(driver.file().found_by(), &FoundBy::SystemLoader);
        assert_eq!(driver.file().path(), bench.path("good/libcuda.so.1"));
        assert_eq!(driver.version(), Version::new(12, 8));
        assert!(driver.file().attempts().is_empty());
        let runtime = Runtime::get().unwrap();
        assert_eq!(runtime.file().found_by(), &FoundBy::SystemLoader);
    });
    outcome.must_succeed();
}

#[test]
fn a_variable_names_the_file_that_is_used() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("good/libcuda.so.1", 12080);
    let other = bench.driver("other/some-name.so", 11040);
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("good"))
        .env("CUWHY_LIBCUDA", &other);
    let outcome = child.run(|| {
        let driver = Driver::get().unwrap();
        assert_eq!(
            driver.file().found_by(),
            &FoundBy::Variable("CUWHY_LIBCUDA")
        );
        assert_eq!(driver.file().path(), other);
        assert_eq!(driver.version(), Version::new(11, 4));
    });
    outcome.must_succeed();
}

#[test]
fn a_file_that_is_no_shared_object_is_called_so() {
    let Some(bench) = Bench::new() else { return };
    let file = bench.file(
        "libcuda.so.1",
        b"INPUT(-lcuda) is a linker script and no library\n",
    );
    let said = text(Driver::open(&file));
    has(&said, &["not a shared object", "named by the caller"]);
    let empty = bench.file("empty.so", b"");
    has(&text(Runtime::open(&empty)), &["not a shared object"]);
    has(&text(Runtime::open(&bench.folder)), &["it is a folder"]);
}

/// The first 64 bytes of a shared object for `machine`.
fn elf_header(class: u8, machine: u16) -> Vec<u8> {
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1, 1]);
    header[16..18].copy_from_slice(&3_u16.to_le_bytes());
    header[18..20].copy_from_slice(&machine.to_le_bytes());
    header[20..24].copy_from_slice(&1_u32.to_le_bytes());
    header
}

#[test]
fn a_library_for_another_machine_names_that_machine() {
    let Some(bench) = Bench::new() else { return };
    for (class, machine, name) in [
        (2, 183, "built for aarch64"),
        (1, 3, "built for 32-bit x86"),
        (2, 243, "ELF machine 243"),
    ] {
        let file = bench.file("foreign.so", &elf_header(class, machine));
        let said = text(Driver::open(&file));
        has(&said, &[name, "the loader says: ", "for this machine"]);
    }
}

#[test]
fn a_truncated_library_is_refused_with_the_loaders_words() {
    let Some(bench) = Bench::new() else { return };
    let whole = bench.driver("libcuda.so.1", 12080);
    let bytes = fs::read(whole).unwrap();
    for length in [100, bytes.len() / 4] {
        let file = bench.file("truncated.so", &bytes[..length]);
        has(&text(Driver::open(&file)), &["truncated.so"]);
    }
}

#[test]
fn another_library_is_not_taken_for_the_one_that_was_meant() {
    let Some(bench) = Bench::new() else { return };
    let random = bench.library("librandom.so", "librandom.so", None, "int random_one = 1;");
    let driver = bench.driver("libcuda.so.1", 12080);
    let soname = Major::V12.soname();
    let runtime = bench.runtime("libcudart.so.12", soname, 12090);
    let child = bench
        .child(here!(), "random")
        .env("CUWHY_LIBCUDART", &random)
        .env("CUWHY_LIBNVML", &random)
        .env("CUWHY_LIBCUDA", &random);
    let outcome = child.run(|| {
        let said = text(Runtime::get());
        has(
            &said,
            &[
                "librandom.so is not libcudart",
                "does not export cudaMemcpy",
            ],
        );
        let said = text(Driver::get());
        has(
            &said,
            &["is not libcuda", "does not export cuDriverGetVersion"],
        );
        has(&text(nvml::locate()), &["is not libnvidia-ml"]);
    });
    outcome.must_succeed();
    let child = bench
        .child(here!(), "swapped")
        .env("CUWHY_LIBCUDART", &driver)
        .env("CUWHY_LIBCUDA", &runtime);
    let outcome = child.run(|| {
        has(&text(Runtime::get()), &["is not libcudart"]);
        has(&text(Driver::get()), &["is not libcuda"]);
    });
    outcome.must_succeed();
}

#[test]
fn the_toolkits_stub_is_recognised() {
    let Some(bench) = Bench::new() else { return };
    let source = "int cuDriverGetVersion(int *version) { return 34; }
                  int cuInit(unsigned flags) { return 34; }";
    let stub = bench.library("stubs/libcuda.so.1", "libcuda.so.1", None, source);
    let words = ["is the toolkit's link-time stub", "34", "LD_LIBRARY_PATH"];
    let child = bench.child(here!(), "named").env("CUWHY_LIBCUDA", &stub);
    let outcome = child.run(|| has(&text(Driver::get()), &words));
    outcome.must_succeed();
    let child = bench
        .child(here!(), "found")
        .env("LD_LIBRARY_PATH", bench.path("stubs"));
    let outcome = child.run(|| match Driver::get() {
        // A real driver in a usual folder is taken, and the stub is among the attempts.
        Ok(driver) => {
            let attempts = driver.file().attempts();
            assert!(
                attempts
                    .iter()
                    .any(|attempt| attempt.outcome.contains(words[0]))
            );
        }
        Err(error) => {
            assert!(!error.attempts().is_empty());
            has(&text::<Driver>(Err(error)), &words);
        }
    });
    outcome.must_succeed();
}

// A library without one function.

#[test]
fn a_driver_without_a_function_answers_302_and_says_since_when_it_exists() {
    let Some(bench) = Bench::new() else { return };
    let file = bench.driver("libcuda.so.1", 12040);
    let driver = Driver::open(&file).unwrap();
    // SAFETY: the library has no such function, so nothing is called.
    let status = unsafe { driver.cuMemFree_v2(0) };
    assert_eq!(status, CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND);
    assert_eq!(status.0, 302);
    assert!(!driver.has("cuMemFree_v2"));
    assert!(driver.has("cuInit"));
    let said = |name| driver.find(name).unwrap_err().to_string();
    assert_eq!(
        said("cuMemFree_v2"),
        "cuMemFree_v2 needs a driver for CUDA 3.2; this one is for 12.4"
    );
    assert_eq!(
        said("cuMemcpyBatchAsync"),
        "cuMemcpyBatchAsync needs a driver for CUDA 12.8; this one is for 12.4"
    );
    assert_eq!(said("cuNo"), "cuNo is no function that these bindings know");
    let mut count = 0;
    // SAFETY: `count` is a live `c_int`.
    let status = unsafe { driver.cuDeviceGetCount(&raw mut count) };
    assert_eq!((status, count), (CUresult::CUDA_SUCCESS, 3));
}

// Which of several libraries is taken.

#[test]
fn the_drivers_version_decides_which_runtime_is_taken() {
    let Some(bench) = Bench::new() else { return };
    bench.runtimes("cuda");
    for (version, major) in [
        (11080, Major::V11),
        (12000, Major::V12),
        (12090, Major::V12),
        (13000, Major::V13),
        (13050, Major::V13),
    ] {
        bench.driver(&format!("driver{version}/libcuda.so.1"), version);
        let folders = [bench.path(&format!("driver{version}")), bench.path("cuda")];
        let child = bench
            .child(here!(), &version.to_string())
            .env("LD_LIBRARY_PATH", env::join_paths(folders).unwrap());
        let outcome = child.run(|| {
            let runtime = Runtime::get().unwrap();
            assert_eq!(runtime.major(), major);
            assert_eq!(runtime.file().found_by(), &FoundBy::SystemLoader);
            let only = runtime.file().path().to_path_buf();
            assert_eq!(mapped("libcudart"), BTreeSet::from([only]));
        });
        outcome.must_succeed();
    }
}

#[test]
fn a_driver_that_is_too_old_for_every_runtime_leaves_no_candidate() {
    let Some(bench) = Bench::new() else { return };
    if bench.is_outside() && a_runtime_is_installed() {
        return;
    }
    bench.runtimes("cuda");
    bench.driver("cuda/libcuda.so.1", 10020);
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("cuda"));
    let outcome = child.run(|| {
        has(
            &text(Runtime::get()),
            &["no usable libcudart", "libcudart.so"],
        )
    });
    outcome.must_succeed();
}

#[test]
fn without_a_driver_the_newest_runtime_is_taken() {
    let Some(bench) = Bench::new() else { return };
    bench.runtimes("cuda");
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("cuda"));
    let outcome = child.run(|| {
        if !a_driver_is_installed() {
            assert_eq!(Runtime::get().unwrap().major(), Major::V13);
        }
    });
    outcome.must_succeed();
}

#[test]
fn what_the_process_has_mapped_is_used_and_not_loaded_twice() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("system/libcuda.so.1", 13000);
    bench.runtimes("system");
    let driver = bench.driver("host/libcuda.so.1", 12040);
    let runtime = bench.runtime("host/libcudart.so.12", Major::V12.soname(), 12040);
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("system"));
    let outcome = child.run(|| {
        map(&driver);
        map(&runtime);
        let found = Driver::get().unwrap();
        assert!(found.file().already_mapped());
        assert_eq!(found.file().path(), driver);
        let found = Runtime::get().unwrap();
        assert!(found.file().already_mapped());
        assert_eq!(found.file().path(), runtime);
        assert_eq!(found.version(), Version::new(12, 4));
        assert_eq!(mapped("libcuda."), BTreeSet::from([driver.clone()]));
        assert_eq!(mapped("libcudart."), BTreeSet::from([runtime.clone()]));
    });
    outcome.must_succeed();
}

#[test]
fn a_mapped_runtime_is_used_even_where_the_driver_is_older() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("system/libcuda.so.1", 12080);
    bench.runtimes("system");
    let runtime = bench.runtime("host/libcudart.so.13", Major::V13.soname(), 13000);
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("system"));
    let outcome = child.run(|| {
        map(&runtime);
        let found = Runtime::get().unwrap();
        assert!(found.file().already_mapped());
        assert_eq!(found.major(), Major::V13);
        assert_eq!(mapped("libcudart."), BTreeSet::from([runtime.clone()]));
    });
    outcome.must_succeed();
}

#[test]
fn usual_folders_are_searched_last_in_their_order() {
    let Some(bench) = Bench::new() else { return };
    if bench.is_outside() && a_runtime_is_installed() {
        return;
    }
    let soname = Major::V13.soname();
    let places = [
        ("CUDA_HOME", "toolkit", "toolkit/lib64"),
        ("CUDA_PATH", "path", "path/lib64"),
        ("CONDA_PREFIX", "conda", "conda/lib"),
        (
            "VIRTUAL_ENV",
            "venv",
            "venv/lib/python3.12/site-packages/nvidia/cu13/lib",
        ),
    ];
    bench.driver("driver/libcuda.so.1", 13000);
    for (variable, value, folder) in places {
        let library = bench.runtime(&format!("{folder}/{soname}"), soname, 13000);
        let child = bench
            .child(here!(), variable)
            .env("LD_LIBRARY_PATH", bench.path("driver"))
            .env(variable, bench.path(value));
        let outcome = child.run(|| {
            let runtime = Runtime::get().unwrap();
            assert_eq!(runtime.file().found_by(), &FoundBy::UsualFolder);
            assert_eq!(runtime.file().path(), library);
            // The names that the system's loader did not find come first.
            let attempts = runtime.file().attempts();
            assert!(!attempts.is_empty());
            for attempt in attempts {
                assert_eq!(attempt.found_by, FoundBy::SystemLoader);
                has(&attempt.outcome, &["cannot open shared object file"]);
            }
        });
        outcome.must_succeed();
    }
}

#[test]
fn a_missing_library_lists_everything_that_was_tried() {
    let Some(bench) = Bench::new() else { return };
    let child = bench.child(here!(), "all");
    let outcome = child.run(|| {
        if a_driver_is_installed() {
            return;
        }
        let error = Driver::get().unwrap_err();
        assert!(matches!(
            error,
            LoadError::NotFound {
                library: LibraryName::Cuda,
                ..
            }
        ));
        let tried: Vec<&Path> = error
            .attempts()
            .iter()
            .map(|attempt| &*attempt.candidate)
            .collect();
        assert_eq!(tried[0], Path::new("libcuda.so.1"));
        let said = text::<Driver>(Err(error));
        has(
            &said,
            &[
                "the system's loader",
                "cannot open shared object file",
                "CUWHY_LIBCUDA",
            ],
        );
        let said = text(Runtime::get());
        for name in [
            "libcudart.so.13",
            "libcudart.so.12",
            "libcudart.so.11.0",
            "libcudart.so ",
        ] {
            has(&said, &[name]);
        }
        has(&said, &["nvidia-cuda-runtime", "CUWHY_LIBCUDART"]);
        has(
            &text(nvml::locate()),
            &["libnvidia-ml.so.1", "CUWHY_LIBNVML"],
        );
    });
    outcome.must_succeed();
}

#[test]
fn a_library_that_appears_later_is_found_later() {
    let Some(bench) = Bench::new() else { return };
    let made = bench.driver("made.so", 12080);
    fs::create_dir_all(bench.path("later")).unwrap();
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("later"));
    let outcome = child.run(|| {
        if a_driver_is_installed() {
            return;
        }
        fs::copy(&made, bench.path("later/libcuda.so.1")).unwrap();
        assert_eq!(Driver::get().unwrap().version(), Version::new(12, 8));
    });
    outcome.must_succeed();
}

#[test]
fn nvml_is_located_and_left_to_others() {
    let Some(bench) = Bench::new() else { return };
    let source = "int nvmlInit_v2(void) { return 0; }";
    let name = "libnvidia-ml.so.1";
    let library = bench.library(&format!("driver/{name}"), name, None, source);
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("driver"));
    let outcome = child.run(|| {
        let file = nvml::locate().unwrap();
        assert_eq!(file.path(), library);
        assert_eq!(file.found_by(), &FoundBy::SystemLoader);
        assert!(nvml::locate().unwrap().already_mapped());
    });
    outcome.must_succeed();
}

// The major is asked for, never assumed.

#[test]
fn the_symbols_tell_the_major_and_not_the_file_name() {
    let Some(bench) = Bench::new() else { return };
    let source = runtime_source(13000);
    for (name, symbols, major) in [
        ("libcudart.so.13", "libcudart.so.11.0", Major::V11),
        ("libcudart.so", "libcudart.so.12", Major::V12),
        ("libcudart.so.11.0", "libcudart.so.13", Major::V13),
    ] {
        let file = bench.library(&format!("{symbols}/{name}"), name, Some(symbols), &source);
        assert_eq!(Runtime::open(&file).unwrap().major(), major);
    }
}

#[test]
fn a_library_whose_symbols_have_no_version_is_asked() {
    let Some(bench) = Bench::new() else { return };
    for (version, major) in [
        (11080, Major::V11),
        (12040, Major::V12),
        (13000, Major::V13),
    ] {
        let name = format!("{version}/libcudart.so");
        let file = bench.library(&name, "libcudart.so", None, &runtime_source(version));
        let runtime = Runtime::open(&file).unwrap();
        assert_eq!(runtime.major(), major);
        assert_eq!(runtime.version(), Version(version));
    }
}

#[test]
fn a_major_that_is_not_known_is_an_error() {
    let Some(bench) = Bench::new() else { return };
    let new = bench.library("new.so", "libcudart.so.14", None, &runtime_source(14000));
    has(
        &text(Runtime::open(&new)),
        &["is a libcudart of CUDA 14", "11.x, 12.x or 13.x"],
    );
    let old = bench.library("old.so", "libcudart.so.10", None, &runtime_source(10020));
    has(&text(Runtime::open(&old)), &["is a libcudart of CUDA 10"]);
    let source = "int cudaMemcpy(void) { return 0; }";
    let mute = bench.library("mute.so", "libcudart.so", None, source);
    has(
        &text(Runtime::open(&mute)),
        &["does not tell which CUDA it is for"],
    );
    assert!(matches!(
        Runtime::open(&mute),
        Err(LoadError::UnsupportedMajor { major: None, .. })
    ));
}

// Instances.

#[test]
fn one_file_is_one_instance_and_two_files_are_two() {
    let Some(bench) = Bench::new() else { return };
    let one = bench.driver("one.so", 12080);
    let two = bench.driver("two.so", 13000);
    let first = Driver::open(&one).unwrap();
    assert!(core::ptr::eq(first, Driver::open(&one).unwrap()));
    let second = Driver::open(&two).unwrap();
    assert!(!core::ptr::eq(first, second));
    assert_eq!(first.version(), Version::new(12, 8));
    assert_eq!(second.version(), Version::new(13, 0));
}

#[test]
fn many_threads_get_the_same_instance() {
    let Some(bench) = Bench::new() else { return };
    bench.driver("system/libcuda.so.1", 12080);
    bench.runtimes("system");
    let child = bench
        .child(here!(), "all")
        .env("LD_LIBRARY_PATH", bench.path("system"));
    let outcome = child.run(|| {
        let ask = || {
            let driver: *const Driver = Driver::get().unwrap();
            let runtime: *const Runtime = Runtime::get().unwrap();
            (driver.addr(), runtime.addr())
        };
        let found: BTreeSet<(usize, usize)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(found.len(), 1);
    });
    outcome.must_succeed();
}

/// The first call of a function looks it up: threads that do so at once find the same one.
#[test]
fn many_threads_make_the_first_call_at_once() {
    let Some(bench) = Bench::new() else { return };
    for round in 0..20 {
        let file = bench.driver(&format!("{round}.so"), 12080);
        let driver = Driver::open(&file).unwrap();
        let start = std::sync::Barrier::new(8);
        let call = || {
            start.wait();
            let mut count = 0;
            // SAFETY: this libcuda takes any number.
            let first = unsafe { driver.cuInit(0) };
            // SAFETY: `count` is a live `c_int`.
            let second = unsafe { driver.cuDeviceGetCount(&raw mut count) };
            // SAFETY: the function is absent, so that nothing is called.
            let absent = unsafe { driver.cuCtxSynchronize() };
            (first.0, second.0, count, absent.0)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), (0, 0, 3, 302));
            }
        });
    }
}

/// A fork may happen while another thread looks a function up; the child's first calls still come back.
#[test]
fn a_forked_child_makes_first_calls_of_its_own() {
    let Some(bench) = Bench::new() else { return };
    let busy = Driver::open(&bench.driver("busy.so", 12080)).unwrap();
    let fresh: Vec<&Driver> = (0..20)
        .map(|round| Driver::open(&bench.driver(&format!("{round}.so"), 12080)).unwrap())
        .collect();
    let done = core::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(core::sync::atomic::Ordering::Relaxed) {
                // Opening a file takes the system loader's lock, as looking a function up does.
                assert!(Driver::open(busy.file().path()).is_ok());
            }
        });
        let mut ended = Vec::new();
        for driver in fresh {
            // SAFETY: the child makes one call on the one thread that it has, and leaves.
            let child = unsafe { libc::fork() };
            assert!(child >= 0, "fork failed");
            if child == 0 {
                // SAFETY: a child that hangs is ended by this.
                unsafe { libc::alarm(10) };
                // SAFETY: this libcuda takes any number.
                let status = unsafe { driver.cuInit(0) };
                // SAFETY: ends this process at once.
                unsafe { libc::_exit(i32::from(status.0 != 0)) };
            }
            let mut status = -1;
            // SAFETY: our own child and a live place.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            ended.push(status);
        }
        done.store(true, core::sync::atomic::Ordering::Relaxed);
        assert!(ended.iter().all(|status| *status == 0), "{ended:?}");
    });
}
