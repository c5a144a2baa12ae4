//! Streams chunks through the device: a ring of pinned buffers, one stream up and one down, so that the
//! upload of a chunk overlaps the download of the one before it.
//!
//! `cargo run -p cuwhy-runtime --example pinned_ring`

use std::io::{self, Write as _};
use std::sync::Arc;

use cuwhy_runtime::copy::Transfer;
use cuwhy_runtime::device::Device;
use cuwhy_runtime::error::Result;
use cuwhy_runtime::memory::{DeviceBuffer, HostFlags, PinnedBuffer};
use cuwhy_runtime::stream::{Stream, StreamOptions};

const CHUNK: usize = 1 << 18;
const CHUNKS: u32 = 32;
const SLOTS: usize = 3;

type Owned = Transfer<PinnedBuffer<u32>, Arc<DeviceBuffer<u32>>>;

/// One place in the ring: both copies own their host memory until they have finished.
struct Slot {
    number: u32,
    up: Owned,
    down: Owned,
}

/// What a slot is made of: host memory to send, host memory to receive, device memory.
type Buffers = (PinnedBuffer<u32>, PinnedBuffer<u32>, Arc<DeviceBuffer<u32>>);

/// Waits for a slot, checks what came back, and gives its buffers back.
fn collect(slot: Slot, wrong: &mut usize) -> Result<Buffers> {
    let (source, device) = slot.up.wait()?;
    let (result, _) = slot.down.wait()?;
    *wrong += result.iter().filter(|word| **word != slot.number).count();
    Ok((source, result, device))
}

fn main() -> core::result::Result<(), Box<dyn core::error::Error>> {
    let mut out = io::stdout().lock();
    let device = match Device::new(0) {
        Err(error) if error.is_missing() => return Ok(writeln!(out, "skipped: {error}")?),
        device => device?,
    };
    let up = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
    let down = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
    let mut ring: Vec<Option<Slot>> = (0..SLOTS).map(|_| None).collect();
    let mut wrong = 0;
    for number in 0..CHUNKS {
        let place = &mut ring[number as usize % SLOTS];
        let (mut source, result, buffer) = match place.take() {
            Some(slot) => collect(slot, &mut wrong)?,
            None => (
                PinnedBuffer::zeroed(&device, CHUNK, HostFlags::PLAIN)?,
                PinnedBuffer::zeroed(&device, CHUNK, HostFlags::PLAIN)?,
                Arc::new(DeviceBuffer::new(&device, CHUNK)?),
            ),
        };
        source.fill(number);
        let upload = Transfer::upload(&up, Arc::clone(&buffer), source)?;
        upload.before(&down)?;
        let download = Transfer::download(&down, result, buffer)?;
        *place = Some(Slot {
            number,
            up: upload,
            down: download,
        });
    }
    for slot in ring.into_iter().flatten() {
        collect(slot, &mut wrong)?;
    }
    writeln!(
        out,
        "{}: {CHUNKS} chunks through {SLOTS} slots, {wrong} wrong words",
        device.name()?
    )?;
    if wrong == 0 {
        Ok(())
    } else {
        Err("what came back is not what went".into())
    }
}
