//! The process that makes the calls, and may die of one.

mod around;
mod start;

use std::io::{self, BufRead};
use std::panic::{AssertUnwindSafe, catch_unwind};

use cuda_sys::driver::CUresult;
use cuda_sys::runtime::Runtime;
use cuwhy_validate::ask::{Ask as _, Host, Live};
use cuwhy_validate::call::Action;
use cuwhy_validate::facts::{Depth, Permissions, collect};
use cuwhy_validate::{Registry, predict};

use super::draw::{Drawer, Drawn, Intent};
use super::entry::{ENTRIES, Entry, PAIRS, Shape};
use super::execute::Hands;
use super::fault::{self, Zone};
use super::known::Known;
use super::random::Random;
use super::record::{Answer, Begun, Said};
use super::world::{Base, PAGE, World};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use start::{base, broken, headline, open};

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
        live = live.with_runtime(runtime.major().version().major());
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
        let around = self.around(drawn, world);
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
