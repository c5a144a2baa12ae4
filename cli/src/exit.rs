//! What the process returns: numbers that scripts may rely on.

/// An exit code of `cuwhy`.
///
/// The constants are permanent. Commands that run another program return that program's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Exit(pub u8);

impl Exit {
    /// The command did what was asked, and found nothing wrong.
    pub const DONE: Self = Self(0);
    /// The command did what was asked, and a check failed.
    pub const CHECK_FAILED: Self = Self(1);
    /// The arguments make no sense, or a file named by them cannot be read.
    pub const USAGE: Self = Self(2);
    /// There is no device that CUDA or NVML could use. Any report is still valid.
    pub const NO_DEVICE: Self = Self(3);
    /// A part of the answer could not be collected; the rest is valid.
    pub const PARTIAL: Self = Self(4);
    /// The output could not be written. A closed pipe is not this: whoever reads may stop reading.
    pub const OUTPUT: Self = Self(5);
    /// A mistake in `cuwhy` itself.
    pub const BUG: Self = Self(70);

    /// Every code with the sentence that documents it.
    pub const ALL: &[(Self, &str)] = &[
        (Self::DONE, "done, nothing is wrong"),
        (Self::CHECK_FAILED, "done, and a check failed"),
        (
            Self::USAGE,
            "wrong arguments, or a file named by them cannot be read",
        ),
        (
            Self::NO_DEVICE,
            "no usable device; the report is still valid",
        ),
        (
            Self::PARTIAL,
            "a part could not be collected; the rest is valid",
        ),
        (
            Self::OUTPUT,
            "the output could not be written (a closed pipe is success)",
        ),
        (Self::BUG, "a mistake in cuwhy itself"),
    ];
}
