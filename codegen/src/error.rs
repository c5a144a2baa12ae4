use std::path::PathBuf;

/// Why bindings could not be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder has no such header.
    #[error("{} is missing: this is not the include folder of a CUDA toolkit", .0.display())]
    MissingHeader(PathBuf),
    /// The compiler's own headers (`stddef.h`) could not be found.
    #[error("gcc does not tell where its headers are: install gcc")]
    CompilerHeaders(#[source] std::io::Error),
    /// There is no libclang, by which headers are read.
    #[error(
        "no libclang was found: install it (Debian's libclang-dev, or the Python package libclang), or name its \
         folder in LIBCLANG_PATH"
    )]
    NoLibclang,
    /// bindgen refused the header.
    #[error("bindgen failed on {}", header.display())]
    Bindgen {
        /// The header that was read.
        header: PathBuf,
        /// bindgen's own words.
        #[source]
        cause: bindgen::BindgenError,
    },
    /// What bindgen wrote is not the Rust that we expect.
    #[error("the bindings of {} could not be read: {why}", header.display())]
    Unexpected {
        /// The header that was read.
        header: PathBuf,
        /// What was not as expected.
        why: String,
    },
    /// A file could not be read.
    #[error("{} could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        #[source]
        cause: std::io::Error,
    },
}
