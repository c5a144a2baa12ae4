use core::fmt;

use crate::Version;
use crate::loader::LibraryName;

/// A function that these bindings know by its export name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// The export name, such as `cuMemAlloc_v2`.
    pub name: &'static str,
    /// The version of CUDA that introduced it.
    ///
    /// For the driver from NVIDIA's own list, which goes back to CUDA 2.0. For
    /// the runtime from a comparison of headers that begins with 11.7: a
    /// function that is older stands as 11.7.
    pub since: Version,
    /// The last version that has it, when newer ones dropped it.
    pub until: Option<Version>,
}

impl Symbol {
    pub(crate) const fn new(name: &'static str, since: u32, until: Option<u32>) -> Self {
        let until = match until {
            Some(until) => Some(Version(until)),
            None => None,
        };
        Self {
            name,
            since: Version(since),
            until,
        }
    }
}

/// The loaded library has no such function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSymbol {
    /// The name that was asked for.
    pub name: String,
    /// What is known of the function; `None` when these bindings do not know the name.
    pub symbol: Option<Symbol>,
    /// The library that lacks it and its version, when that is known.
    pub library: Option<(LibraryName, Version)>,
}

impl fmt::Display for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(symbol) = self.symbol else {
            return write!(f, "{} is no function that these bindings know", self.name);
        };
        let what = match self.library {
            Some((LibraryName::Cudart, _)) => "a runtime",
            _ => "a driver",
        };
        write!(f, "{} needs {what} for CUDA {}", symbol.name, symbol.since)?;
        match symbol.until {
            Some(until) if until != symbol.since => write!(f, " to {until}")?,
            Some(_) => f.write_str(" and no other")?,
            None => {}
        }
        match self.library {
            Some((_, version)) => write!(f, "; this one is for {version}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for MissingSymbol {}

#[cfg(test)]
mod tests {
    use super::{MissingSymbol, Symbol};
    use crate::{LibraryName, Version};

    fn missing(symbol: Option<Symbol>, library: Option<(LibraryName, Version)>) -> String {
        MissingSymbol {
            name: "cudaThing".to_owned(),
            symbol,
            library,
        }
        .to_string()
    }

    #[test]
    fn the_message_says_what_is_needed_and_what_is_there() {
        let symbol = Symbol::new("cuMemcpyBatchAsync", 12080, None);
        let text = missing(Some(symbol), Some((LibraryName::Cuda, Version(12040))));
        assert_eq!(
            text,
            "cuMemcpyBatchAsync needs a driver for CUDA 12.8; this one is for 12.4"
        );
    }

    #[test]
    fn a_function_that_was_dropped_names_both_ends() {
        let symbol = Symbol::new("cudaBindTexture", 11070, Some(11080));
        let text = missing(Some(symbol), Some((LibraryName::Cudart, Version(13000))));
        assert_eq!(
            text,
            "cudaBindTexture needs a runtime for CUDA 11.7 to 11.8; this one is for 13.0"
        );
    }

    #[test]
    fn an_unknown_name_is_named() {
        assert_eq!(
            missing(None, None),
            "cudaThing is no function that these bindings know"
        );
    }
}
