//! The rows of the C calls with errors.

use super::super::house::copy::raw::{
    copy, copy_2d, copy_2d_async, copy_3d, copy_3d_async, copy_3d_batch_async, copy_3d_peer,
    copy_3d_peer_async, copy_3d_with_order_async, copy_async, copy_with_order_async, fill, fill_2d,
    fill_2d_async, fill_async, peer, peer_async,
};
use super::super::house::copy::{Direction, Pattern, SourceOrder};
use super::super::house::memory::{RegisterFlags, raw as memory};
use super::super::house::pool::raw as pool;
use super::*;

const UP: Direction = Direction::HostToDevice;
const NULL: Address = Address::NULL;
const ONES: Pattern = Pattern::Bits8(1);
const WIDTHS: [Pattern; 3] = [Pattern::Bits8(1), Pattern::Bits16(1), Pattern::Bits32(1)];
const ORDER: SourceOrder = SourceOrder::Stream;
const NO: &dyn Fn() = &|| {};
const PLAIN: RegisterFlags = RegisterFlags::PLAIN;

/// An unsafe call of a row.
macro_rules! known {
    ($call:expr) => {
        // SAFETY: in every row the ranges are good and alive until the row waits, or CUDA checks the bad one
        // and refuses.
        unsafe { $call }
    };
}

/// Host memory of whole pages, which nobody has registered.
fn pages() -> Vec<u8> {
    vec![0; 1 << 16]
}

/// With a stream besides.
fn streamed(
    p: &Place,
    now: &dyn Fn(),
    call: impl FnOnce(Address, Address, &Stream) -> Result<()>,
) -> Result<()> {
    let stream = nb(p)?;
    with_ranges(p, now, |to, from| call(to, from, &stream))
}

#[expect(clippy::too_many_lines, reason = "a table has as many rows as it has")]
pub(super) fn rows() -> Vec<Entry> {
    vec![
        row("copy raw::copy", |p, now| {
            with_ranges(p, now, |to, from| {
                let size = Bytes(32);
                let beside = Address(to.0 + 32);
                known!(copy(to, from, size, UP))?;
                known!(copy(from, to, size, Direction::DeviceToHost))?;
                known!(copy(beside, to, size, Direction::DeviceToDevice))?;
                known!(copy(
                    Address(from.0 + 32),
                    from,
                    size,
                    Direction::HostToHost
                ))?;
                known!(copy(to, from, size, Direction::Automatic))
            })
        })
        .null(|p| with_ranges(p, NO, |_, from| known!(copy(NULL, from, Bytes(64), UP))))
        .dangling(|p| with_ranges(p, NO, |_, from| known!(copy(HERE, from, Bytes(64), UP))))
        .zero(|p| with_ranges(p, NO, |_, _| known!(copy(NULL, HERE, Bytes(0), UP))))
        .beyond(|p| with_ranges(p, NO, |to, from| known!(copy(to, from, Bytes(MUCH), UP)))),
        row("copy raw::copy_async", |p, now| {
            streamed(p, now, |to, from, s| {
                let size = Bytes(32);
                let beside = Address(to.0 + 32);
                known!(copy_async(to, from, size, UP, s))?;
                known!(copy_async(from, to, size, Direction::DeviceToHost, s))?;
                known!(copy_async(beside, to, size, Direction::DeviceToDevice, s))?;
                known!(copy_async(to, from, size, Direction::Automatic, s))?;
                s.synchronize()
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_async(NULL, from, Bytes(64), UP, s))
            })
        })
        .dangling(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_async(HERE, from, Bytes(64), UP, s))
            })
        })
        .zero(|p| {
            streamed(p, NO, |_, _, s| {
                known!(copy_async(NULL, HERE, Bytes(0), UP, s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_async(to, from, Bytes(MUCH), UP, s))
            })
        }),
        row("copy raw::copy_with_order_async", |p, now| {
            streamed(p, now, |to, from, s| {
                known!(copy_with_order_async(to, from, Bytes(64), ORDER, s))
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_with_order_async(NULL, from, Bytes(64), ORDER, s))
            })
        })
        .dangling_crashes()
        .either(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_with_order_async(to, from, Bytes(0), ORDER, s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_with_order_async(to, from, Bytes(MUCH), ORDER, s))
            })
        }),
        row("copy raw::peer", |p, now| {
            with_ranges(p, now, |to, _| known!(peer(to, p, to, p, Bytes(32))))
        })
        .null(|p| with_ranges(p, NO, |to, _| known!(peer(NULL, p, to, p, Bytes(32)))))
        .dangling(|p| with_ranges(p, NO, |to, _| known!(peer(HERE, p, to, p, Bytes(32)))))
        .zero(|p| with_ranges(p, NO, |to, _| known!(peer(to, p, to, p, Bytes(0)))))
        .beyond(|p| with_ranges(p, NO, |to, _| known!(peer(to, p, to, p, Bytes(MUCH))))),
        row("copy raw::peer_async", |p, now| {
            streamed(p, now, |to, _, s| {
                known!(peer_async(to, p, to, p, Bytes(32), s))
            })
        })
        .null(|p| {
            streamed(p, NO, |to, _, s| {
                known!(peer_async(NULL, p, to, p, Bytes(32), s))
            })
        })
        .dangling(|p| {
            streamed(p, NO, |to, _, s| {
                known!(peer_async(HERE, p, to, p, Bytes(32), s))
            })
        })
        .zero(|p| {
            streamed(p, NO, |to, _, s| {
                known!(peer_async(to, p, to, p, Bytes(0), s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, _, s| {
                known!(peer_async(to, p, to, p, Bytes(MUCH), s))
            })
        }),
        row("copy raw::copy_2d", |p, now| {
            with_ranges(p, now, |to, from| known!(copy_2d(&flat(to, from, 8))))
        })
        .null(|p| with_ranges(p, NO, |_, from| known!(copy_2d(&flat(NULL, from, 8)))))
        .dangling(|p| with_ranges(p, NO, |_, from| known!(copy_2d(&flat(HERE, from, 8)))))
        .zero(|p| with_ranges(p, NO, |to, from| known!(copy_2d(&flat(to, from, 0)))))
        .beyond(|p| with_ranges(p, NO, |to, from| known!(copy_2d(&flat(to, from, MUCH))))),
        row("copy raw::copy_2d_async", |p, now| {
            streamed(p, now, |to, from, s| {
                known!(copy_2d_async(&flat(to, from, 8), s))
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_2d_async(&flat(NULL, from, 8), s))
            })
        })
        .dangling(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_2d_async(&flat(HERE, from, 8), s))
            })
        })
        .zero(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_2d_async(&flat(to, from, 0), s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_2d_async(&flat(to, from, MUCH), s))
            })
        }),
        row("copy raw::copy_3d", |p, now| {
            with_ranges(p, now, |to, from| known!(copy_3d(&deep(to, from, 8))))
        })
        .null(|p| with_ranges(p, NO, |_, from| known!(copy_3d(&deep(NULL, from, 8)))))
        .dangling(|p| with_ranges(p, NO, |_, from| known!(copy_3d(&deep(HERE, from, 8)))))
        .zero(|p| with_ranges(p, NO, |to, from| known!(copy_3d(&deep(to, from, 0)))))
        .beyond(|p| with_ranges(p, NO, |to, from| known!(copy_3d(&deep(to, from, MUCH))))),
        row("copy raw::copy_3d_async", |p, now| {
            streamed(p, now, |to, from, s| {
                known!(copy_3d_async(&deep(to, from, 8), s))
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_3d_async(&deep(NULL, from, 8), s))
            })
        })
        .dangling(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_3d_async(&deep(HERE, from, 8), s))
            })
        })
        .zero(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_3d_async(&deep(to, from, 0), s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_3d_async(&deep(to, from, MUCH), s))
            })
        }),
        row("copy raw::copy_3d_with_order_async", |p, now| {
            streamed(p, now, |to, from, s| {
                known!(copy_3d_with_order_async(&deep(to, from, 8), ORDER, s))
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_3d_with_order_async(&deep(NULL, from, 8), ORDER, s))
            })
        })
        .dangling_crashes()
        .either(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_3d_with_order_async(&deep(to, from, 0), ORDER, s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_3d_with_order_async(&deep(to, from, MUCH), ORDER, s))
            })
        }),
        row("copy raw::copy_3d_batch_async", |p, now| {
            streamed(p, now, |to, from, s| {
                known!(copy_3d_batch_async(&[deep(to, from, 8)], ORDER, s))
            })
        })
        .null(|p| {
            streamed(p, NO, |_, from, s| {
                known!(copy_3d_batch_async(&[deep(NULL, from, 8)], ORDER, s))
            })
        })
        .dangling_crashes()
        .either(|p| streamed(p, NO, |_, _, s| known!(copy_3d_batch_async(&[], ORDER, s))))
        .beyond(|p| {
            streamed(p, NO, |to, from, s| {
                known!(copy_3d_batch_async(&[deep(to, from, MUCH)], ORDER, s))
            })
        }),
        row("copy raw::copy_3d_peer", |p, now| {
            with_ranges(p, now, |to, _| {
                known!(copy_3d_peer(&between(to, to, 8), p, p))
            })
        })
        .null(|p| {
            with_ranges(p, NO, |to, _| {
                known!(copy_3d_peer(&between(NULL, to, 8), p, p))
            })
        })
        .dangling_crashes()
        .either(|p| {
            with_ranges(p, NO, |to, _| {
                known!(copy_3d_peer(&between(to, to, 0), p, p))
            })
        })
        .beyond(|p| {
            with_ranges(p, NO, |to, _| {
                known!(copy_3d_peer(&between(to, to, MUCH), p, p))
            })
        }),
        row("copy raw::copy_3d_peer_async", |p, now| {
            streamed(p, now, |to, _, s| {
                known!(copy_3d_peer_async(&between(to, to, 8), p, p, s))
            })
        })
        .null(|p| {
            streamed(p, NO, |to, _, s| {
                known!(copy_3d_peer_async(&between(NULL, to, 8), p, p, s))
            })
        })
        .dangling_crashes()
        .either(|p| {
            streamed(p, NO, |to, _, s| {
                known!(copy_3d_peer_async(&between(to, to, 0), p, p, s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, _, s| {
                known!(copy_3d_peer_async(&between(to, to, MUCH), p, p, s))
            })
        }),
        row("copy raw::fill", |p, now| {
            with_ranges(p, now, |to, _| {
                WIDTHS
                    .into_iter()
                    .try_for_each(|pattern| known!(fill(to, pattern, 16)))
            })
        })
        .null(|p| with_ranges(p, NO, |_, _| known!(fill(NULL, ONES, 64))))
        .dangling(|p| with_ranges(p, NO, |_, _| known!(fill(HERE, ONES, 64))))
        .zero(|p| with_ranges(p, NO, |to, _| known!(fill(to, ONES, 0))))
        .beyond(|p| with_ranges(p, NO, |to, _| known!(fill(to, ONES, MUCH)))),
        row("copy raw::fill_async", |p, now| {
            streamed(p, now, |to, _, s| {
                WIDTHS
                    .into_iter()
                    .try_for_each(|pattern| known!(fill_async(to, pattern, 16, s)))?;
                s.synchronize()
            })
        })
        .null(|p| streamed(p, NO, |_, _, s| known!(fill_async(NULL, ONES, 64, s))))
        .dangling(|p| streamed(p, NO, |_, _, s| known!(fill_async(HERE, ONES, 64, s))))
        .zero(|p| streamed(p, NO, |to, _, s| known!(fill_async(to, ONES, 0, s))))
        .beyond(|p| streamed(p, NO, |to, _, s| known!(fill_async(to, ONES, MUCH, s)))),
        row("copy raw::fill_2d", |p, now| {
            with_ranges(p, now, |to, _| {
                let rows = |pattern| known!(fill_2d(to, Pitch(8), pattern, 2, 8));
                WIDTHS.into_iter().try_for_each(rows)
            })
        })
        .null(|p| with_ranges(p, NO, |_, _| known!(fill_2d(NULL, Pitch(8), ONES, 8, 8))))
        .dangling(|p| with_ranges(p, NO, |_, _| known!(fill_2d(HERE, Pitch(8), ONES, 8, 8))))
        .zero(|p| with_ranges(p, NO, |to, _| known!(fill_2d(to, Pitch(8), ONES, 0, 8))))
        .beyond(|p| with_ranges(p, NO, |to, _| known!(fill_2d(to, Pitch(8), ONES, 8, MUCH)))),
        row("copy raw::fill_2d_async", |p, now| {
            streamed(p, now, |to, _, s| {
                let rows = |pattern| known!(fill_2d_async(to, Pitch(8), pattern, 2, 8, s));
                WIDTHS.into_iter().try_for_each(rows)?;
                s.synchronize()
            })
        })
        .null(|p| {
            streamed(p, NO, |_, _, s| {
                known!(fill_2d_async(NULL, Pitch(8), ONES, 8, 8, s))
            })
        })
        .dangling(|p| {
            streamed(p, NO, |_, _, s| {
                known!(fill_2d_async(HERE, Pitch(8), ONES, 8, 8, s))
            })
        })
        .zero(|p| {
            streamed(p, NO, |to, _, s| {
                known!(fill_2d_async(to, Pitch(8), ONES, 0, 8, s))
            })
        })
        .beyond(|p| {
            streamed(p, NO, |to, _, s| {
                known!(fill_2d_async(to, Pitch(8), ONES, 8, MUCH, s))
            })
        }),
        row("memory raw::allocate", |p, now| {
            let _entered = p.enter()?;
            now();
            let address = memory::allocate(Bytes(64))?;
            known!(memory::free(address))
        })
        .either(|p| {
            p.enter()
                .and_then(|_entered| memory::allocate(Bytes(0)).map(drop))
        })
        .beyond(|p| {
            p.enter()
                .and_then(|_entered| memory::allocate(Bytes(MUCH)).map(drop))
        }),
        row("memory raw::free", |p, now| {
            let _entered = p.enter()?;
            let address = memory::allocate(Bytes(64))?;
            now();
            known!(memory::free(address))
        })
        .dangling(|p| p.enter().and_then(|_entered| known!(memory::free(HERE))))
        .null_is_nothing(|p| p.enter().and_then(|_entered| known!(memory::free(NULL)))),
        row("memory raw::allocate_pitched", |p, now| {
            let _entered = p.enter()?;
            now();
            let (address, _) = super::super::allocate_rows(Bytes(64), 2)?;
            known!(memory::free(address))
        })
        .either(|p| {
            let _entered = p.enter()?;
            let (address, _) = super::super::allocate_rows(Bytes(0), 2)?;
            known!(memory::free(address))
        })
        .beyond(|p| {
            let _entered = p.enter()?;
            super::super::allocate_rows(Bytes(1 << 30), 1 << 16).map(drop)
        }),
        row("memory raw::allocate_host", |p, now| {
            let _entered = p.enter()?;
            now();
            let pointer = memory::allocate_host(Bytes(64), HostFlags::PLAIN)?;
            known!(memory::free_host(pointer))
        })
        .either(|p| {
            let _entered = p.enter()?;
            let pointer = memory::allocate_host(Bytes(0), HostFlags::PLAIN)?;
            known!(memory::free_host(pointer))
        })
        .beyond(|p| {
            let _entered = p.enter()?;
            memory::allocate_host(Bytes(MUCH), HostFlags::PLAIN).map(drop)
        }),
        row("memory raw::free_host", |p, now| {
            let _entered = p.enter()?;
            let pointer = memory::allocate_host(Bytes(64), HostFlags::PLAIN)?;
            now();
            known!(memory::free_host(pointer))
        })
        .null_is_nothing(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::free_host(NULL.as_mut_ptr())))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::free_host(HERE.as_mut_ptr())))
        }),
        row("memory raw::allocate_managed", |p, now| {
            let _entered = p.enter()?;
            now();
            let address = memory::allocate_managed(Bytes(64), ManagedVisibility::Global)?;
            known!(memory::free(address))
        })
        .either(|p| {
            let _entered = p.enter()?;
            memory::allocate_managed(Bytes(0), ManagedVisibility::Global).map(drop)
        })
        .beyond_on_the_simulator(|p| {
            let _entered = p.enter()?;
            memory::allocate_managed(Bytes(1 << 50), ManagedVisibility::Global).map(drop)
        }),
        row("memory raw::device_address_of_host", |p, now| {
            let host = pin(p)?;
            let _entered = p.enter()?;
            now();
            memory::device_address_of_host(host.as_ptr().cast()).map(drop)
        })
        .null(|p| {
            p.enter()
                .and_then(|_entered| memory::device_address_of_host(NULL.as_ptr()).map(drop))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| memory::device_address_of_host(HERE.as_ptr()).map(drop))
        }),
        row("memory raw::host_flags", |p, now| {
            let host = pin(p)?;
            let _entered = p.enter()?;
            now();
            memory::host_flags(host.as_ptr().cast()).map(drop)
        })
        .null(|p| {
            p.enter()
                .and_then(|_entered| memory::host_flags(NULL.as_ptr()).map(drop))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| memory::host_flags(HERE.as_ptr()).map(drop))
        }),
        row("memory raw::register", |p, now| {
            let mut bytes = pages();
            let (first, size) = (bytes.as_mut_ptr().cast(), Bytes(bytes.len()));
            let _entered = p.enter()?;
            now();
            known!(memory::register(first, size, PLAIN))?;
            known!(memory::unregister(first))
        })
        .null(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::register(NULL.as_mut_ptr(), Bytes(64), PLAIN)))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::register(HERE.as_mut_ptr(), Bytes(64), PLAIN)))
        })
        .no_zero(|p| {
            let mut bytes = pages();
            let _entered = p.enter()?;
            known!(memory::register(bytes.as_mut_ptr().cast(), Bytes(0), PLAIN))
        })
        .beyond(|p| {
            let mut bytes = pages();
            let _entered = p.enter()?;
            known!(memory::register(
                bytes.as_mut_ptr().cast(),
                Bytes(MUCH),
                PLAIN
            ))
        }),
        row("memory raw::unregister", |p, now| {
            let mut bytes = pages();
            let (first, size) = (bytes.as_mut_ptr().cast(), Bytes(bytes.len()));
            let _entered = p.enter()?;
            known!(memory::register(first, size, PLAIN))?;
            now();
            known!(memory::unregister(first))
        })
        .null(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::unregister(NULL.as_mut_ptr())))
        })
        .dangling(|p| {
            p.enter()
                .and_then(|_entered| known!(memory::unregister(HERE.as_mut_ptr())))
        }),
        row("pool raw::allocate", |p, now| {
            let stream = nb(p)?;
            let _entered = p.enter()?;
            now();
            let address = known!(pool::allocate(None, Bytes(64), &stream))?;
            known!(pool::free(address, &stream))
        })
        .either(|p| {
            let stream = nb(p)?;
            let _entered = p.enter()?;
            known!(pool::allocate(None, Bytes(0), &stream)).map(drop)
        })
        .beyond(|p| {
            let stream = nb(p)?;
            let _entered = p.enter()?;
            known!(pool::allocate(None, Bytes(MUCH), &stream)).map(drop)
        }),
        row("pool raw::free", |p, now| {
            let stream = nb(p)?;
            let _entered = p.enter()?;
            let address = known!(pool::allocate(None, Bytes(64), &stream))?;
            now();
            known!(pool::free(address, &stream))
        })
        .null_is_nothing(|p| streamed(p, NO, |_, _, s| known!(pool::free(NULL, s))))
        .dangling(|p| streamed(p, NO, |_, _, s| known!(pool::free(HERE, s)))),
    ]
}
