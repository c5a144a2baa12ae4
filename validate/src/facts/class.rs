//! What a piece of memory is.

/// Whose memory an address lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The null pointer.
    Null,
    /// Device memory of one allocation.
    Device,
    /// A `__device__` variable.
    Symbol,
    /// Stream-ordered memory from a pool.
    Pool,
    /// Virtual memory that is mapped and that this device may use.
    Virtual,
    /// Virtual memory that is mapped, but that this device may not use.
    NoAccess,
    /// Virtual address space that is reserved, with nothing mapped there.
    Reserved,
    /// Managed memory.
    Managed,
    /// Page-locked host memory; the driver does not say whether allocated or registered.
    Pinned,
    /// Host memory that was page-locked by registration.
    Registered,
    /// Host memory that CUDA does not know.
    Pageable,
    /// An address in no mapping of this process, and nothing that CUDA knows.
    Unmapped,
    /// Memory that was freed, and nothing is there now.
    Freed,
    /// Nothing that CUDA knows; the process's memory map was not read.
    Foreign,
    /// No source could say.
    Unknown,
}

impl Class {
    /// Whether CUDA finds an object there that it may use.
    #[must_use]
    pub const fn is_cuda(self) -> bool {
        matches!(
            self,
            Self::Device
                | Self::Symbol
                | Self::Pool
                | Self::Virtual
                | Self::Managed
                | Self::Pinned
                | Self::Registered
        )
    }

    /// Whether it is CUDA memory that host code cannot touch.
    #[must_use]
    pub const fn is_device_only(self) -> bool {
        matches!(
            self,
            Self::Device | Self::Symbol | Self::Pool | Self::Virtual | Self::NoAccess
        )
    }

    /// Whether nothing stands behind the address.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        matches!(
            self,
            Self::Null | Self::Unmapped | Self::Freed | Self::Reserved
        )
    }

    /// Whether CUDA takes it for pageable host memory, rightly or not.
    #[must_use]
    pub const fn is_taken_for_pageable(self) -> bool {
        matches!(
            self,
            Self::Pageable | Self::Unmapped | Self::Freed | Self::Reserved | Self::Foreign
        )
    }

    /// The key used in JSON.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Device => "device",
            Self::Symbol => "symbol",
            Self::Pool => "pool",
            Self::Virtual => "virtual",
            Self::NoAccess => "no-access",
            Self::Reserved => "reserved",
            Self::Managed => "managed",
            Self::Pinned => "pinned",
            Self::Registered => "registered",
            Self::Pageable => "pageable",
            Self::Unmapped => "unmapped",
            Self::Freed => "freed",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
        }
    }
}

/// What a device may do with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// No source said.
    #[default]
    Unknown,
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
}

impl Access {
    /// The access behind `CUmemAccess_flags` or `CU_POINTER_ATTRIBUTE_ACCESS_FLAGS`.
    #[must_use]
    pub const fn from_flags(flags: u64) -> Self {
        match flags {
            0 => Self::None,
            1 => Self::Read,
            3 => Self::ReadWrite,
            _ => Self::Unknown,
        }
    }
}

/// What host code may do with a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions {
    /// `r`.
    pub read: bool,
    /// `w`.
    pub write: bool,
    /// `x`.
    pub execute: bool,
}

impl Permissions {
    /// Reading and writing.
    pub const READ_WRITE: Self = Self {
        read: true,
        write: true,
        execute: false,
    };
    /// Reading alone.
    pub const READ: Self = Self {
        read: true,
        write: false,
        execute: false,
    };
    /// Nothing: `PROT_NONE`.
    pub const NONE: Self = Self {
        read: false,
        write: false,
        execute: false,
    };

    /// Whether a load works; on x86-64 a page that can be written can be read.
    #[must_use]
    pub const fn readable(self) -> bool {
        self.read || self.write
    }

    /// The three letters of `/proc/self/maps`.
    #[must_use]
    pub fn letters(self) -> String {
        let letter = |has, name| if has { name } else { '-' };
        [
            letter(self.read, 'r'),
            letter(self.write, 'w'),
            letter(self.execute, 'x'),
        ]
        .into_iter()
        .collect()
    }
}
