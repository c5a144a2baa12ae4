//! A second device: memory of every class there, and what either allows the other.

use core::ptr;

use cuda_sys::driver::{
    CUcontext, CUmemAccess_flags, CUmemAccessDesc, CUmemPoolProps, CUmemoryPool, CUresult,
};

use super::base::{GRANULE, at_device, pool_on};
use super::object::EVERYONE;
use super::{Base, Object, Side, World, need, object};
use crate::truth::execute::cuda;
use crate::truth::random::Random;

const NONE: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
const READ: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ;
const BOTH: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;

impl Base {
    /// The contexts of both devices; of one device twice where there is one.
    pub(super) fn contexts(&self) -> [CUcontext; 2] {
        let second = self.second.as_ref();
        [
            self.context,
            second.map_or(self.context, |second| second.context),
        ]
    }

    /// Every stream that stays alive.
    pub(super) fn streams(&self) -> Vec<u64> {
        let mut streams = vec![self.blocking, self.nonblocking, self.other];
        if let Some(second) = &self.second {
            streams.extend(second.streams());
        }
        streams
    }

    /// Takes what was made on a second device, and makes memory that the devices share.
    pub(in crate::truth) fn join(&mut self, mut second: Self) -> Result<(), String> {
        second.enter()?;
        second.share(1, self.device)?;
        self.enter()?;
        self.share(0, second.device)?;
        let on_second = |one: Object| one.of(1);
        self.objects.extend(second.objects.drain(..).map(on_second));
        for mut array in second.arrays.drain(..) {
            array.device = 1;
            self.arrays.push(array);
        }
        for (class, _, start, bytes) in second.notes.drain(..) {
            self.notes.push((class, 1, start, bytes));
        }
        for one in &mut self.objects {
            *one = one.of(one.device);
        }
        self.second = Some(Box::new(second));
        Ok(())
    }

    fn enter(&self) -> Result<(), String> {
        need(
            "cuCtxSetCurrent",
            cuda!(self.driver.cuCtxSetCurrent(self.context)),
        )
    }

    /// Virtual memory and a pool of this device that the other one may use as well, or alone, or read.
    fn share(&mut self, index: u8, other: i32) -> Result<(), String> {
        for (class, own, theirs, side) in [
            ("virtual_shared", BOTH, BOTH, Side::Device),
            ("virtual_lent", NONE, BOTH, Side::Device),
            ("virtual_shown", BOTH, READ, Side::Device),
        ] {
            let start = self.reserve(1)?;
            self.map(start, own)?;
            if self.set_access(start, other, theirs).is_ok() {
                let one = object(class, start, GRANULE, side);
                self.objects.push(one.of(index));
            }
        }
        self.shared_pool = self.pool_for(other).unwrap_or(ptr::null_mut());
        Ok(())
    }

    fn pool_for(&self, other: i32) -> Option<CUmemoryPool> {
        let properties: CUmemPoolProps = pool_on(self.device);
        let mut pool = ptr::null_mut();
        let status = cuda!(
            self.driver
                .cuMemPoolCreate(&raw mut pool, &raw const properties)
        );
        if status != CUresult::CUDA_SUCCESS {
            return None;
        }
        let access = CUmemAccessDesc {
            location: at_device(other),
            flags: BOTH,
        };
        let status = cuda!(self.driver.cuMemPoolSetAccess(pool, &raw const access, 1));
        (status == CUresult::CUDA_SUCCESS).then_some(pool)
    }
}

impl World {
    /// Makes the second device's memory, and lets the devices use each other's, or not.
    pub(super) fn second(&mut self, second: &Base, random: &mut Random) -> Result<(), String> {
        self.turn(1)?;
        self.registered(random)?;
        self.pinned(random)?;
        self.managed(random)?;
        self.device(random)?;
        self.pools(second, random)?;
        self.freed(random)?;
        need("cuCtxSynchronize", cuda!(self.driver.cuCtxSynchronize()))?;
        let wanted = random.pick(&[
            [false; 2],
            [false; 2],
            [true, false],
            [false, true],
            [true; 2],
        ]);
        for (index, wanted) in wanted.into_iter().enumerate() {
            self.turn(if index == 0 { 0 } else { 1 })?;
            let other = self.contexts[1 - index];
            self.peers[index] = wanted
                && cuda!(self.driver.cuCtxEnablePeerAccess(other, 0)) == CUresult::CUDA_SUCCESS;
        }
        self.turn(0)?;
        let peers = self.peers;
        for one in &mut self.objects {
            let reached = peers[usize::from(1 - one.device)];
            if reached && matches!(one.class, "device" | "device_pitched") {
                one.fillers = EVERYONE;
            }
        }
        Ok(())
    }

    /// Makes a device's context current.
    fn turn(&mut self, device: u8) -> Result<(), String> {
        self.device = device;
        let context = self.contexts[usize::from(device)];
        need(
            "cuCtxSetCurrent",
            cuda!(self.driver.cuCtxSetCurrent(context)),
        )
    }

    /// Takes back what the devices were allowed; the first one's context is current afterwards.
    pub(super) fn end_of_peers(&self) {
        for (index, _) in self.peers.iter().enumerate().filter(|(_, peers)| **peers) {
            let _ = cuda!(self.driver.cuCtxSetCurrent(self.contexts[index]));
            let other = self.contexts[1 - index];
            let _ = cuda!(self.driver.cuCtxDisablePeerAccess(other));
        }
        let _ = cuda!(self.driver.cuCtxSetCurrent(self.contexts[0]));
    }
}
