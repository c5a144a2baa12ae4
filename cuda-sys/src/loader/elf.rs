//! Why a file that is there cannot be opened: what its first bytes say.
//!
//! Only paths are looked at: a bare name is for the system's loader to find.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// `EM_X86_64` and `EM_AARCH64` of the ELF specification.
const MACHINES: [(u16, &str); 4] = [
    (62, "x86-64"),
    (183, "aarch64"),
    (3, "32-bit x86"),
    (21, "ppc64"),
];

#[cfg(target_arch = "x86_64")]
const OURS: u16 = 62;
#[cfg(target_arch = "aarch64")]
const OURS: u16 = 183;

/// What is wrong with the file itself; `None` when its header is that of a library for this machine,
/// or when there is no such file.
pub(super) fn fault(path: &Path) -> Option<String> {
    let mut header = [0; 20];
    let mut file = open(path)?;
    if file.metadata().ok()?.is_dir() {
        return Some("it is a folder".to_owned());
    }
    if file.read_exact(&mut header).is_err() || header[..4] != *b"\x7fELF" {
        return Some("it is not a shared object (no ELF header)".to_owned());
    }
    let machine = u16::from_le_bytes([header[18], header[19]]);
    if machine == OURS {
        return None;
    }
    let known = MACHINES.iter().find(|(number, _)| *number == machine);
    Some(match known {
        Some((_, name)) => format!("it is built for {name}, and this program is not"),
        None => format!("it is built for another machine (ELF machine {machine})"),
    })
}

/// Says so when the file ends before what its header promises, as after a download that broke off.
pub(super) fn cut_short(path: &Path) -> Option<String> {
    let mut file = open(path)?;
    let length = file
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    // Class 64, little-endian: what this program itself is.
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let table = number(&header, 32, 8);
    let (size, count) = (number(&header, 54, 2), number(&header, 56, 2));
    let mut needed = table.checked_add(size * count)?;
    file.seek(SeekFrom::Start(table)).ok()?;
    let mut segments = Vec::new();
    file.take(size * count).read_to_end(&mut segments).ok()?;
    for segment in segments.chunks_exact(usize::try_from(size).ok()?.max(56)) {
        let end = number(segment, 8, 8).checked_add(number(segment, 32, 8))?;
        needed = needed.max(end);
    }
    (length < needed).then(|| format!("it is cut short: {length} bytes of at least {needed}"))
}

/// The file behind a path; `None` for a bare name.
fn open(path: &Path) -> Option<File> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())?;
    File::open(path).ok()
}

/// The unsigned number of `size` bytes at `at`, little-endian.
fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let bytes = &bytes[at..at + size];
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{cut_short, fault};
    use std::path::Path;

    #[test]
    fn a_bare_name_is_not_looked_at() {
        let entries = std::fs::read_dir(".").unwrap().filter_map(Result::ok);
        let mut files = entries.filter(|entry| entry.path().is_file());
        let name = files.next().unwrap().file_name();
        assert_eq!(fault(Path::new(&name)), None);
        assert!(fault(&Path::new(".").join(name)).is_some());
    }

    #[test]
    fn this_very_program_is_whole() {
        assert_eq!(cut_short(&std::env::current_exe().unwrap()), None);
    }

    #[test]
    fn this_very_program_has_no_fault() {
        assert_eq!(fault(&std::env::current_exe().unwrap()), None);
    }

    #[test]
    fn a_folder_is_called_a_folder() {
        assert_eq!(
            fault(&std::env::temp_dir()),
            Some("it is a folder".to_owned())
        );
    }
}
