/// What is wrong with arguments that never reached CUDA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// Source and destination differ in length.
    #[error("the destination has {destination} elements and the source {source_}")]
    LengthsDiffer {
        /// Elements in the destination.
        destination: usize,
        /// Elements in the source.
        source_: usize,
    },
    /// A range does not lie in what it is a range of.
    #[error("elements {start}..{end} of {len}")]
    OutOfRange {
        /// First element.
        start: usize,
        /// One past the last element.
        end: usize,
        /// Elements that there are.
        len: usize,
    },
    /// The size in bytes does not fit into a `usize`, or not into the host's memory.
    #[error("{len} elements of {element} bytes are more than an address space")]
    TooLarge {
        /// Number of elements.
        len: usize,
        /// Bytes of one element.
        element: usize,
    },
    /// A row is wider than the distance between rows.
    #[error("rows of {width} bytes do not fit a pitch of {pitch} bytes")]
    WidthExceedsPitch {
        /// Bytes in a row.
        width: usize,
        /// Bytes between rows.
        pitch: usize,
    },
    /// An index, an ordinal or a flag does not fit the C type.
    #[error("{value} does not fit the C type of {name}")]
    DoesNotFit {
        /// The argument.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// The stream is capturing, and this operation cannot be part of a graph in safe code.
    #[error("the stream is capturing")]
    Capturing,
    /// The event was last recorded in a stream that captures: waiting for it would make the stream join
    /// the capture, and copies that are under way in it could not be waited for.
    #[error("the event belongs to a capture, which the stream would join")]
    CapturedEvent,
    /// A copy of a scope is under way in the legacy stream: no blocking stream may begin to capture,
    /// because that would forbid to wait for it.
    #[error("a copy is under way in the legacy stream")]
    LegacyStreamBusy,
    /// It was made by somebody else, and nothing says how long it lives.
    #[error("it belongs to somebody else")]
    Foreign,
    /// A text with a zero byte inside cannot be a C string.
    #[error("the text has a zero byte at {position}")]
    ZeroByte {
        /// Where.
        position: usize,
    },
    /// The address is not aligned for the type.
    #[error("address {address:#x} is not a multiple of {alignment}")]
    Misaligned {
        /// The address.
        address: u64,
        /// The alignment wanted.
        alignment: usize,
    },
    /// Two things of different devices or devices, where one is needed.
    #[error("the operands belong to different places")]
    DifferentPlaces,
    /// The device says that it cannot do this.
    #[error("the device does not support it")]
    Unsupported,
}
