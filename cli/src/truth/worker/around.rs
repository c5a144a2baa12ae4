//! What is around a call: whose context is current, what captures; and everything as it was afterwards.

use core::ptr;

use cuda_sys::driver::{CUgraph, CUresult, CUstream, CUstreamCaptureMode_enum};
use cuwhy_validate::call::Action;

use super::Worker;
use crate::truth::draw::Drawn;
use crate::truth::execute::{cuda, pointer, size};
use crate::truth::world::World;

impl Worker<'_> {
    /// What is around a call, in words.
    pub(super) fn around(&self, drawn: &Drawn, world: &World) -> String {
        let mut around = String::new();
        if let Some(capturing) = drawn.capturing {
            let own = capturing.stream == drawn.stream;
            let second = self.base.second.as_ref();
            let blocking = capturing.stream != self.base.nonblocking
                && second.is_none_or(|second| second.nonblocking != capturing.stream);
            around = format!(
                "{} {} stream captures, mode {}",
                if own { "this" } else { "another" },
                if blocking { "blocking" } else { "non-blocking" },
                capturing.mode
            );
        } else if drawn.contextless {
            around = "no context".into();
        }
        if self.base.second.is_some() {
            around = Self::pair(drawn, world, &around);
        }
        around
    }

    /// Lays out what is to be around the call.
    pub(super) fn surround(&self, drawn: &Drawn) {
        let driver = self.hands.driver;
        self.turn(drawn.current);
        if let Some(capturing) = drawn.capturing {
            let stream: CUstream = ptr::with_exposed_provenance_mut(size(capturing.stream));
            let mode = CUstreamCaptureMode_enum(capturing.mode);
            let _ = cuda!(driver.cuStreamBeginCapture_v2(stream, mode));
        }
        if drawn.contextless {
            let _ = cuda!(driver.cuCtxSetCurrent(ptr::null_mut()));
        }
    }

    pub(super) fn restore(&self, drawn: &Drawn) {
        let driver = self.hands.driver;
        if let Some(capturing) = drawn.capturing {
            let stream: CUstream = ptr::with_exposed_provenance_mut(size(capturing.stream));
            let mut graph: CUgraph = ptr::null_mut();
            let _ = cuda!(driver.cuStreamEndCapture(stream, &raw mut graph));
            if !graph.is_null() {
                let _ = cuda!(driver.cuGraphDestroy(graph));
            }
            if let Some(runtime) = self.hands.runtime {
                let _ = cuda!(runtime.cudaGetLastError());
            }
        }
        if drawn.contextless {
            self.turn(drawn.current);
        }
    }

    /// Makes a device's context current.
    pub(super) fn turn(&self, device: u8) {
        let context = self.hands.contexts[usize::from(device)];
        let _ = cuda!(self.hands.driver.cuCtxSetCurrent(context));
    }

    /// Waits for everything; the first device's context is current afterwards.
    pub(super) fn synchronize(&self) -> CUresult {
        let driver = self.hands.driver;
        let mut found = CUresult::CUDA_SUCCESS;
        if self.base.second.is_some() {
            self.turn(1);
            found = cuda!(driver.cuCtxSynchronize());
        }
        self.turn(0);
        let first = cuda!(driver.cuCtxSynchronize());
        if first == CUresult::CUDA_SUCCESS {
            found
        } else {
            first
        }
    }

    /// What two devices add to what is around a call.
    fn pair(drawn: &Drawn, world: &World, around: &str) -> String {
        let mut text = format!("device {} is current", drawn.current);
        for (index, _) in world.peers.iter().enumerate().filter(|(_, peers)| **peers) {
            text.push_str(&format!(", {index} reaches {}", 1 - index));
        }
        if let Some([to, from]) = drawn.call.action.named_devices() {
            text.push_str(&format!(", to {to} from {from}"));
        }
        if !around.is_empty() {
            text.push_str(", ");
            text.push_str(around);
        }
        text
    }

    /// Registrations are as before the call.
    pub(super) fn undo(&self, drawn: &Drawn, status: u32, world: &World) {
        let driver = self.hands.driver;
        if status != 0 {
            return;
        }
        match &drawn.call.action {
            Action::Register(one) => {
                let _ = cuda!(driver.cuMemHostUnregister(pointer(one.address)));
            }
            Action::Unregister { address } => {
                if let Some(object) = world.objects.iter().find(|one| one.base == *address) {
                    self.turn(object.device);
                    let flags = if object.writable { 0 } else { 8 };
                    let at = pointer(*address);
                    let _ = cuda!(driver.cuMemHostRegister_v2(at, size(object.bytes), flags));
                }
            }
            _ => {}
        }
    }
}
