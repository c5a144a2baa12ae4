//! Host memory of a world: pageable, with guard pages, registered.

use core::ptr;

use cuwhy_validate::Class;
use cuwhy_validate::facts::Permissions;

use super::{Fence, Object, PAGE, Side, Undo, World, need, object, protect};
use crate::truth::execute::{cuda, pointer, size};
use crate::truth::fault::Zone;
use crate::truth::random::Random;

/// Pages without any access before and behind host memory that a wrong copy may leave.
pub(super) const GUARD: u64 = 16 * PAGE;

impl World {
    /// A mapping with forbidden pages before and behind; answers where it begins.
    pub(super) fn mapping(&mut self, bytes: u64, protection: i32) -> Result<u64, String> {
        let whole = GUARD + bytes + GUARD;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping where the kernel likes.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), size(whole), libc::PROT_NONE, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err("mmap failed".into());
        }
        let start = start.expose_provenance() as u64;
        self.keep(Undo::Map(start, whole));
        let inside = start + GUARD;
        protect(inside, bytes, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: the bytes were just mapped readable and writable.
        unsafe { ptr::write_bytes(pointer(inside).cast::<u8>(), 0x5a, size(bytes)) };
        protect(inside, bytes, protection);
        self.zones.push(Zone {
            start,
            end: inside,
            protection: libc::PROT_NONE,
        });
        self.zones.push(Zone {
            start: inside + bytes,
            end: start + whole,
            protection: libc::PROT_NONE,
        });
        if protection != libc::PROT_READ | libc::PROT_WRITE {
            self.zones.push(Zone {
                start: inside,
                end: inside + bytes,
                protection,
            });
        }
        Ok(inside)
    }

    pub(super) fn host(&mut self, random: &mut Random) -> Result<(), String> {
        for _ in 0..3 {
            // Slack on both sides: what a copy overruns by a little is still this block.
            let (before, after) = (64, 8192);
            let bytes = random.pick(&[1, 4, 40, 400, 1000, 4096, 20_000, 70_000]);
            let block = vec![0x5a_u8; size(before + bytes + after)].into_boxed_slice();
            let length = block.len();
            let start = Box::into_raw(block).cast::<u8>().expose_provenance() as u64;
            self.keep(Undo::Malloc(start, length));
            self.add(Object {
                fence: Some(Fence {
                    start,
                    end: start + length as u64,
                    guarded: false,
                }),
                ..object("heap", start + before, bytes, Side::Host)
            });
        }
        let both = libc::PROT_READ | libc::PROT_WRITE;
        for (class, pages, protection) in [
            ("guarded", 1, both),
            ("guarded", random.between(2, 24), both),
            ("readonly", random.between(1, 3), libc::PROT_READ),
            ("prot_none", 1, libc::PROT_NONE),
        ] {
            let bytes = pages * PAGE;
            let base = self.mapping(bytes, protection)?;
            let mut one = object(class, base, bytes, Side::Host);
            one.writable = protection == both;
            if protection == libc::PROT_NONE {
                one.side = Side::Bad;
            }
            one.fence = Some(Fence {
                start: base - GUARD,
                end: base + bytes + GUARD,
                guarded: true,
            });
            // Objects that end exactly at the guard page, and begin anywhere.
            if random.chance(50) {
                let cut = random.below(bytes.min(PAGE) - 1);
                one.base += cut;
                one.bytes -= cut;
            }
            self.add(one);
        }
        Ok(())
    }

    pub(super) fn register(&mut self, start: u64, bytes: u64, flags: u32) -> Result<(), String> {
        need(
            "cuMemHostRegister",
            cuda!(
                self.driver
                    .cuMemHostRegister_v2(pointer(start), size(bytes), flags)
            ),
        )?;
        self.keep(Undo::Registered(start));
        let permissions = if flags & 8 == 0 {
            Permissions::READ_WRITE
        } else {
            Permissions::READ
        };
        self.note(Class::Registered, start, bytes, Some(permissions));
        Ok(())
    }

    pub(super) fn registered(&mut self, random: &mut Random) -> Result<(), String> {
        let both = libc::PROT_READ | libc::PROT_WRITE;
        // Pageable, registered, registered next to it, pageable, in one mapping.
        let pages = random.between(1, 4);
        let bytes = pages * PAGE;
        let base = self.mapping(4 * bytes, both)?;
        let fence = Some(Fence {
            start: base - GUARD,
            end: base + 4 * bytes + GUARD,
            guarded: true,
        });
        self.register(base + bytes, bytes, 0)?;
        self.register(base + 2 * bytes, bytes, 1)?;
        for (class, part, side) in [
            ("beside_registered", 0, Side::Host),
            ("registered", 1, Side::Both),
            ("registered", 2, Side::Both),
        ] {
            let one = object(class, base + part * bytes, bytes, side);
            self.add(Object { fence, ..one });
        }
        // A part of a page.
        let base = self.mapping(PAGE, both)?;
        let fence = Some(Fence {
            start: base - GUARD,
            end: base + PAGE + GUARD,
            guarded: true,
        });
        let (start, bytes) = (base + random.between(1, 200), random.between(16, 2000));
        self.register(start, bytes, 0)?;
        self.add(Object {
            fence,
            ..object("registered_part", start, bytes, Side::Both)
        });
        // Read-only, over a writable mapping and over one that is not.
        for protection in [both, libc::PROT_READ] {
            let base = self.mapping(PAGE, protection)?;
            let fence = Some(Fence {
                start: base - GUARD,
                end: base + PAGE + GUARD,
                guarded: true,
            });
            self.register(base, PAGE, 8)?;
            let one = object("registered_readonly", base, PAGE, Side::Both);
            self.add(Object {
                writable: false,
                fence,
                ..one
            });
        }
        Ok(())
    }
}
