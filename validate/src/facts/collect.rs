//! Facts about a call: its surroundings, its stream, its arrays and its operands.

use super::sources::Sources;
use super::{Capture, Environment, Facts};
use crate::ask::{Ask, Host};
use crate::call::Place;
use crate::registry::Registry;
use crate::{Call, Stream};

/// How much is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The owner of the first byte; no memory map.
    Quick,
    /// The whole range, the memory map, the neighbours: everything a finding shows.
    Full,
}

/// What whoever makes a call answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Vouched {
    /// Of its stream.
    pub(crate) stream: StreamState,
    /// That each array of it is alive.
    pub(crate) arrays: bool,
}

/// What whoever makes a call knows of its stream.
#[cfg_attr(
    not(any(feature = "driver", feature = "runtime")),
    expect(dead_code, reason = "only the layers know more than the registry")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StreamState {
    /// No more than the registry does.
    #[default]
    Unknown,
    /// A value of a layer that was given a handle: whoever gave it promised that it is alive.
    Lent,
    /// Alive: a value of a layer that created it; whether it captures has to be asked.
    Alive,
    /// Alive, and it does not capture unless somebody begins one by its raw handle.
    Running,
}

/// Collects what is known of a call. The registry may be absent.
#[must_use]
pub fn collect(call: &Call, ask: &dyn Ask, registry: Option<&Registry>, depth: Depth) -> Facts {
    collect_knowing(call, ask, registry, depth, Vouched::default())
}

/// The same where somebody answers for handles.
pub(crate) fn collect_knowing(
    call: &Call,
    ask: &dyn Ask,
    registry: Option<&Registry>,
    depth: Depth,
    vouched: Vouched,
) -> Facts {
    let mut facts = Facts {
        environment: ask.environment(call),
        ..Facts::default()
    };
    let state = vouched.stream;
    let alive = stream(call, ask, registry, (depth, state), &mut facts.environment);
    if depth == Depth::Full
        && let Some(registry) = registry.filter(|registry| registry.live() > 0)
        && registry.process() != std::process::id()
    {
        facts.environment.forked_from = Some(registry.process());
    }
    let arrays = |call: &Call| {
        let Some(copy) = call.action.volume() else {
            return [None, None];
        };
        let array = |place: &Place| match *place {
            Place::Array { handle, .. } | Place::Both { handle, .. } => {
                let alive = registry.and_then(|registry| registry.array(handle));
                let mapped = || matches!(ask.host(handle), Host::Mapped(_));
                let there = || ask.peek(handle & !7).is_some() || mapped();
                let vouched = || vouched.arrays || ask.vouches_for_array(handle);
                if !alive.unwrap_or_else(|| vouched() && there()) {
                    return None;
                }
                // SAFETY: the registry knows the array as alive, or somebody answers for it.
                unsafe { ask.array(handle) }
            }
            _ => None,
        };
        [array(&copy.dst), array(&copy.src)]
    };
    facts.arrays = arrays(call);
    let from = Sources {
        ask,
        registry,
        call,
    };
    // Without a current context the stream's device is known already.
    let by_stream = call.goes_by_its_stream()
        && facts.environment.devices > Some(1)
        && facts.environment.current != super::Current::None;
    let sides = |facts: &mut Facts| {
        for one in call.entries() {
            let mut part = Facts {
                environment: facts.environment.clone(),
                arrays: arrays(&one),
                ..Facts::default()
            };
            for operand in one.operands() {
                from.add(operand, &part.environment, depth, &mut part.operands);
            }
            facts.entries.push((one, part));
        }
        for operand in call.operands() {
            from.add(operand, &facts.environment, depth, &mut facts.operands);
        }
    };
    let mut inside = || {
        let there = ask.environment(call);
        facts.environment.current = there.current;
        facts.environment.pageable_access = there.pageable_access;
        sides(&mut facts);
    };
    // SAFETY: the stream is known to be alive.
    let done = by_stream && alive && unsafe { ask.within(call.stream(), &mut inside) };
    if !done {
        facts.environment.foreign_stream = by_stream;
        sides(&mut facts);
    }
    if depth == Depth::Full {
        name_devices(&mut facts, ask);
    }
    facts
}

/// Adds what is known of the call's stream, and says whether that is alive for certain. Only a stream that is
/// known to be alive is asked about: the driver follows the handle, and a dead one would kill the process in our
/// question.
fn stream(
    call: &Call,
    ask: &dyn Ask,
    registry: Option<&Registry>,
    (depth, state): (Depth, StreamState),
    into: &mut Environment,
) -> bool {
    let stream = call.stream();
    if let Stream::Handle(handle) = stream {
        let seen = || registry.and_then(|registry| registry.stream(handle));
        // What a layer created the registry has not heard of, and the handle may be one used again.
        let alive = match state {
            StreamState::Alive | StreamState::Running => Some(true),
            StreamState::Lent => seen().or((depth == Depth::Full).then_some(true)),
            StreamState::Unknown => seen(),
        };
        into.stream_dead = alive.map(|alive| !alive).or(into.stream_dead);
        if alive != Some(true) {
            return false;
        }
        if into.current == super::Current::None {
            // SAFETY: the stream is known to be alive, or its layer answers for it.
            into.stream_device = unsafe { ask.stream_device(stream) };
        }
        if state == StreamState::Running && depth == Depth::Quick {
            into.capture = Capture::None;
            return true;
        }
    }
    // SAFETY: it is a default stream, or one that the registry knows as alive or its layer answers for.
    into.capture = unsafe { ask.capture(stream) };
    true
}

/// Adds the names of the devices that the facts mention.
fn name_devices(facts: &mut Facts, ask: &dyn Ask) {
    let entries = facts.entries.iter().flat_map(|(_, part)| &part.operands);
    let segments = facts
        .operands
        .iter()
        .chain(entries)
        .flat_map(|operand| &operand.segments);
    let mut ordinals: Vec<i32> = segments
        .filter_map(|segment| segment.owner.device)
        .collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    for ordinal in ordinals {
        if facts.environment.name(ordinal).is_none()
            && let Some(name) = ask.device_name(ordinal)
        {
            facts.environment.names.push((ordinal, name));
        }
    }
}
