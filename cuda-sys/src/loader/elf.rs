//! Why a file that is there cannot be opened: what its first bytes say.
//!
//! Only paths are looked at: a bare name is for the system's loader to find.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
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
    let kind = file.metadata().ok()?.file_type();
    if kind.is_dir() {
        return Some("it is a folder".to_owned());
    }
    if !kind.is_file() {
        return None;
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

/// What the system's loader would die of, or wait for without end: a file that ends before what its
/// header promises, as after a download that broke off, and a pipe.
pub(super) fn trap(path: &Path) -> Option<String> {
    let file = open(path)?;
    let about = file.metadata().ok()?;
    if about.is_dir() {
        return None;
    }
    if !about.is_file() {
        return Some("it is a pipe, a socket or a device, and no file".to_owned());
    }
    let length = about.len();
    // Linkers put the list of segments right behind the header: one read, before each time that a
    // library is opened, gets both.
    let mut beginning = [0; 1024];
    let read = file.read_at(&mut beginning, 0).ok()?;
    let beginning = beginning.get(..read)?;
    let header: &[u8; 64] = beginning.first_chunk()?;
    // Class 64, little-endian: what this program itself is.
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let table = number(header, 32, 8);
    let (size, count) = (number(header, 54, 2), number(header, 56, 2));
    let mut needed = table.checked_add(size * count)?;
    let mut elsewhere = Vec::new();
    let there = usize::try_from(table).ok()?..usize::try_from(needed).ok()?;
    let segments = match beginning.get(there) {
        Some(segments) => segments,
        None => {
            let mut file = &file;
            file.seek(SeekFrom::Start(table)).ok()?;
            let mut file = file.take(size * count);
            file.read_to_end(&mut elsewhere).ok()?;
            &elsewhere
        }
    };
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
    // Of a pipe nobody may ever open the other end.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    options.open(path).ok()
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
    use super::{fault, trap};
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt as _;
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
        assert_eq!(trap(&std::env::current_exe().unwrap()), None);
    }

    /// A header, one segment that ends at byte `end`, and where segments are listed.
    fn library(end: u64, table: usize) -> Vec<u8> {
        let mut bytes = vec![0; table + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&(table as u64).to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
        bytes[table + 32..table + 40].copy_from_slice(&end.to_le_bytes());
        bytes
    }

    #[test]
    fn a_segment_that_is_not_all_there_is_seen_wherever_segments_are_listed() {
        let path = std::env::temp_dir().join(format!("cuwhy-elf-{}", std::process::id()));
        for table in [64, 968, 1000, 70_000] {
            let length = table + 56;
            for (end, whole) in [(length as u64, true), (length as u64 + 1, false)] {
                std::fs::write(&path, library(end, table)).unwrap();
                assert_eq!(trap(&path).is_none(), whole, "{table} {end}");
            }
            // The list itself is cut off.
            std::fs::write(&path, &library(0, table)[..length - 1]).unwrap();
            assert!(trap(&path).is_some(), "{table}");
        }
        // Too short to be read: the system's loader says so.
        std::fs::write(&path, &library(0, 64)[..63]).unwrap();
        assert_eq!(trap(&path), None);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn this_very_program_has_no_fault() {
        assert_eq!(fault(&std::env::current_exe().unwrap()), None);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = std::env::temp_dir();
        let pipe = folder.join(format!("cuda-sys-pipe-{}", std::process::id()));
        let name = CString::new(pipe.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is a live C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let found = trap(&pipe);
        std::fs::remove_file(&pipe).unwrap();
        assert!(found.unwrap().contains("a pipe"));
    }

    #[test]
    fn a_folder_is_called_a_folder() {
        assert_eq!(
            fault(&std::env::temp_dir()),
            Some("it is a folder".to_owned())
        );
    }
}
