use super::Status;

/// The number of "out of memory" in both APIs.
pub(super) const OUT_OF_MEMORY: u32 = 2;
/// The number of "not ready" in both APIs.
pub(super) const NOT_READY: u32 = 600;
/// The number with which `cuda-sys` answers for a function that the library does not have.
pub(super) const SYMBOL_NOT_FOUND: u32 = 302;

/// Whether this status leaves the device, or the process, unusable.
///
/// The numbers are those that the headers describe with "must be terminated and relaunched"; both
/// APIs use the same ones.
#[must_use]
pub fn is_sticky(status: Status) -> bool {
    matches!(
        status.0,
        214 | 220 | 226 | 700 | 702 | 710 | 714..=719 | 721 | 911
    )
}

/// What the most frequent statuses mean, where the library has no words for them.
const MEANINGS: [(u32, &str); 24] = [
    (1, "an argument is not acceptable"),
    (2, "there is not enough memory"),
    (3, "CUDA is not initialised"),
    (4, "the process is ending and CUDA with it"),
    (34, "the loaded library is the toolkit's stub and no driver"),
    (35, "the driver is older than the runtime"),
    (36, "the call needs a newer driver"),
    (46, "the device is busy or unavailable"),
    (100, "there is no device"),
    (101, "there is no such device"),
    (200, "the image of the code is invalid"),
    (201, "no context is current, or it is not valid"),
    (209, "there is no code for this device"),
    (218, "the PTX does not compile"),
    (304, "the operating system refused"),
    (400, "the handle is not valid"),
    (500, "there is nothing of that name or at that address"),
    (600, "earlier work has not finished"),
    (
        700,
        "code on the device used an address that is not allocated",
    ),
    (709, "the context was destroyed"),
    (712, "the memory is registered already"),
    (713, "the memory is not registered"),
    (719, "code on the device failed"),
    (801, "it is not supported here"),
];

/// What a status means, in our words.
pub(super) fn meaning(number: u32) -> Option<String> {
    let found = MEANINGS.iter().find(|(known, _)| *known == number);
    found.map(|(_, meaning)| (*meaning).to_owned())
}
