//! Where reproducers play: a device with its primary context, a registry, and what is allocated.

use super::Answer;
use crate::ask::{Ask, Live};
use crate::facts::{Depth, Owner, collect};
use crate::registry::{Freed, Registry};
use crate::{Call, Class, Site, Span, Verdict, judge};
use core::cell::{Cell, RefCell};
use core::fmt;
use cuda_sys::driver::{CUcontext, CUresult, CUstream, Table};
use cuda_sys::runtime::Runtime;

/// Why a reproducer cannot be shown here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// A call that sets the scene failed.
    Failed {
        /// The call.
        call: &'static str,
        /// What it returned.
        status: u32,
    },
    /// Something is missing.
    Needs(&'static str),
}

impl fmt::Display for Skip {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { call, status } => write!(out, "{call} failed: {status}"),
            Self::Needs(what) => write!(out, "needs {what}"),
        }
    }
}

impl core::error::Error for Skip {}

/// A device that is ready, and what was put on it.
#[derive(Debug)]
pub struct Stage {
    pub(super) driver: &'static Table,
    pub(super) runtime: Option<&'static Runtime>,
    pub(super) context: CUcontext,
    pub(super) capturing: Cell<Option<CUstream>>,
    pub(super) doomed: Cell<Option<u64>>,
    pub(super) second: Cell<Option<CUcontext>>,
    poison: RefCell<Option<(u32, String)>>,
    live: Live<'static>,
    registry: Registry,
}

impl Stage {
    /// Initialises the driver and takes device 0's primary context. Without a runtime, what only
    /// the runtime shows is skipped.
    ///
    /// # Errors
    ///
    /// [`Skip`] where the driver cannot be used.
    pub fn open(driver: &'static Table, runtime: Option<&'static Runtime>) -> Result<Self, Skip> {
        // SAFETY: `cuInit` may be called at any time, from any thread.
        done("cuInit", unsafe { driver.cuInit(0) })?;
        let mut context = core::ptr::null_mut();
        // SAFETY: `context` is a live handle and the driver writes nothing past it.
        let status = unsafe { driver.cuDevicePrimaryCtxRetain(&raw mut context, 0) };
        done("cuDevicePrimaryCtxRetain", status)?;
        // SAFETY: a scene frees no array, and names none but its own.
        let mut live = unsafe { Live::new(driver).following_arrays() };
        if let Some(runtime) = runtime {
            live = live.with_runtime(runtime.major().version().major());
        }
        let stage = Self {
            driver,
            runtime,
            context,
            capturing: Cell::new(None),
            doomed: Cell::new(None),
            second: Cell::new(None),
            poison: RefCell::new(None),
            live,
            registry: Registry::default(),
        };
        stage.enter()?;
        Ok(stage)
    }

    /// Makes the stage's context current in this thread.
    ///
    /// # Errors
    ///
    /// [`Skip`] where the driver refuses.
    pub fn enter(&self) -> Result<(), Skip> {
        self.set_current(self.context)
    }

    pub(super) fn set_current(&self, context: CUcontext) -> Result<(), Skip> {
        // SAFETY: the context is null or the primary one, which is retained for ever.
        done("cuCtxSetCurrent", unsafe {
            self.driver.cuCtxSetCurrent(context)
        })
    }

    /// What the facts of this stage are asked of.
    #[must_use]
    pub fn ask(&self) -> &(dyn Ask + Sync) {
        &self.live
    }

    /// What this stage allocated.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Judges a call on this stage.
    #[must_use]
    pub fn check(&self, call: &Call) -> Verdict {
        let mut facts = collect(call, &self.live, Some(&self.registry), Depth::Full);
        facts.environment.poison.clone_from(&self.poison.borrow());
        judge(call, &facts)
    }

    /// Makes a call, ends what the scene left open, waits for the device, and says what both came
    /// to. The call may kill the process: that is what it is for.
    ///
    /// # Errors
    ///
    /// [`Skip`] for a call that this stage cannot make.
    pub fn answer(&self, call: &Call) -> Result<Answer, Skip> {
        let status = self.make(call)?;
        let later = match self.tidy().and_then(|()| self.wait()) {
            Ok(()) => 0,
            Err(Skip::Failed { status, .. }) => status,
            Err(skip @ Skip::Needs(_)) => return Err(skip),
        };
        Ok(Answer::Status { status, later })
    }

    /// `cuCtxSynchronize`.
    pub(super) fn wait(&self) -> Result<(), Skip> {
        // SAFETY: it has no precondition.
        done("cuCtxSynchronize", unsafe {
            self.driver.cuCtxSynchronize()
        })
    }

    /// Notes that the context died, as whoever saw the first failure does.
    pub(super) fn poisoned(&self, status: u32, first: String) {
        *self.poison.borrow_mut() = Some((status, first));
    }

    /// Ends what a reproducer left open: a capture, a thread without a context.
    ///
    /// # Errors
    ///
    /// [`Skip`] where the driver refuses.
    pub fn tidy(&self) -> Result<(), Skip> {
        self.enter()?;
        if let Some(stream) = self.capturing.take() {
            let mut graph = core::ptr::null_mut();
            // SAFETY: the stream is alive and captures; `graph` is a live handle. A capture that
            // was lost ends with an error, which says nothing here.
            let _ = unsafe { self.driver.cuStreamEndCapture(stream, &raw mut graph) };
        }
        Ok(())
    }

    /// Tells the registry of memory.
    pub(super) fn born(&self, class: Class, start: u64, bytes: u64, call: &'static str) {
        self.born_with(class, start, bytes, call, |_| {});
    }

    pub(super) fn born_with(
        &self,
        class: Class,
        start: u64,
        bytes: u64,
        call: &'static str,
        more: impl FnOnce(&mut Owner),
    ) {
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(start, bytes));
        owner.device = Some(0);
        owner.origin.call = Some(call);
        more(&mut owner);
        self.registry.allocated(owner);
    }

    pub(super) fn died(&self, start: u64, call: &'static str) {
        self.registry.freed(start, &Freed::by(call, Site::Unknown));
    }
}

/// A status of the driver's as a result.
pub(super) fn done(call: &'static str, status: CUresult) -> Result<(), Skip> {
    match status {
        CUresult::CUDA_SUCCESS => Ok(()),
        status => Err(Skip::Failed {
            call,
            status: status.0,
        }),
    }
}
