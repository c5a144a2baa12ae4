//! Why a file that is there cannot be opened: what its first bytes say.

use std::fs::File;
use std::io::Read as _;
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
    let mut file = File::open(path).ok()?;
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

#[cfg(test)]
mod tests {
    use super::fault;

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
