//! What became of the libraries that were opened by name.

use std::path::Path;

use cuda_sys::driver::{Driver, Table};
use cuda_sys::runtime::{self, Runtime};
use cuda_sys::{LoadError, LoadedFile, Symbol};

use crate::absent::{Absent, Reason};
use crate::cupti;
use crate::elf::{self, Exports};
use crate::library::{AbsentFunction, Attempt, Library, Origin};
use crate::machine::Surroundings;
use crate::nvml;
use crate::parts::Depth;
use crate::provenance;
use crate::search::{self, WantedFunction};

/// Describes a library that could not be opened.
pub(crate) fn missing(
    name: &str,
    wanted_by: &str,
    error: &LoadError,
    surroundings: &Surroundings,
) -> Library {
    let mut tried: Vec<Attempt> = error.attempts().iter().map(attempt).collect();
    let path = match error {
        LoadError::Stub { path, .. }
        | LoadError::AnotherLibrary { path, .. }
        | LoadError::UnsupportedMajor { path, .. } => Some(path.as_path()),
        _ => None,
    };
    let mut library = empty(name, wanted_by);
    if let Some(path) = path {
        tried.push(Attempt {
            candidate: surroundings.name(path),
            result: error.to_string(),
        });
        place(&mut library, path, surroundings);
        if matches!(error, LoadError::Stub { .. }) {
            library.origin = Origin::Stub;
        }
    }
    library.tried = tried;
    library.chosen = true;
    library
        .absent
        .explain_nulls(&library.clone(), &Reason::LibraryMissing);
    library
}

/// Describes a library that was opened, without counting its functions.
pub(crate) fn opened(
    name: &str,
    wanted_by: &str,
    file: &LoadedFile,
    surroundings: &Surroundings,
) -> Library {
    let mut library = empty(name, wanted_by);
    library.chosen = true;
    library.tried = file.attempts().iter().map(attempt).collect();
    library.tried.push(Attempt {
        candidate: surroundings.name(file.path()),
        result: format!("loaded ({})", file.found_by()),
    });
    library.already_loaded = Some(file.already_mapped());
    place(&mut library, file.path(), surroundings);
    library
        .absent
        .explain_nulls(&library.clone(), &Reason::Unsupported);
    library
}

/// Describes the driver that this process has open.
pub(crate) fn driver(driver: &Driver, depth: Depth, surroundings: &Surroundings) -> Library {
    let mut library = opened("libcuda", "every CUDA program", driver.file(), surroundings);
    if library.version.is_none() {
        library.version = Some(driver.version().to_string());
        library.version_source = Some("cuDriverGetVersion".into());
    }
    if depth == Depth::Everything {
        let absent: Vec<Symbol> = Table::SYMBOLS
            .iter()
            .copied()
            .filter(|symbol| driver.find(symbol.name).is_err())
            .collect();
        count(&mut library, Table::SYMBOLS.len(), &absent);
    }
    tidy(&mut library);
    library
}

/// Describes the libraries that this process gets when it asks by name, beside the driver's; opens them.
pub fn chosen_libraries(surroundings: &Surroundings) -> Vec<Library> {
    vec![chosen_runtime(surroundings), cupti::chosen(surroundings)]
}

/// Describes a library that was tried by name, and the file that came, if one did.
pub(crate) fn by_name(
    name: &str,
    wanted_by: &str,
    tried: Vec<Attempt>,
    file: Option<String>,
    surroundings: &Surroundings,
) -> Library {
    let mut library = empty(name, wanted_by);
    library.chosen = true;
    library.tried = tried;
    let reason = match file {
        Some(file) => {
            library.already_loaded = Some(false);
            place(&mut library, Path::new(&file), surroundings);
            Reason::Unsupported
        }
        None => Reason::LibraryMissing,
    };
    library.absent.explain_nulls(&library.clone(), &reason);
    library
}

fn chosen_runtime(surroundings: &Surroundings) -> Library {
    const WANTED_BY: &str = "programs that use the runtime API and do not contain it";
    match Runtime::get() {
        Err(error) => missing("libcudart", WANTED_BY, &error, surroundings),
        Ok(runtime) => {
            let mut library = opened("libcudart", WANTED_BY, runtime.file(), surroundings);
            if library.version.is_none() {
                library.version = Some(runtime.version().to_string());
                library.version_source = Some("cudaRuntimeGetVersion".into());
            }
            count_runtime(&mut library, runtime);
            tidy(&mut library);
            library
        }
    }
}

/// Opens a runtime that was found without a version, and asks it.
pub fn ask_runtime_version(library: &mut Library) {
    if library.name != "libcudart" || library.version.is_some() {
        return;
    }
    let Some(path) = library.real_path.clone() else {
        return;
    };
    match Runtime::open(Path::new(&path)) {
        Ok(runtime) => {
            library.version = Some(runtime.version().to_string());
            library.version_source = Some("cudaRuntimeGetVersion".into());
            count_runtime(library, runtime);
            tidy(library);
        }
        Err(error) => {
            if let Some(attempt) = library.tried.first_mut() {
                attempt.result = error.to_string();
            }
        }
    }
}

/// The functions that we would call in a library of this name and version.
pub fn wanted_functions(name: &str, version: Option<&str>) -> Vec<WantedFunction> {
    match name {
        "libcuda" => Table::SYMBOLS.iter().map(wanted).collect(),
        "libcudart" => {
            let major = version.and_then(|version| version.split('.').next()?.parse().ok());
            major.map_or_else(Vec::new, |major| {
                functions_of_runtime(major).iter().map(wanted).collect()
            })
        }
        "libnvidia-ml" => nvml::FUNCTIONS
            .iter()
            .map(|name| WantedFunction {
                name: (*name).to_owned(),
                since: nvml::functions::since(name).map(|version| version.to_string()),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn functions_of_runtime(major: u32) -> Vec<Symbol> {
    let own: &[Symbol] = match major {
        11 => runtime::v11::Table::SYMBOLS,
        12 => runtime::v12::Table::SYMBOLS,
        13 => runtime::v13::Table::SYMBOLS,
        _ => return Vec::new(),
    };
    runtime::Table::SYMBOLS
        .iter()
        .chain(own)
        .copied()
        .filter(|symbol| {
            symbol.since.major() <= major && symbol.until.is_none_or(|until| until.major() >= major)
        })
        .collect()
}

fn wanted(symbol: &Symbol) -> WantedFunction {
    WantedFunction {
        name: symbol.name.to_owned(),
        since: Some(symbol.since.to_string()),
    }
}

fn count_runtime(library: &mut Library, runtime: &Runtime) {
    let absent: Vec<Symbol> = runtime.absent().collect();
    let wanted = functions_of_runtime(runtime.major().version().major());
    count(library, wanted.len(), &absent);
}

fn count(library: &mut Library, wanted: usize, absent: &[Symbol]) {
    library.functions_wanted = u32::try_from(wanted).ok();
    library.functions_found = u32::try_from(wanted.saturating_sub(absent.len())).ok();
    library.functions_absent = Some(
        absent
            .iter()
            .map(|symbol| AbsentFunction {
                name: symbol.name.to_owned(),
                since: Some(symbol.since.to_string()),
                absent: Absent::default(),
            })
            .collect(),
    );
}

/// Counts the functions of a file by what it exports.
pub(crate) fn count_exports(library: &mut Library) {
    let Some(path) = library.real_path.clone() else {
        return;
    };
    let object = elf::read(Path::new(&path), Exports::Wanted).unwrap_or_default();
    let Some(exports) = object.exports else {
        return;
    };
    let wanted = wanted_functions(&library.name, library.version.as_deref());
    let absent: Vec<AbsentFunction> = wanted
        .iter()
        .filter(|function| !exports.contains(&function.name))
        .map(|function| search::absent_function(&function.name, function.since.clone()))
        .collect();
    library.functions_wanted = u32::try_from(wanted.len()).ok();
    library.functions_found = u32::try_from(wanted.len() - absent.len()).ok();
    library.functions_absent = Some(absent);
    tidy(library);
}

/// Keeps `absent` to what is really missing.
fn tidy(library: &mut Library) {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(&*library) else {
        return;
    };
    library
        .absent
        .0
        .retain(|key, _| fields.get(key).is_some_and(serde_json::Value::is_null));
}

fn place(library: &mut Library, path: &Path, surroundings: &Surroundings) {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let object = elf::read(&real, Exports::Unwanted).unwrap_or_default();
    library.loaded_from = Some(surroundings.name(path));
    library.real_path = Some(surroundings.name(&real));
    library.soname = object.soname;
    library.origin = provenance::origin(
        &library.name,
        &surroundings.name(path),
        &surroundings.name(&real),
        &real,
    );
    if let Some((version, source)) = provenance::version(&library.name, &real) {
        library.version = Some(version);
        library.version_source = Some(source.to_owned());
    }
}

fn attempt(attempt: &cuda_sys::Attempt) -> Attempt {
    Attempt {
        candidate: attempt.candidate.display().to_string(),
        result: format!("{} ({})", attempt.outcome, attempt.found_by),
    }
}

fn empty(name: &str, wanted_by: &str) -> Library {
    Library {
        name: name.to_owned(),
        wanted_by: wanted_by.to_owned(),
        chosen: false,
        tried: Vec::new(),
        loaded_from: None,
        real_path: None,
        soname: None,
        version: None,
        version_source: None,
        origin: Origin::Unknown,
        already_loaded: None,
        functions_wanted: None,
        functions_found: None,
        functions_absent: None,
        absent: Absent::default(),
    }
}
