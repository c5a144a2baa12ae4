//! What a library file says of itself, without being loaded.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use object::Endianness;
use object::elf::{DT_SONAME, FileHeader64, SHT_DYNSYM};
use object::read::ReadCache;
use object::read::elf::{FileHeader as _, Sym as _};

/// What a shared object says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SharedObject {
    /// Its own name, if it has one.
    pub(crate) soname: Option<String>,
    /// The names that it exports, if they were asked for.
    pub(crate) exports: Option<BTreeSet<String>>,
}

/// Whether the exported names are wanted: reading them takes a millisecond or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exports {
    Wanted,
    Unwanted,
}

/// Reads a shared object's own name and exports.
pub(crate) fn read(path: &Path, exports: Exports) -> Result<SharedObject, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let data = &ReadCache::new(file);
    parse(data, exports).map_err(|error| error.to_string())
}

fn parse<'data>(
    data: impl object::read::ReadRef<'data>,
    exports: Exports,
) -> object::read::Result<SharedObject> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let mut found = SharedObject::default();
    if let Some((entries, strings)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, strings)?;
        for entry in entries {
            if entry.d_tag.get(endian) == DT_SONAME {
                let offset = u32::try_from(entry.d_val.get(endian)).unwrap_or(0);
                found.soname = strings
                    .get(offset)
                    .ok()
                    .map(|name| String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    if exports == Exports::Wanted {
        let symbols = sections.symbols(endian, data, SHT_DYNSYM)?;
        let names = symbols
            .iter()
            .filter(|symbol| !symbol.is_undefined(endian))
            .filter_map(|symbol| symbol.name(endian, symbols.strings()).ok())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        found.exports = Some(names);
    }
    Ok(found)
}
