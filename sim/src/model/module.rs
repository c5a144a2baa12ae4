//! Modules: the variables and functions of PTX text, as far as memory goes.

use std::collections::BTreeMap;

use super::code::{Code, Outcome};
use super::ptx::{self, Program};

/// A loaded module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The context that it was loaded into.
    pub(crate) context: usize,
    /// Address and size by name.
    pub(crate) globals: BTreeMap<String, (usize, usize)>,
    /// Handle by name.
    pub(crate) functions: BTreeMap<String, usize>,
}

/// The newest language that a driver for CUDA 13 reads.
const NEWEST: u32 = 9;

/// Reads a module's text.
pub(crate) fn parse(image: &[u8]) -> Outcome<Program> {
    let text = core::str::from_utf8(image).map_err(|_binary| Code::INVALID_IMAGE)?;
    let version = text.split_once(".version").ok_or(Code::INVALID_IMAGE)?.1;
    let major = version
        .trim_start()
        .split('.')
        .next()
        .and_then(|digits| digits.parse::<u32>().ok());
    if major.ok_or(Code::INVALID_PTX)? > NEWEST {
        return Err(Code::UNSUPPORTED_PTX_VERSION);
    }
    let mut program = ptx::parse(text).ok_or(Code::INVALID_PTX)?;
    // The driver places constants before other variables.
    program.variables.sort_by_key(|variable| !variable.constant);
    Ok(program)
}
