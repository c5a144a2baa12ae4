//! The process that makes the calls, and may die of one.

use core::ptr;
use std::io::{self, BufRead};
use std::panic::{AssertUnwindSafe, catch_unwind};

use cuda_sys::driver::{CUcontext, CUgraph, CUresult, CUstream, CUstreamCaptureMode_enum, Driver};
use cuda_sys::runtime::Runtime;
use cuwhy_validate::ask::{Ask as _, Host, Live};
use cuwhy_validate::call::Action;
use cuwhy_validate::facts::{Depth, Permissions, collect};
use cuwhy_validate::{Registry, predict};

use super::draw::{Drawer, Drawn, Intent};
use super::entry::{ENTRIES, Entry, PAIRS, Shape};
use super::execute::{Hands, cuda, size};
use super::fault::{self, Zone};
use super::known::Known;
use super::random::Random;
use super::record::{Answer, Begun, Said};
use super::world::{Base, PAGE, World};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Cases that share a world.
pub(super) const EPOCH: u64 = 128;

/// Takes ranges of cases from the standard input, one per line, until it ends.
///
/// # Errors
///
/// [`Failure::NoDevice`] when there is nothing to try, [`Failure::Output`] when nobody listens.
pub fn work(
    seed: u64,
    devices: Option<u8>,
    only: &[String],
    output: &mut Output,
) -> Result<Exit, Failure> {
    let (hands, devices) = open(devices)?;
    let device = 0;
    let mut base = base(&hands, devices).map_err(broken)?;
    let mut live = Live::new(hands.driver);
    if let Some(runtime) = hands.runtime {
        base.announce(runtime).map_err(broken)?;
        live = live.with_runtime(runtime.version().major());
    }
    let mut worker = Worker {
        hands,
        device,
        base,
        seed,
        only,
        world: None,
        live,
    };
    let runtime = worker.hands.runtime;
    let wanted = |entry: &Entry| entry.is_wanted(only, runtime.is_some(), has_batch(runtime));
    let pairs = if devices > 1 { PAIRS } else { &[] };
    if !ENTRIES.iter().chain(pairs).any(wanted) {
        let what = format!("{} is not in what was loaded", only.join(", "));
        return Err(Failure::NoDevice(what.into()));
    }
    fault::catch();
    output.line(&format!("H {devices} {}", headline(&worker)))?;
    output.flush()?;
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let mut numbers = line
            .split_whitespace()
            .filter_map(|word| word.parse::<u64>().ok());
        let (Some(first), Some(last)) = (numbers.next(), numbers.next()) else {
            break;
        };
        for case in first..last {
            if !worker.case(case, output)? {
                return Ok(Exit::DONE);
            }
        }
        output.line("D")?;
        output.flush()?;
    }
    Ok(Exit::DONE)
}

/// Batches came with CUDA 12.8; no runtime of 12 before that is tried.
fn has_batch(runtime: Option<&Runtime>) -> bool {
    runtime.is_some_and(|runtime| runtime.v11().is_none())
}

fn headline(worker: &Worker<'_>) -> String {
    let mut name = [0_u8; 256];
    let status = cuda!(worker.hands.driver.cuDeviceGetName(
        name.as_mut_ptr().cast(),
        256,
        worker.device
    ));
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    let mut text = if status == CUresult::CUDA_SUCCESS {
        String::from_utf8_lossy(&name[..end]).into_owned()
    } else {
        "unnamed device".into()
    };
    text.push_str(&format!(
        ", driver for CUDA {}",
        worker.hands.driver.version()
    ));
    match worker.hands.runtime {
        Some(runtime) => text.push_str(&format!(", runtime {}", runtime.version())),
        None => text.push_str(", no runtime"),
    }
    text
}

fn broken(what: String) -> Failure {
    Failure::Failed {
        what: "the memory to try copies on could not be made".into(),
        cause: what.into(),
    }
}

/// What the process makes once, on every device that takes part.
fn base(hands: &Hands, devices: u8) -> Result<Base, String> {
    let mut base = Base::new(hands.driver, 0, hands.contexts[0])?;
    if devices > 1 {
        let _ = cuda!(hands.driver.cuCtxSetCurrent(hands.contexts[1]));
        let second = Base::new(hands.driver, 1, hands.contexts[1])?;
        base.join(second)?;
    }
    Ok(base)
}

/// The libraries, and the contexts of so many devices: of two where there are two, if nothing is said.
fn open(devices: Option<u8>) -> Result<(Hands, u8), Failure> {
    let no_device = |what: String| Failure::NoDevice(what.into());
    let driver = Driver::get().map_err(|error| Failure::NoDevice(Box::new(error)))?;
    let runtime = Runtime::get().ok();
    let device = 0;
    let step = |call: &str, status: CUresult| {
        let name = status.name().unwrap_or("unknown code");
        (status == CUresult::CUDA_SUCCESS)
            .then_some(())
            .ok_or_else(|| no_device(format!("{call} failed: {} {name}", status.0)))
    };
    step("cuInit", cuda!(driver.cuInit(0)))?;
    let mut count = 0;
    step(
        "cuDeviceGetCount",
        cuda!(driver.cuDeviceGetCount(&raw mut count)),
    )?;
    let there = u8::try_from(count.clamp(0, 2)).unwrap_or(0);
    let devices = devices.unwrap_or(there.max(1));
    if devices > there {
        return Err(no_device(format!("there are not {devices} devices")));
    }
    let mut contexts: [CUcontext; 2] = [ptr::null_mut(); 2];
    for (context, device) in contexts.iter_mut().zip(0..devices.into()) {
        step(
            "cuDevicePrimaryCtxRetain",
            cuda!(driver.cuDevicePrimaryCtxRetain(&raw mut *context, device)),
        )?;
    }
    if devices == 1 {
        contexts[1] = contexts[0];
    }
    step(
        "cuCtxSetCurrent",
        cuda!(driver.cuCtxSetCurrent(contexts[0])),
    )?;
    if let Some(runtime) = runtime {
        let status = cuda!(runtime.cudaSetDevice(device));
        let name = status.name().unwrap_or("unknown code");
        if status.0 != 0 {
            return Err(no_device(format!(
                "cudaSetDevice failed: {} {name}",
                status.0
            )));
        }
        // The first copy of a runtime does what later ones need not do.
        let mut word = [0_u8; 8];
        let at = word.as_mut_ptr().cast();
        let _ =
            cuda!(runtime.cudaMemcpy(at, at.cast_const(), 0, cuda_sys::runtime::cudaMemcpyKind(4)));
    }
    let hands = Hands {
        driver,
        runtime,
        contexts,
    };
    Ok((hands, devices))
}

struct Worker<'a> {
    hands: Hands,
    device: i32,
    base: Base,
    seed: u64,
    only: &'a [String],
    world: Option<(u64, World)>,
    live: Live<'a>,
}

impl Worker<'_> {
    /// Makes one case; false when this process is of no use any more.
    fn case(&mut self, case: u64, output: &mut Output) -> Result<bool, Failure> {
        let epoch = case / EPOCH;
        if self.world.as_ref().is_none_or(|(of, _)| *of != epoch) {
            if let Some((_, old)) = self.world.take() {
                old.end();
            }
            // Epochs and cases draw from generators of their own.
            let mut random = Random::new(!self.seed, epoch);
            let world = World::new(&self.base, &mut random).map_err(broken)?;
            self.world = Some((epoch, world));
        }
        let Some((_, world)) = &self.world else {
            return Ok(false);
        };
        let runtime = self.hands.runtime;
        let drawn = Drawer {
            base: &mut self.base,
            world,
            random: Random::new(self.seed, case),
            has_runtime: runtime.is_some(),
            has_batch: has_batch(runtime),
            only: self.only,
            device: self.device,
            current: 0,
            worker: 0,
            intent: Intent::Valid,
            shape: Shape::Line,
        }
        .draw();
        if drawn.stream_name == "dead" {
            world.registry.stream_created(drawn.stream);
            world.registry.stream_destroyed(drawn.stream);
        }
        self.surround(&drawn);
        output.line(&format!("P {case} {}", drawn.entry.name))?;
        output.flush()?;
        let begun = self.predict(case, world, &drawn);
        let line =
            serde_json::to_string(&begun).map_err(|error| Failure::Bug(error.to_string()))?;
        output.line(&format!("B {line}"))?;
        output.flush()?;
        let more = self.closed(&drawn);
        fault::expect(world.zones(), &more, drawn.mend);
        if drawn.stream_name == "dead" {
            self.base.doom();
        }
        let status = self.hands.make(
            drawn.entry.name,
            &drawn.call.action,
            drawn.stream,
            drawn.element,
        );
        self.undo(&drawn, status, world);
        self.restore(&drawn);
        // Some of a batch is moved only now, by this thread.
        let sync = self.synchronize();
        let fault = fault::seen();
        let answer = Answer {
            status: Some(status),
            sync: sync.0,
            fault: fault.map(|fault| (fault.signal, fault.address)),
            ended: None,
        };
        let line =
            serde_json::to_string(&answer).map_err(|error| Failure::Bug(error.to_string()))?;
        output.line(&format!("E {line}"))?;
        output.flush()?;
        Ok(sync == CUresult::CUDA_SUCCESS)
    }

    /// The prediction; a panic is one that says nothing.
    fn say(&self, drawn: &Drawn, registry: Option<&Registry>) -> Said {
        let predicted = catch_unwind(AssertUnwindSafe(|| {
            let ask = Known {
                live: &self.live,
                arrays: &self.base.arrays,
            };
            let facts = collect(&drawn.call, &ask, registry, Depth::Full);
            predict(&drawn.call, &facts)
        }));
        predicted.map_or_else(|_| Said::CannotTell("a panic".into()), Said::from)
    }

    fn predict(&self, case: u64, world: &World, drawn: &Drawn) -> Begun {
        let said = self.say(drawn, Some(&world.registry));
        // Whether a stream is alive, so that it may be asked about, and what is registered, only
        // the registry knows.
        let untold = drawn.stream_name == "dead"
            || drawn
                .capturing
                .is_some_and(|one| one.stream == drawn.stream)
            || matches!(
                drawn.call.action,
                Action::Register(_) | Action::Unregister { .. }
            );
        let alone = if untold {
            said.clone()
        } else {
            self.say(drawn, None)
        };
        let kind = drawn
            .call
            .action
            .kind()
            .filter(|_| drawn.call.function.starts_with("cuda"));
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
            around = self.pair(drawn, world, &around);
        }
        Begun {
            case,
            function: drawn.entry.name.into(),
            kind: kind.map_or_else(|| "-".into(), |kind| kind.name()),
            dst: drawn.dst.clone(),
            src: drawn.src.clone(),
            stream: drawn.stream_name.into(),
            around,
            intent: drawn.intent.name().into(),
            how: drawn.how.into(),
            text: text(drawn),
            alone: (alone != said).then_some(alone),
            said,
        }
    }

    /// Address space in the call's reach that is closed to the processor: where device memory is, or
    /// was, or nothing ever. A fault there may be mended.
    fn closed(&self, drawn: &Drawn) -> Vec<Zone> {
        const MOST: u64 = 8 << 20;
        const LOWEST: u64 = 1 << 16;
        let mut calls = vec![drawn.call.clone()];
        calls.extend(drawn.call.entries());
        let mut zones = Vec::new();
        for operand in calls.iter().flat_map(|call| call.operands()) {
            let start = operand.address & !(PAGE - 1);
            let Some(end) = operand
                .end()
                .and_then(|end| end.checked_next_multiple_of(PAGE))
            else {
                continue;
            };
            if start < LOWEST || end > 1 << 47 || end - start > MOST {
                continue;
            }
            let protection = match self.live.host(operand.address) {
                Host::Mapped(found) if found.permissions == Permissions::NONE => {
                    if end > found.span.end {
                        continue;
                    }
                    libc::PROT_NONE
                }
                Host::Unmapped { next } if next.is_none_or(|next| end <= next) => -1,
                _ => continue,
            };
            zones.push(Zone {
                start,
                end,
                protection,
            });
        }
        zones
    }

    /// Lays out what is to be around the call.
    fn surround(&self, drawn: &Drawn) {
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

    fn restore(&self, drawn: &Drawn) {
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
    fn turn(&self, device: u8) {
        let context = self.hands.contexts[usize::from(device)];
        let _ = cuda!(self.hands.driver.cuCtxSetCurrent(context));
    }

    /// Waits for everything; the first device's context is current afterwards.
    fn synchronize(&self) -> CUresult {
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
    fn pair(&self, drawn: &Drawn, world: &World, around: &str) -> String {
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
    fn undo(&self, drawn: &Drawn, status: u32, world: &World) {
        let driver = self.hands.driver;
        if status != 0 {
            return;
        }
        match &drawn.call.action {
            Action::Register(one) => {
                let _ = cuda!(driver.cuMemHostUnregister(super::execute::pointer(one.address)));
            }
            Action::Unregister { address } => {
                if let Some(object) = world.objects.iter().find(|one| one.base == *address) {
                    self.turn(object.device);
                    let flags = if object.writable { 0 } else { 8 };
                    let at = super::execute::pointer(*address);
                    let _ = cuda!(driver.cuMemHostRegister_v2(at, size(object.bytes), flags));
                }
            }
            _ => {}
        }
    }
}

/// The call in words; a batch with its entries.
fn text(drawn: &Drawn) -> String {
    let mut text = drawn.call.text();
    if let Action::Batch(batch) = &drawn.call.action {
        for entry in &batch.entries {
            text.push_str(&format!(
                " {:#x} <- {:#x} {}",
                entry.dst, entry.src, entry.bytes
            ));
        }
        for attribute in &batch.attributes {
            text.push_str(&format!(
                " order {} from {}",
                attribute.source_access, attribute.from
            ));
        }
    }
    let boxes = matches!(drawn.call.action, Action::Batch3D(_));
    if boxes || drawn.call.action.volume().is_some() {
        text.push_str(&format!(" {:?}", drawn.call.action));
    }
    text
}
