//! The name that a library gives itself, and the version of its symbols.

/// A major version of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Major {
    /// `libcudart.so.11.0`, as of 11.8.
    V11,
    /// `libcudart.so.12`, as of 12.9.
    V12,
    /// `libcudart.so.13`, as of the newest headers.
    V13,
}

impl Major {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::V11 => 11,
            Self::V12 => 12,
            Self::V13 => 13,
        }
    }

    /// The version that the front is a copy of.
    pub(crate) fn newest(self) -> u32 {
        match self {
            Self::V11 => 11080,
            Self::V12 => 12090,
            Self::V13 => 13999,
        }
    }

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::V11 => "runtime_v11",
            Self::V12 => "runtime_v12",
            Self::V13 => "runtime_v13",
        }
    }

    pub(crate) fn soname(self) -> &'static str {
        match self {
            Self::V11 => "libcudart.so.11.0",
            Self::V12 => "libcudart.so.12",
            Self::V13 => "libcudart.so.13",
        }
    }
}

/// Gives the shared library of this package its name and, where the real one has them, symbol versions.
pub fn named(soname: &str, versioned: bool) {
    let argument = |text: &str| println!("cargo::rustc-cdylib-link-arg={text}");
    argument(&format!("-Wl,-soname,{soname}"));
    if versioned {
        // GNU ld makes the soname the version of every symbol; LLVM's linker, which rustc prefers, cannot.
        argument("-fuse-ld=bfd");
        argument("-Wl,--default-symver");
    }
    // The core lies beside a front in every folder that is assembled for programs.
    argument("-Wl,-rpath,$ORIGIN");
    argument("-Wl,-Bsymbolic-functions");
    argument("-Wl,-z,nodelete");
}
