//! The loader's cache.

use crate::search::library_of;

/// Reads the paths of our libraries out of the loader's cache (`man ldconfig`).
pub(crate) fn cached_paths(bytes: &[u8]) -> Vec<String> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let Some(start) = bytes
        .windows(MAGIC.len())
        .position(|window| window == MAGIC)
    else {
        return Vec::new();
    };
    let table = &bytes[start..];
    let number = |at: usize| -> Option<usize> {
        let bytes = table.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let text = |at: usize| -> Option<String> {
        let rest = table.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        String::from_utf8(rest[..end].to_vec()).ok()
    };
    let count = number(MAGIC.len()).unwrap_or(0);
    (0..count)
        .map_while(|entry| {
            let at = HEADER + entry * ENTRY;
            Some((text(number(at + 4)?)?, text(number(at + 8)?)?))
        })
        .filter(|(name, _)| library_of(name).is_some())
        .map(|(_, path)| path)
        .collect()
}
