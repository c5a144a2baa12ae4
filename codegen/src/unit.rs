//! One header of one CUDA version: its types and its functions, by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quote::ToTokens as _;
use syn::{ForeignItem, Item};

use crate::Error;

/// Which API a header declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `cuda.h`, exported by `libcuda.so.1`.
    Driver,
    /// `cuda_runtime_api.h`, exported by `libcudart.so.*`.
    Runtime,
}

impl Api {
    fn header(self) -> &'static str {
        match self {
            Api::Driver => "cuda.h",
            Api::Runtime => "cuda_runtime_api.h",
        }
    }

    /// The preprocessor settings whose functions together are the API.
    ///
    /// `__CUDA_API_VERSION_INTERNAL` makes `cuda.h` declare every export name
    /// that the library still carries, old and per-thread ones included. The
    /// runtime's header declares, under that setting, also old names with new
    /// structs (`cudaGetDeviceProperties` of 12), which would lie; its public
    /// names are those of the plain and of the per-thread setting.
    fn settings(self) -> &'static [&'static str] {
        match self {
            Api::Driver => &["-D__CUDA_API_VERSION_INTERNAL"],
            Api::Runtime => &["", "-DCUDA_API_PER_THREAD_DEFAULT_STREAM"],
        }
    }
}

/// A function of the C API.
#[derive(Debug, Clone)]
pub struct Function {
    /// The export name, such as `cuMemAlloc_v2`.
    pub name: String,
    /// Names and types of the arguments, as Rust text.
    pub arguments: Vec<(String, String)>,
    /// The type that it returns, as Rust text; empty for none.
    pub returns: String,
}

impl Function {
    /// The signature without argument names: what makes two functions the same.
    #[must_use]
    pub fn signature(&self) -> String {
        let types: Vec<&str> = self
            .arguments
            .iter()
            .map(|(_, kind)| kind.as_str())
            .collect();
        format!("({}) -> {}", types.join(", "), self.returns)
    }
}

/// A type or a constant: its definition, and for an enumeration its values.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The Rust items that define it, as text, `impl` blocks left out.
    pub text: String,
    /// The named values of an enumeration: name and number as Rust text.
    pub values: Vec<(String, String)>,
    /// Whether bindgen could not derive `Default`, so that it is zeroed by hand.
    pub zeroed: bool,
    /// The fields that have a name in C, for the comparison of layouts.
    pub fields: Vec<String>,
    /// Whether it is a `struct` or a `union` with a size known to callers.
    pub sized: bool,
}

/// What one header declares.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// Names of the definitions, in the header's order.
    pub order: Vec<String>,
    /// Types and constants by name.
    pub definitions: BTreeMap<String, Definition>,
    /// Functions by export name.
    pub functions: BTreeMap<String, Function>,
}

/// Runs bindgen over the header of `api` in `include`.
///
/// `stand_ins` is a folder with the header `crt/host_defines.h`, which the
/// packages that carry `cuda_runtime_api.h` lack; it is searched last.
///
/// # Errors
///
/// [`Error::MissingHeader`] when `include` has no such header, and what bindgen
/// or the compiler have to say otherwise.
pub fn read(api: Api, include: &Path, stand_ins: &Path) -> Result<Unit, Error> {
    let header = include.join(api.header());
    if !header.is_file() {
        return Err(Error::MissingHeader(header));
    }
    let mut unit = Unit::default();
    for setting in api.settings() {
        let text = bind(&header, include, stand_ins, setting)?;
        let file = syn::parse_file(&text).map_err(|error| Error::Unexpected {
            header: header.clone(),
            why: error.to_string(),
        })?;
        // Values of an enumeration may stand before it.
        let (impls, rest): (Vec<_>, Vec<_>) = file
            .items
            .into_iter()
            .partition(|item| matches!(item, Item::Impl(_)));
        for item in rest.into_iter().chain(impls) {
            unit.add(item).map_err(|why| Error::Unexpected {
                header: header.clone(),
                why,
            })?;
        }
    }
    Ok(unit)
}

fn bind(header: &Path, include: &Path, stand_ins: &Path, setting: &str) -> Result<String, Error> {
    // bindgen would panic.
    if !libclang_is_there() {
        return Err(Error::NoLibclang);
    }
    let builder = bindgen::Builder::default()
        .header(header.to_string_lossy())
        .clang_args(["-x", "c", "-std=c11", "-ffreestanding"])
        .clang_arg(format!("-I{}", include.display()))
        .clang_arg(format!("-idirafter{}", stand_ins.display()))
        .clang_arg(format!("-isystem{}", compiler_headers()?.display()))
        .clang_args((!setting.is_empty()).then_some(setting))
        .allowlist_function("cu[A-Z].*|cuda[A-Z].*")
        .allowlist_type("CU.*|cu[A-Z].*|cuda.*|dim3")
        .allowlist_var("CU.*|cuda.*")
        .generate_comments(false)
        .layout_tests(false)
        .derive_default(true)
        .default_enum_style(bindgen::EnumVariation::NewType {
            is_bitfield: false,
            is_global: false,
        })
        .must_use_type("cudaError_enum|cudaError")
        .use_core()
        .ctypes_prefix("core::ffi")
        .merge_extern_blocks(true)
        .rust_target(rust_target()?)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .formatter(bindgen::Formatter::None);
    let bindings = builder.generate().map_err(|cause| Error::Bindgen {
        header: header.to_path_buf(),
        cause,
    })?;
    Ok(bindings.to_string())
}

fn rust_target() -> Result<bindgen::RustTarget, Error> {
    bindgen::RustTarget::stable(88, 0).map_err(|error| Error::Unexpected {
        header: PathBuf::from("bindgen"),
        why: error.to_string(),
    })
}

/// The folder with `stddef.h`: a libclang that comes without its own needs it.
fn compiler_headers() -> Result<PathBuf, Error> {
    let answer = Command::new("gcc")
        .arg("-print-file-name=include")
        .output()
        .map_err(Error::CompilerHeaders)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    let header = folder.join("stddef.h");
    match fs::metadata(&header) {
        Ok(_) => Ok(folder),
        Err(cause) => Err(Error::CompilerHeaders(cause)),
    }
}

impl Unit {
    pub(crate) fn add(&mut self, item: Item) -> Result<(), String> {
        match item {
            Item::ForeignMod(block) => {
                for item in block.items {
                    let ForeignItem::Fn(function) = item else {
                        return Err("a foreign item is not a function".to_owned());
                    };
                    let function = read_function(&function);
                    self.functions
                        .entry(function.name.clone())
                        .or_insert(function);
                }
            }
            Item::Struct(item) => {
                let fields = named_fields(item.fields.iter());
                let sized = !fields.is_empty() && !fields.iter().any(|name| name == "_unused");
                self.define(
                    item.ident.to_string(),
                    item.to_token_stream().to_string(),
                    fields,
                    sized,
                );
            }
            Item::Union(item) => {
                let fields = named_fields(item.fields.named.iter());
                self.define(
                    item.ident.to_string(),
                    item.to_token_stream().to_string(),
                    fields,
                    true,
                );
            }
            Item::Type(item) => {
                self.define(
                    item.ident.to_string(),
                    item.to_token_stream().to_string(),
                    Vec::new(),
                    false,
                );
            }
            Item::Const(item) => {
                self.define(
                    item.ident.to_string(),
                    item.to_token_stream().to_string(),
                    Vec::new(),
                    false,
                );
            }
            Item::Use(item) => {
                let Some((name, text)) = alias(&item) else {
                    return Err(format!("an unexpected use: {}", item.to_token_stream()));
                };
                self.define(name, text, Vec::new(), false);
            }
            Item::Impl(item) => self.add_impl(&item)?,
            other => return Err(format!("an unexpected item: {}", other.to_token_stream())),
        }
        Ok(())
    }

    fn define(&mut self, name: String, text: String, fields: Vec<String>, sized: bool) {
        if !self.definitions.contains_key(&name) {
            self.order.push(name.clone());
            let definition = Definition {
                text,
                values: Vec::new(),
                zeroed: false,
                fields,
                sized,
            };
            self.definitions.insert(name, definition);
        }
    }

    /// Values of an enumeration, or the `Default` that bindgen wrote with zeroes.
    fn add_impl(&mut self, item: &syn::ItemImpl) -> Result<(), String> {
        let name = item.self_ty.to_token_stream().to_string();
        let Some(definition) = self.definitions.get_mut(&name) else {
            return Err(format!(
                "an impl for {name}, which is not defined before it"
            ));
        };
        if item.trait_.is_some() {
            definition.zeroed = true;
            return Ok(());
        }
        for part in &item.items {
            let syn::ImplItem::Const(value) = part else {
                return Err(format!("{name} has a method"));
            };
            let syn::Expr::Call(call) = &value.expr else {
                return Err(format!("{name}::{} is not a number", value.ident));
            };
            let number = call.args.to_token_stream().to_string().replace(' ', "");
            let value = (value.ident.to_string(), number);
            if !definition.values.contains(&value) {
                definition.values.push(value);
            }
        }
        Ok(())
    }
}

pub(crate) fn read_function(function: &syn::ForeignItemFn) -> Function {
    let arguments = function.sig.inputs.iter().filter_map(|argument| {
        let syn::FnArg::Typed(argument) = argument else {
            return None;
        };
        Some((text(&argument.pat), text(&argument.ty)))
    });
    let returns = match &function.sig.output {
        syn::ReturnType::Default => String::new(),
        syn::ReturnType::Type(_, kind) => text(kind),
    };
    Function {
        name: function.sig.ident.to_string(),
        arguments: arguments.collect(),
        returns,
    }
}

/// Fields that C knows by name: bindgen's names for anonymous members are left out.
fn named_fields<'a>(fields: impl Iterator<Item = &'a syn::Field>) -> Vec<String> {
    let names = fields
        .filter_map(|field| field.ident.as_ref())
        .map(ToString::to_string);
    names
        .filter(|name| !name.starts_with("__bindgen"))
        .collect()
}

/// `pub use self::cudaError_enum as CUresult;` as the type alias that it is.
fn alias(item: &syn::ItemUse) -> Option<(String, String)> {
    let syn::UseTree::Path(path) = &item.tree else {
        return None;
    };
    let syn::UseTree::Rename(rename) = &*path.tree else {
        return None;
    };
    let name = rename.rename.to_string();
    let text = format!("pub type {name} = {};", rename.ident);
    Some((name, text))
}

/// Tokens as text with the spaces that rustfmt would leave.
fn text(tokens: &impl quote::ToTokens) -> String {
    tokens
        .to_token_stream()
        .to_string()
        .replace(" :: ", "::")
        .replace(":: core", "core")
        .replace("* mut ", "*mut ")
        .replace("* const ", "*const ")
        .replace(" ,", ",")
        .replace(" ;", ";")
        .replace("[ ", "[")
        .replace(" ]", "]")
        .replace(" < ", "<")
        .replace(" >", ">")
}

/// The version that `cuda.h` in `include` gives itself: 12080 for 12.8.
///
/// # Errors
///
/// [`Error::MissingHeader`] or [`Error::Read`] when the header cannot be read,
/// [`Error::Unexpected`] when it does not tell.
pub fn version(include: &Path) -> Result<u32, Error> {
    let header = include.join("cuda.h");
    if !header.is_file() {
        return Err(Error::MissingHeader(header));
    }
    let text = fs::read_to_string(&header).map_err(|cause| Error::Read {
        path: header.clone(),
        cause,
    })?;
    let mut numbers = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define CUDA_VERSION "));
    let number = numbers.next().and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| Error::Unexpected {
        header,
        why: "it has no CUDA_VERSION".to_owned(),
    })
}

/// Whether bindgen would find a libclang on this machine.
#[must_use]
pub fn libclang_is_there() -> bool {
    clang_sys::load().is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cuwhy_tests::{Child, here};

    use super::{Api, read};
    use crate::Error;

    #[test]
    fn without_libclang_there_is_an_error_with_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let child = Child::new(here!(), "no libclang")
            // Where one is named, no other is looked for.
            .env("LIBCLANG_PATH", folder.path())
            .env("LD_LIBRARY_PATH", "")
            .env("PATH", folder.path());
        child
            .run(|| {
                let include = tempfile::tempdir().unwrap();
                fs::write(include.path().join("cuda.h"), "").unwrap();
                match read(Api::Driver, include.path(), include.path()) {
                    Err(error @ Error::NoLibclang) => {
                        assert!(error.to_string().contains("LIBCLANG_PATH"));
                    }
                    // The system's own folders are looked at whatever the variables say.
                    other => assert!(super::libclang_is_there(), "{other:?}"),
                }
            })
            .must_succeed();
    }
}
