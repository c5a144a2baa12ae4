//! A driver, a runtime and a device that work, and one copy after the other.

use cuda_sys::driver::Driver;
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_runtime::device::Device;
use cuwhy_runtime::memory::{DeviceBuffer, DeviceMemory as _};
use cuwhy_validate::ask::Ask;
use cuwhy_validate::finding::Outcome;
use cuwhy_validate::{Api, Prediction, Verdict, check};

use super::cases::{Case, ROOM};
use crate::failure::{Failure, chain};

/// The runtime reached the library that toolkits carry for linking.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}: the runtime found the toolkit's link-time stub as libcuda.so.1; next: take the stub's folder \
     out of LD_LIBRARY_PATH"
)]
struct StubBelow(cuwhy_runtime::Error);

/// The libraries are there and refuse: what they say, with all its causes.
#[derive(Debug, thiserror::Error)]
#[error("{0}; next: run `cuwhy doctor`, which looks for the cause")]
struct Refused(String);

/// The libraries, opened and initialised.
#[derive(Debug)]
pub struct Session {
    driver: &'static Driver,
    runtime: &'static Runtime,
    device: Device,
    name: String,
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
        // The driver alone says more of a machine without a device than the runtime over it.
        let first = cuwhy_driver::device::Device::new(0).map_err(refused)?;
        let name = first.name().map_err(refused)?;
        let device = Device::new(0).map_err(not_by_runtime)?;
        Ok(Self {
            driver,
            runtime,
            device,
            name,
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
            self.name,
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
        let buffer = DeviceBuffer::<u8>::new(&self.device, ROOM).map_err(not_by_runtime)?;
        let mut verdict = None;
        let made = (case.make)(buffer.address(), &mut |call| {
            verdict = Some(check(call, ask, None))
        });
        buffer.free().map_err(not_by_runtime)?;
        let status = match made {
            Ok(()) => 0,
            Err(error) => match error.status() {
                Some(status) => status.0,
                None => return Err(no_device(error)),
            },
        };
        let Some(mut verdict) = verdict else {
            return Err(Failure::Bug(format!(
                "the case \"{}\" was not judged",
                case.title
            )));
        };
        let answered = Outcome::status(Api::Runtime, status);
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
            status,
        })
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

/// What the runtime says where it cannot be used.
fn not_by_runtime(error: cuwhy_runtime::Error) -> Failure {
    match error.status() {
        Some(cudaError_t::cudaErrorStubLibrary) => no_device(StubBelow(error)),
        _ => refused(error),
    }
}

fn refused(error: impl core::error::Error) -> Failure {
    no_device(Refused(chain(&error)))
}

fn no_device(error: impl core::error::Error + Send + Sync + 'static) -> Failure {
    Failure::NoDevice(Box::new(error))
}
