//! Makes the driver's bindings and those of one runtime major from a local toolkit.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use cuwhy_codegen::history::Share;
use cuwhy_codegen::unit::{self, Api};
use cuwhy_codegen::{committed, emit};

const VARIABLES: [&str; 2] = ["CUDA_HOME", "CUDA_PATH"];

pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
    for name in VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/generated");
    let include = include_folder()?;
    let version = unit::version(&include)?;
    let major = version / 1000;
    if !(11..=13).contains(&major) {
        return Err(format!(
            "{} is of CUDA {major}; these bindings know 11, 12 and 13",
            include.display()
        )
        .into());
    }
    let source = format!(
        "{} (CUDA {major}.{})",
        include.display(),
        version % 1000 / 10
    );
    let into = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo has set no OUT_DIR")?);
    let write = |folder: &str, types: &str, functions: &str| -> Result<(), Box<dyn Error>> {
        let folder = into.join(folder);
        fs::create_dir_all(&folder)?;
        let header = emit::header("the feature bindgen of cuda-sys", &source);
        fs::write(folder.join("types.rs"), format!("{header}{types}"))?;
        fs::write(
            folder.join("table.rs"),
            format!("{header}use super::prelude::*;\n{functions}"),
        )?;
        Ok(())
    };

    let known = committed::types(&read("driver/types.rs")?)?;
    let common = committed::types(&read("runtime/types.rs")?)?;
    let local = unit::read(Api::Driver, &include, cuwhy_codegen::stand_ins())?;
    let mut driver = Share {
        order: local.order.clone(),
        definitions: local.definitions.clone(),
        functions: committed::with_lives(
            &local.functions,
            version,
            &committed::table(&read("driver/table.rs")?),
        ),
    };
    // Handles that the runtime of other majors shares with a newer driver than this one.
    for name in &common.borrowed {
        if let (false, Some(definition)) = (
            driver.definitions.contains_key(name),
            known.unit.definitions.get(name),
        ) {
            driver.order.push(name.clone());
            driver.definitions.insert(name.clone(), definition.clone());
        }
    }
    let docs = "The functions of `libcuda.so.1`, by export name.";
    write(
        "driver",
        &emit::types(&driver, None),
        &emit::table(docs, &driver.functions),
    )?;

    let local = unit::read(Api::Runtime, &include, cuwhy_codegen::stand_ins())?;
    let shared = committed::table(&read("runtime/table.rs")?);
    let (mut own, more) = committed::beside(&local, version, &common.unit, &shared);
    own.order.retain(|name| !common.borrowed.contains(name));
    let types = emit::types(&own, Some(("crate::generated::driver::types", &driver)));
    let types = format!("use crate::generated::runtime::types::*;\n{types}{more}");
    let docs = format!("The functions of `libcudart` whose signature in CUDA {major} is its own.");
    write("runtime", &types, &emit::table(&docs, &own.functions))?;
    println!("cargo::rustc-cfg=local_runtime=\"{major}\"");
    Ok(())
}

/// The folder with `cuda.h`.
fn include_folder() -> Result<PathBuf, String> {
    let named = VARIABLES
        .iter()
        .find_map(|name| Some((name, env::var_os(name)?)));
    let Some((name, home)) = named else {
        return Err("the feature bindgen of cuda-sys needs a CUDA toolkit: set CUDA_HOME to its folder, or leave \
                    the feature off, which needs none"
            .to_owned());
    };
    let folder = Path::new(&home).join("include");
    if folder.join("cuda.h").is_file() {
        return Ok(folder);
    }
    Err(format!(
        "{name} is {}, and there is no include/cuda.h in it",
        Path::new(&home).display()
    ))
}

fn read(name: &str) -> Result<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/generated")
        .join(name);
    fs::read_to_string(&path).map_err(|error| format!("reading {}: {error}", path.display()))
}
