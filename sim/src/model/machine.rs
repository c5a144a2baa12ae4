//! The whole: devices, and everything that lives on them.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::array::Array;
use super::code::{Code, Outcome};
use super::context::Context;
use super::event::Event;
use super::graph::{Executable, Graph};
use super::meter::Meter;
use super::module::Module;
use super::object::{Home, Ordinal};
use super::pool::Pool;
use super::registry::{Registry, fresh_handle};
use super::space::{Found, Space};
use super::stream::Stream;
use super::thread;
use super::ticket::lock;
use crate::config::{Config, DeviceConfig};
use crate::profile::Profile;

/// A simulated device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) profile: &'static Profile,
    pub(crate) uuid: [u8; 16],
    /// PCI domain, bus and device.
    pub(crate) pci: [u32; 3],
    pub(crate) meter: Arc<Meter>,
    /// The status that a fault has left behind: until the process ends no context can be made any more.
    fault: Arc<AtomicU32>,
    /// The shared context has one handle for ever.
    primary_handle: usize,
    primary: Mutex<Primary>,
    /// The pool that was there from the start, and the one that allocations use.
    pub(crate) default_pool: usize,
    pub(crate) pool: AtomicUsize,
}

/// A device's shared context.
#[derive(Debug, Default)]
struct Primary {
    context: Option<Arc<Context>>,
    held: usize,
    flags: u32,
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) config: Config,
    pub(crate) devices: Vec<Device>,
    space: RwLock<Space>,
    pub(crate) contexts: Registry<Context>,
    pub(crate) streams: Registry<Stream>,
    pub(crate) events: Registry<Event>,
    pub(crate) arrays: Registry<Array>,
    pub(crate) modules: Registry<Module>,
    pub(crate) graphs: Registry<Graph>,
    pub(crate) executables: Registry<Executable>,
}

/// Where the n-th device sits: PCI domain, bus and device.
pub(crate) fn pci(number: usize) -> [u32; 3] {
    [0, 0x10 + u32::try_from(number).unwrap_or(0), 0]
}

static MACHINE: OnceLock<Machine> = OnceLock::new();

/// Set by `cuInit`; the machine itself may be older, when NVML was asked first.
static INITIALISED: AtomicBool = AtomicBool::new(false);

/// The machine, once `cuInit` has succeeded.
pub(crate) fn machine() -> Outcome<&'static Machine> {
    if !INITIALISED.load(Ordering::Acquire) {
        return Err(Code::NOT_INITIALIZED);
    }
    MACHINE.get().ok_or(Code::NOT_INITIALIZED)
}

/// What `cuInit` does.
pub(crate) fn initialise() -> Outcome<&'static Machine> {
    let machine = start();
    machine.config.visible()?;
    if machine.devices.is_empty() {
        return Err(Code::NO_DEVICE);
    }
    INITIALISED.store(true, Ordering::Release);
    Ok(machine)
}

/// Builds the machine on the first call.
pub(crate) fn start() -> &'static Machine {
    MACHINE.get_or_init(|| Machine::new(Config::from_environment()))
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        let visible = config.visible().unwrap_or_default();
        let meter = |device: &DeviceConfig| Meter::new(device.memory, config.out_of_memory_at);
        let meters: Vec<_> = visible.iter().map(|(_, device)| meter(device)).collect();
        let mut space = Space::new(meters.clone(), config.registered_elsewhere);
        let devices = visible
            .into_iter()
            .zip(&meters)
            .enumerate()
            .map(|(ordinal, ((number, device), meter))| {
                let default_pool = fresh_handle();
                space.add_pool(Pool::new(default_pool, ordinal, Home::Device, 0, 0));
                Device {
                    profile: device.profile,
                    uuid: crate::profile::uuid(number),
                    pci: pci(number),
                    meter: Arc::clone(meter),
                    fault: Arc::default(),
                    primary_handle: fresh_handle(),
                    primary: Mutex::default(),
                    default_pool,
                    pool: AtomicUsize::new(default_pool),
                }
            })
            .collect();
        Self {
            config,
            devices,
            space: RwLock::new(space),
            contexts: Registry::default(),
            streams: Registry::default(),
            events: Registry::default(),
            arrays: Registry::default(),
            modules: Registry::default(),
            graphs: Registry::default(),
            executables: Registry::default(),
        }
    }

    pub(crate) fn space(&self) -> RwLockReadGuard<'_, Space> {
        self.space.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether memory is known at an address, or may be: nobody is waited for.
    pub(crate) fn knows(&self, address: usize) -> bool {
        match self.space.try_read() {
            Ok(space) => !matches!(space.find(address), Found::Nothing),
            Err(_) => address != 0,
        }
    }

    pub(crate) fn space_mut(&self) -> RwLockWriteGuard<'_, Space> {
        self.space.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn device(&self, ordinal: Ordinal) -> Outcome<&Device> {
        self.devices.get(ordinal).ok_or(Code::INVALID_DEVICE)
    }

    /// The current context of this thread, alive and well.
    pub(crate) fn current(&self) -> Outcome<Arc<Context>> {
        let context = self.current_even_dead()?;
        if !context.is_alive() {
            return Err(Code::CONTEXT_IS_DESTROYED);
        }
        context.check()?;
        Ok(context)
    }

    /// The current context, whatever has happened to it.
    pub(crate) fn current_even_dead(&self) -> Outcome<Arc<Context>> {
        let handle = thread::current().ok_or(Code::INVALID_CONTEXT)?;
        self.contexts.get(handle).ok_or(Code::CONTEXT_IS_DESTROYED)
    }

    /// A context by its handle.
    pub(crate) fn context(&self, handle: usize) -> Outcome<Arc<Context>> {
        self.contexts
            .get(handle)
            .filter(|context| context.is_alive())
            .ok_or(Code::INVALID_CONTEXT)
    }

    /// Whether `device` is the context's own or one of its peers.
    pub(crate) fn reaches(&self, context: usize, device: Ordinal) -> bool {
        self.contexts.get(context).is_some_and(|context| {
            context.device == device || lock(&context.peers).contains(&device)
        })
    }

    /// Whether the hardware lets one device reach another's memory.
    pub(crate) fn may_reach(&self, from: Ordinal, to: Ordinal) -> bool {
        from != to && self.config.peers.allows(from, to)
    }

    /// Fails where a fault has made the device useless to this process.
    fn usable(&self, device: Ordinal) -> Outcome<&Device> {
        let found = self.device(device)?;
        match found.fault.load(Ordering::Acquire) {
            0 => Ok(found),
            code => Err(Code(code)),
        }
    }

    pub(crate) fn create_context(&self, device: Ordinal, flags: u32) -> Outcome<Arc<Context>> {
        let fault = Arc::clone(&self.usable(device)?.fault);
        Ok(self
            .contexts
            .add(|handle| Context::new(handle, device, false, flags, fault))
            .1)
    }

    pub(crate) fn retain_primary(&self, device: Ordinal) -> Outcome<Arc<Context>> {
        let found = self.usable(device)?;
        let mut primary = lock(&found.primary);
        let flags = primary.flags;
        let make = || {
            let context = Context::new(
                found.primary_handle,
                device,
                true,
                flags,
                Arc::clone(&found.fault),
            );
            self.contexts.insert(found.primary_handle, context)
        };
        let context = Arc::clone(primary.context.get_or_insert_with(make));
        primary.held += 1;
        Ok(context)
    }

    pub(crate) fn release_primary(&self, device: Ordinal) -> Outcome {
        let mut primary = lock(&self.device(device)?.primary);
        primary.held = primary.held.checked_sub(1).ok_or(Code::INVALID_CONTEXT)?;
        let last = if primary.held == 0 {
            primary.context.take()
        } else {
            None
        };
        drop(primary);
        if let Some(context) = last {
            self.destroy_context(&context);
        }
        Ok(())
    }

    /// Destroys what the primary context owns and forgets who retained it (the latter documented, not measured); whoever
    /// retains it afterwards gets a new one under the same handle.
    pub(crate) fn reset_primary(&self, device: Ordinal) -> Outcome {
        let mut primary = lock(&self.device(device)?.primary);
        let old = primary.context.take();
        primary.held = 0;
        drop(primary);
        if let Some(context) = old {
            self.destroy_context(&context);
        }
        Ok(())
    }

    /// Flags and whether the primary context exists.
    pub(crate) fn primary_state(&self, device: Ordinal) -> Outcome<(u32, bool)> {
        let primary = lock(&self.device(device)?.primary);
        let flags = primary.context.as_ref().map_or(primary.flags, |context| {
            context.flags.load(Ordering::Relaxed)
        });
        Ok((flags, primary.context.is_some()))
    }

    pub(crate) fn set_primary_flags(&self, device: Ordinal, flags: u32) -> Outcome {
        let mut primary = lock(&self.device(device)?.primary);
        primary.flags = flags;
        if let Some(context) = &primary.context {
            context.flags.store(flags, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Destroys a context and everything that is its own.
    pub(crate) fn destroy_context(&self, context: &Arc<Context>) {
        context.destroy();
        if !context.primary {
            self.contexts.remove(context.handle);
        }
        for array in self
            .arrays
            .all()
            .iter()
            .filter(|array| array.context == context.handle)
        {
            self.arrays.remove(array.handle);
        }
        for (handle, module) in self.modules.handles() {
            if module.context == context.handle && context.primary {
                self.modules.remove(handle);
            }
        }
        self.space_mut().remove_context(context.handle);
    }
}
