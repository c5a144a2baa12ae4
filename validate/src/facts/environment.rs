//! The thread, the process and the devices around a call.

/// What the calling thread works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Current {
    /// No source said.
    #[default]
    Unknown,
    /// No context is current.
    None,
    /// A context of this device.
    Device(i32),
}

/// How strictly a capture forbids other calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaptureMode {
    /// `cudaStreamCaptureModeGlobal`.
    Global,
    /// `cudaStreamCaptureModeThreadLocal`.
    ThreadLocal,
    /// `cudaStreamCaptureModeRelaxed`.
    Relaxed,
}

/// Whether a stream capture is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Capture {
    /// No source said.
    #[default]
    Unknown,
    /// None that concerns this call.
    None,
    /// The call's own stream captures.
    ThisStream,
    /// A blocking stream captures, and the call works on the legacy default stream.
    BlocksLegacy,
}

/// What surrounds a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The context that the call works in: the calling thread's, or that of the stream where this counts.
    pub current: Current,
    /// Whether the stream's context counts, and nobody can tell which that is.
    pub foreign_stream: bool,
    /// Whether devices reach pageable memory by themselves (HMM, ATS).
    pub pageable_access: Option<bool>,
    /// How many devices this process may use.
    pub devices: Option<i32>,
    /// The greatest pitch that the device allows.
    pub max_pitch: Option<u64>,
    /// Names of devices by ordinal.
    pub names: Vec<(i32, String)>,
    /// Captures that concern the call.
    pub capture: Capture,
    /// The code that an earlier fault left in the context.
    pub poison: Option<(u32, String)>,
    /// The process that initialised CUDA, where it is not this one.
    pub forked_from: Option<u32>,
    /// Where no context is current: the device of the created stream that the call works in.
    pub stream_device: Option<i32>,
    /// Whether the stream's handle is known to be dead.
    pub stream_dead: Option<bool>,
    /// The driver's CUDA version, as CUDA counts: 13000.
    pub driver_version: Option<i32>,
    /// The major version of the runtime that calls are made with.
    pub runtime_major: Option<u32>,
}

impl Environment {
    /// The device that does the work: the current context's, or without one the stream's.
    #[must_use]
    pub const fn device(&self) -> Option<i32> {
        match self.current {
            Current::Device(device) => Some(device),
            Current::None => self.stream_device,
            Current::Unknown => None,
        }
    }

    /// The name of a device.
    #[must_use]
    pub fn name(&self, device: i32) -> Option<&str> {
        let known = self.names.iter().find(|(ordinal, _)| *ordinal == device);
        known.map(|(_, name)| name.as_str())
    }
}
