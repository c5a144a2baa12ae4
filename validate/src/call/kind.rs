//! The direction of a copy, as the caller stated it.

/// What CUDA demands of an operand before it moves a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Demand {
    /// It must be memory that CUDA knows; anything else is refused.
    Cuda,
    /// Anything: what CUDA does not know is taken for pageable host memory.
    Any,
}

/// `cudaMemcpyKind`, or what the name of a driver function says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `cudaMemcpyHostToHost`.
    HostToHost,
    /// `cudaMemcpyHostToDevice`, `cuMemcpyHtoD`.
    HostToDevice,
    /// `cudaMemcpyDeviceToHost`, `cuMemcpyDtoH`.
    DeviceToHost,
    /// `cudaMemcpyDeviceToDevice`, `cuMemcpyDtoD`.
    DeviceToDevice,
    /// `cudaMemcpyDefault`, `cuMemcpy`: by the addresses.
    Default,
    /// A number that is none of the five.
    Invalid(i32),
}

impl Kind {
    /// The kind behind C's number.
    #[must_use]
    pub const fn from_raw(raw: i32) -> Self {
        match raw {
            0 => Self::HostToHost,
            1 => Self::HostToDevice,
            2 => Self::DeviceToHost,
            3 => Self::DeviceToDevice,
            4 => Self::Default,
            other => Self::Invalid(other),
        }
    }

    /// C's number.
    #[must_use]
    pub const fn raw(self) -> i32 {
        match self {
            Self::HostToHost => 0,
            Self::HostToDevice => 1,
            Self::DeviceToHost => 2,
            Self::DeviceToDevice => 3,
            Self::Default => 4,
            Self::Invalid(raw) => raw,
        }
    }

    /// The name that the runtime's header gives it, or the number.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::HostToHost => "cudaMemcpyHostToHost".into(),
            Self::HostToDevice => "cudaMemcpyHostToDevice".into(),
            Self::DeviceToHost => "cudaMemcpyDeviceToHost".into(),
            Self::DeviceToDevice => "cudaMemcpyDeviceToDevice".into(),
            Self::Default => "cudaMemcpyDefault".into(),
            Self::Invalid(raw) => format!("(cudaMemcpyKind){raw}"),
        }
    }

    /// What CUDA demands of the destination and of the source.
    ///
    /// Measured: only the device side of `HostToDevice` and `DeviceToHost`, and both sides of
    /// `DeviceToDevice`, are looked at.
    #[must_use]
    pub const fn demands(self) -> (Demand, Demand) {
        match self {
            Self::HostToDevice => (Demand::Cuda, Demand::Any),
            Self::DeviceToHost => (Demand::Any, Demand::Cuda),
            Self::DeviceToDevice => (Demand::Cuda, Demand::Cuda),
            Self::HostToHost | Self::Default | Self::Invalid(_) => (Demand::Any, Demand::Any),
        }
    }

    /// Which side the kind calls a device, destination first; `None` where it does not say.
    #[must_use]
    pub const fn says_device(self) -> Option<(bool, bool)> {
        match self {
            Self::HostToHost => Some((false, false)),
            Self::HostToDevice => Some((true, false)),
            Self::DeviceToHost => Some((false, true)),
            Self::DeviceToDevice => Some((true, true)),
            Self::Default | Self::Invalid(_) => None,
        }
    }

    /// The kind with its two sides exchanged.
    #[must_use]
    pub const fn exchanged(self) -> Self {
        match self {
            Self::HostToDevice => Self::DeviceToHost,
            Self::DeviceToHost => Self::HostToDevice,
            other => other,
        }
    }
}
