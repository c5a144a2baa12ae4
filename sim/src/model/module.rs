//! Modules: the variables and functions of PTX text, as far as memory goes.

use std::collections::BTreeMap;

use super::code::{Code, Outcome};
use super::ptx::{self, Program};

/// A loaded module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Address and size by name.
    pub(crate) globals: BTreeMap<String, (usize, usize)>,
    /// Handle by name.
    pub(crate) functions: BTreeMap<String, usize>,
}

/// Reads a module's text.
pub(crate) fn parse(image: &[u8]) -> Outcome<Program> {
    let text = core::str::from_utf8(image).map_err(|_binary| Code::INVALID_IMAGE)?;
    if !text.contains(".version") {
        return Err(Code::INVALID_IMAGE);
    }
    ptx::parse(text).ok_or(Code::INVALID_PTX)
}
