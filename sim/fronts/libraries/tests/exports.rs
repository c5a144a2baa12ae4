//! What the libraries export, under which versions, compared with the bindings and with the real libraries.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::Path;

use cuda_sys::runtime::{Major, Table, v11, v12, v13};
use object::{Object as _, ObjectSymbol as _};
use support::{MAJORS, library, toolkits};

/// The functions that the bindings know of a major.
fn known(major: Major) -> impl Iterator<Item = &'static str> {
    let own = match major {
        Major::V11 => v11::Table::SYMBOLS,
        Major::V12 => v12::Table::SYMBOLS,
        _ => v13::Table::SYMBOLS,
    };
    let first = major.version();
    let belongs = move |symbol: &&cuda_sys::Symbol| {
        symbol.since <= major.newest() && symbol.until.is_none_or(|until| until >= first)
    };
    Table::SYMBOLS
        .iter()
        .chain(own)
        .filter(belongs)
        .map(|symbol| symbol.name)
}

fn exported(file: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let defined = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global());
    defined
        .filter_map(|symbol| symbol.name().ok().map(str::to_owned))
        .collect()
}

#[test]
fn every_function_has_the_version_of_its_major() {
    for major in MAJORS {
        let path = CString::new(library(major.soname()).to_str().unwrap()).unwrap();
        // SAFETY: a library of this project under a C string.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        let version = CString::new(major.soname()).unwrap();
        for name in known(major) {
            let name = CString::new(name).unwrap();
            // SAFETY: an open library and two C strings.
            let address = unsafe { libc::dlvsym(handle, name.as_ptr(), version.as_ptr()) };
            assert!(!address.is_null(), "{name:?} of CUDA {major}");
        }
    }
}

#[test]
fn the_fronts_export_what_the_real_libraries_export() {
    for toolkit in toolkits() {
        let (real, ours) = (
            exported(&toolkit.library),
            exported(&library(toolkit.major.soname())),
        );
        let missing: Vec<_> = real.difference(&ours).collect();
        let more: Vec<_> = ours.difference(&real).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "CUDA {}: {missing:?} {more:?}",
            toolkit.major
        );
    }
}

#[test]
fn nvml_exports_every_name_of_the_recorded_driver() {
    let names = include_str!("../../nvml/names.list");
    let ours = exported(&library("libnvidia-ml.so.1"));
    let missing: Vec<_> = names
        .lines()
        .filter(|name| name.starts_with("nvml") && !ours.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn each_library_gives_itself_its_real_name() {
    let names = [
        "libcuda.so.1",
        "libcudart.so.11.0",
        "libcudart.so.12",
        "libcudart.so.13",
        "libnvidia-ml.so.1",
    ];
    for name in names {
        let bytes = std::fs::read(library(name)).unwrap();
        let soname = object::read::elf::ElfFile64::<object::Endianness>::parse(&*bytes).unwrap();
        let own = soname_of(&soname);
        assert_eq!(own.as_deref(), Some(name));
    }
}

fn soname_of(file: &object::read::elf::ElfFile64<'_>) -> Option<String> {
    use object::elf::{DT_SONAME, SHT_DYNAMIC};
    use object::read::elf::{Dyn as _, SectionHeader as _};
    let (endian, data) = (file.endian(), file.data());
    let sections = file.elf_section_table();
    for section in sections
        .iter()
        .filter(|section| section.sh_type(endian) == SHT_DYNAMIC)
    {
        let (entries, link) = section.dynamic(endian, data).ok()??;
        let strings = sections.strings(endian, data, link).ok()?;
        let named = entries
            .iter()
            .find(|entry| entry.d_tag(endian) == DT_SONAME);
        let name = named.and_then(|entry| entry.string(endian, strings).ok());
        if let Some(name) = name {
            return String::from_utf8(name.to_vec()).ok();
        }
    }
    None
}
