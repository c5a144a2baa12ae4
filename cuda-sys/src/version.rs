use core::fmt;

/// A version of CUDA in CUDA's own count: 12080 stands for 12.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u32);

impl Version {
    /// The version `major.minor`.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self(major * 1000 + minor * 10)
    }

    /// The part before the point: 12 of 12.8.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0 / 1000
    }

    /// The part behind the point: 8 of 12.8.
    #[must_use]
    pub const fn minor(self) -> u32 {
        self.0 % 1000 / 10
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn cudas_own_count_is_read_and_written() {
        assert_eq!(Version(12080), Version::new(12, 8));
        assert_eq!(Version(12080).to_string(), "12.8");
        assert_eq!(Version(13000).to_string(), "13.0");
        assert!(Version(11080) < Version(12000));
    }
}
