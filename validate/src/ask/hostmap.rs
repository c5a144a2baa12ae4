//! The process's memory map: one question per address where the kernel has `PROCMAP_QUERY`
//! (Linux 6.11), else the text of `/proc/self/maps`.

use super::Host;
use crate::Span;
use crate::facts::Permissions;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A mapping of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its addresses.
    pub span: Span,
    /// What host code may do with it.
    pub permissions: Permissions,
    /// A file, `[stack]`, `[heap]`; nothing for anonymous memory.
    pub name: Option<Arc<str>>,
}

/// Where a memory map's answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapSource {
    /// The kernel's `PROCMAP_QUERY`.
    Query,
    /// The text of `/proc/self/maps`.
    Text,
}

/// The memory map of this process, open for questions.
#[derive(Debug)]
pub struct HostMap {
    file: Option<(u32, File)>,
    queries: AtomicBool,
}

const MAPS: &str = "/proc/self/maps";

impl HostMap {
    /// Opens the map; a process without `/proc` gets one that cannot tell.
    #[must_use]
    pub fn open() -> Self {
        let file = File::open(MAPS).ok();
        Self {
            file: file.map(|file| (std::process::id(), file)),
            queries: AtomicBool::new(true),
        }
    }

    /// Opens the map and never uses `PROCMAP_QUERY`.
    #[must_use]
    pub fn open_text() -> Self {
        let map = Self::open();
        map.queries.store(false, Ordering::Relaxed);
        map
    }

    /// Which source the next answer comes from, as far as is known by now.
    #[must_use]
    pub fn source(&self) -> MapSource {
        if self.queries.load(Ordering::Relaxed) && self.usable_file().is_some() {
            MapSource::Query
        } else {
            MapSource::Text
        }
    }

    /// What lies at an address.
    #[must_use]
    pub fn at(&self, address: u64) -> Host {
        if self.queries.load(Ordering::Relaxed)
            && let Some(file) = self.usable_file()
        {
            match query(file, address) {
                Ok(found) => return answer(address, found, stack_limit()),
                Err(Refusal::NotSupported) => self.queries.store(false, Ordering::Relaxed),
                Err(Refusal::Failed) => {}
            }
        }
        let Ok(text) = fs::read_to_string(MAPS) else {
            return Host::CannotTell;
        };
        ParsedMap::parse(&text).at_with_limit(address, stack_limit())
    }

    /// The open file, unless this is a child that inherited it: it still shows the parent's map.
    fn usable_file(&self) -> Option<&File> {
        let (process, file) = self.file.as_ref()?;
        (*process == std::process::id()).then_some(file)
    }
}

impl Default for HostMap {
    fn default() -> Self {
        Self::open()
    }
}

/// The text of a memory map, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedMap {
    mappings: Vec<Mapped>,
}

impl ParsedMap {
    /// Takes the text of `/proc/PID/maps` apart; lines that are none are left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut mappings: Vec<Mapped> = text.lines().filter_map(line).collect();
        mappings.sort_by_key(|mapping| mapping.span.start);
        Self { mappings }
    }

    /// All mappings by address.
    #[must_use]
    pub fn mappings(&self) -> &[Mapped] {
        &self.mappings
    }

    /// What lies at an address; `stack` is the limit up to which the main thread's stack grows.
    #[must_use]
    pub fn at_with_limit(&self, address: u64, stack: Option<u64>) -> Host {
        let next = self
            .mappings
            .iter()
            .find(|mapping| address < mapping.span.end);
        answer(address, next.cloned(), stack)
    }
}

/// Takes one line apart: `7ffc5432f000-7ffc54350000 rw-p 00000000 00:00 0   [stack]`.
fn line(text: &str) -> Option<Mapped> {
    let (range, rest) = text.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let span = Span::new(
        u64::from_str_radix(start, 16).ok()?,
        u64::from_str_radix(end, 16).ok()?,
    );
    let letters = rest.get(..4)?.as_bytes();
    let permissions = Permissions {
        read: letters[0] == b'r',
        write: letters[1] == b'w',
        execute: letters[2] == b'x',
    };
    let name = rest.splitn(5, ' ').nth(4).map(str::trim);
    Some(Mapped {
        span,
        permissions,
        name: name.filter(|name| !name.is_empty()).map(Arc::from),
    })
}

/// The mapping that covers an address or is the next one becomes an answer about the address.
fn answer(address: u64, found: Option<Mapped>, stack: Option<u64>) -> Host {
    match found {
        Some(mapping) if mapping.span.contains(address) => Host::Mapped(mapping),
        Some(mapping) => grown(address, &mapping, stack).unwrap_or(Host::Unmapped {
            next: Some(mapping.span.start),
        }),
        None => Host::Unmapped { next: None },
    }
}

/// An address below the main thread's stack is no hole: the stack grows when it is touched.
fn grown(address: u64, stack: &Mapped, limit: Option<u64>) -> Option<Host> {
    if stack.name.as_deref() != Some("[stack]") {
        return None;
    }
    let lowest = stack.span.end.saturating_sub(limit?);
    (address >= lowest).then(|| {
        Host::Mapped(Mapped {
            span: Span::new(lowest, stack.span.start),
            permissions: stack.permissions,
            name: Some("[stack], not touched yet".into()),
        })
    })
}

/// How far the main thread's stack may grow.
fn stack_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live `rlimit`, and the call writes nothing else.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    (result == 0).then_some(limit.rlim_cur)
}

/// Why the kernel did not answer a query.
enum Refusal {
    /// It does not know the question.
    NotSupported,
    /// It answered with an error.
    Failed,
}

/// `struct procmap_query` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct ProcmapQuery {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    vma_start: u64,
    vma_end: u64,
    vma_flags: u64,
    vma_page_size: u64,
    vma_offset: u64,
    inode: u64,
    dev_major: u32,
    dev_minor: u32,
    vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::c_ulong = 0xc068_6611;
const COVERING_OR_NEXT: u64 = 0x10;
const NAME_ROOM: usize = 512;

fn query(file: &File, address: u64) -> Result<Option<Mapped>, Refusal> {
    let mut name = [0_u8; NAME_ROOM];
    let mut question = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        query_flags: COVERING_OR_NEXT,
        query_addr: address,
        vma_name_size: u32::try_from(NAME_ROOM).unwrap_or(0),
        vma_name_addr: name.as_mut_ptr().expose_provenance() as u64,
        ..ProcmapQuery::default()
    };
    // SAFETY: the kernel writes the structure, whose size it is told, and at most `NAME_ROOM`
    // bytes of `name`; both outlive the call.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), PROCMAP_QUERY, &raw mut question) };
    if result != 0 {
        return match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::ENOENT) => Ok(None),
            Some(libc::ENOTTY | libc::EINVAL | libc::EPERM | libc::EACCES) => {
                Err(Refusal::NotSupported)
            }
            _ => Err(Refusal::Failed),
        };
    }
    let length = (question.vma_name_size as usize).min(NAME_ROOM);
    let text = String::from_utf8_lossy(&name[..length]);
    let text = text.trim_end_matches('\0');
    let flag = |bit| question.vma_flags & bit != 0;
    Ok(Some(Mapped {
        span: Span::new(question.vma_start, question.vma_end),
        permissions: Permissions {
            read: flag(1),
            write: flag(2),
            execute: flag(4),
        },
        name: (!text.is_empty()).then(|| Arc::from(text)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
00400000-00401000 r--p 00000000 fe:01 42                 /usr/bin/a name with spaces
00401000-00402000 ---p 00001000 fe:01 42
7ffc5432f000-7ffc54350000 rw-p 00000000 00:00 0          [stack]
";

    #[test]
    fn text_is_taken_apart() {
        let map = ParsedMap::parse(TEXT);
        assert_eq!(map.mappings().len(), 3);
        assert_eq!(
            map.mappings()[0].name.as_deref(),
            Some("/usr/bin/a name with spaces")
        );
        assert_eq!(map.mappings()[1].permissions, Permissions::NONE);
        assert_eq!(ParsedMap::parse("nonsense\n12-").mappings().len(), 0);
    }

    #[test]
    fn the_stack_grows_and_nothing_else_does() {
        let map = ParsedMap::parse(TEXT);
        let limit = Some(8 << 20);
        let below = map.at_with_limit(0x7ffc_5432_0000, limit);
        assert!(matches!(below, Host::Mapped(_)), "{below:?}");
        let far = map.at_with_limit(0x7ffc_0000_0000, limit);
        assert!(matches!(far, Host::Unmapped { .. }), "{far:?}");
        assert_eq!(
            map.at_with_limit(0x1000, limit),
            Host::Unmapped {
                next: Some(0x400000)
            }
        );
    }

    #[test]
    fn both_sources_agree_about_this_process() {
        let on_stack = 7_u64;
        let on_heap = Box::new(7_u64);
        let constant: &'static str = "in the read-only data";
        let addresses = [
            (&raw const on_stack).addr() as u64,
            (&raw const *on_heap).addr() as u64,
            constant.as_ptr().addr() as u64,
            0x1000,
        ];
        let (query, text) = (HostMap::open(), HostMap::open_text());
        for address in addresses {
            let both = (query.at(address), text.at(address));
            match both {
                (Host::Mapped(one), Host::Mapped(two)) => {
                    assert_eq!(one.permissions, two.permissions);
                    assert_eq!(one.name, two.name);
                }
                (one, two) => assert_eq!(one, two),
            }
        }
    }

    #[test]
    fn read_only_data_is_not_writable() {
        let constant: &'static str = "in the read-only data";
        let Host::Mapped(mapping) = HostMap::open().at(constant.as_ptr().addr() as u64) else {
            panic!("a literal is mapped");
        };
        assert!(mapping.permissions.readable() && !mapping.permissions.write);
    }
}
