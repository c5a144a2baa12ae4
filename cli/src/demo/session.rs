//! A driver, a runtime and a device that work, and one copy after the other.

use core::ffi::{c_int, c_void};
use core::ptr;

use cuda_sys::driver::{CUresult, Driver};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_validate::ask::Ask;
use cuwhy_validate::finding::Outcome;
use cuwhy_validate::{Api, Prediction, Verdict, check};

use super::cases::{Case, ROOM};
use crate::failure::Failure;

/// A call that the demonstration needs failed.
#[derive(Debug, thiserror::Error)]
#[error("{call} failed: {code} {name}")]
struct CallFailed {
    call: &'static str,
    code: u32,
    name: &'static str,
}

/// The libraries, opened and initialised.
#[derive(Debug)]
pub struct Session {
    driver: &'static Driver,
    runtime: &'static Runtime,
    device: String,
}

/// A copy that was made.
#[derive(Debug)]
pub struct Shown {
    /// Its place among the copies, from 1.
    pub number: usize,
    /// The copy.
    pub case: Case,
    /// What we said before it was made.
    pub verdict: Verdict,
    /// What CUDA answered.
    pub answered: Outcome,
    status: u32,
}

impl Session {
    /// Opens both libraries and initialises the driver.
    ///
    /// # Errors
    ///
    /// [`Failure::NoDevice`] with what was looked for and where, or with what the driver answered.
    pub fn open() -> Result<Self, Failure> {
        let driver = Driver::get().map_err(no_device)?;
        let runtime = Runtime::get().map_err(no_device)?;
        // SAFETY: `cuInit` may be called at any time, from any thread.
        driver_call("cuInit", unsafe { driver.cuInit(0) })?;
        let mut count: c_int = 0;
        // SAFETY: `count` is a live `c_int` and the driver writes nothing past it.
        driver_call("cuDeviceGetCount", unsafe {
            driver.cuDeviceGetCount(&raw mut count)
        })?;
        if count == 0 {
            let (code, name) = (100, "CUDA_ERROR_NO_DEVICE");
            return Err(no_device(CallFailed {
                call: "cuDeviceGetCount",
                code,
                name,
            }));
        }
        let mut name = [0_u8; 256];
        // SAFETY: the driver writes at most the 256 bytes that `name` has.
        driver_call("cuDeviceGetName", unsafe {
            driver.cuDeviceGetName(name.as_mut_ptr().cast(), 256, 0)
        })?;
        let end = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        let device = String::from_utf8_lossy(&name[..end]).into_owned();
        Ok(Self {
            driver,
            runtime,
            device,
        })
    }

    /// The driver's table.
    #[must_use]
    pub fn driver(&self) -> &'static Driver {
        self.driver
    }

    /// The loaded runtime.
    #[must_use]
    pub fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    /// One line about what the copies run on.
    #[must_use]
    pub fn headline(&self) -> String {
        format!(
            "{}   driver for CUDA {} ({})   runtime {} ({})",
            self.device,
            self.driver.version(),
            self.driver.file().path().display(),
            self.runtime.version(),
            self.runtime.file().path().display(),
        )
    }

    /// Makes the copy of `case`, judged by what `ask` tells, on an allocation of its own.
    ///
    /// # Errors
    ///
    /// [`Failure::NoDevice`] when not even the allocation can be had.
    pub fn show(&self, case: &Case, ask: &dyn Ask) -> Result<Shown, Failure> {
        let mut device: *mut c_void = ptr::null_mut();
        // SAFETY: `device` is a live pointer that receives the allocation.
        self.runtime_call("cudaMalloc", unsafe {
            self.runtime.cudaMalloc(&raw mut device, ROOM)
        })?;
        let mut verdict = None;
        let status = (case.make)(self.runtime, device, &mut |call| {
            verdict = Some(check(call, ask, None))
        });
        // SAFETY: clears the error that the copy may have left; it has no precondition.
        let _ = unsafe { self.runtime.cudaGetLastError() };
        // SAFETY: the allocation is this function's own and no copy is in flight.
        self.runtime_call("cudaFree", unsafe { self.runtime.cudaFree(device) })?;
        let Some(mut verdict) = verdict else {
            return Err(Failure::Bug(format!(
                "the case \"{}\" was not judged",
                case.title
            )));
        };
        let answered = Outcome::status(Api::Runtime, status.0);
        for finding in &mut verdict.findings {
            finding.answered = Some(answered.clone());
        }
        let number = super::cases()
            .iter()
            .position(|other| other.title == case.title)
            .map_or(0, |at| at + 1);
        Ok(Shown {
            number,
            case: *case,
            verdict,
            answered,
            status: status.0,
        })
    }

    fn runtime_call(&self, call: &'static str, status: cudaError_t) -> Result<(), Failure> {
        if status == cudaError_t::cudaSuccess {
            return Ok(());
        }
        let name = match status.name() {
            _ if self.runtime.no_driver(status) => "(there is no driver)",
            _ if status == cudaError_t::cudaErrorStubLibrary => {
                "(the runtime found the toolkit's link-time stub as libcuda.so.1; next: take the stub's \
                 folder out of LD_LIBRARY_PATH)"
            }
            Some(name) => name,
            None => "unknown code",
        };
        Err(no_device(CallFailed {
            call,
            code: status.0,
            name,
        }))
    }
}

impl Shown {
    /// Whether we could not say what CUDA would answer.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self.verdict.prediction, Prediction::CannotTell(_))
    }

    /// Whether CUDA answered otherwise than predicted.
    #[must_use]
    pub fn surprise(&self) -> bool {
        match self.verdict.prediction {
            Prediction::Success => self.status != 0,
            Prediction::Status(code) => self.status != code,
            Prediction::CannotTell(_) => false,
            _ => true,
        }
    }

    /// The copy as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        let findings: Vec<_> = self
            .verdict
            .findings
            .iter()
            .map(|finding| serde_json::json!(finding))
            .collect();
        serde_json::json!({
            "case": self.number,
            "title": self.case.title,
            "code": self.case.code,
            "answered": self.answered,
            "agrees": !self.surprise(),
            "findings": findings,
        })
        .to_string()
    }
}

fn driver_call(call: &'static str, status: CUresult) -> Result<(), Failure> {
    if status == CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    let name = status.name().unwrap_or("unknown code");
    Err(no_device(CallFailed {
        call,
        code: status.0,
        name,
    }))
}

fn no_device(error: impl core::error::Error + Send + Sync + 'static) -> Failure {
    Failure::NoDevice(Box::new(error))
}
