//! Checked copies over the layers: what `cuwhy-driver` and `cuwhy-runtime` copy and fill, with a
//! [`Checker`] around it, and the observers that feed a registry.
//!
//! A copy that is predicted to kill the process or the context is not made. One that is predicted
//! to be refused is, so that the status is CUDA's own.
//!
//! | | the layers' own types | raw ranges, as C has them |
//! | --- | --- | --- |
//! | one line | `upload`, `download`, `device_to_device` | `raw::copy`, `raw::copy_async` |
//! | rows and planes, arrays included | `upload_2d`, `download_2d` | `raw::copy_2d`, `raw::copy_3d`, and with `_async` |
//! | between devices | `device_to_device` | `raw::peer`, `raw::copy_3d_peer`, and with `_async` |
//! | many at once | `Batch` | `Batch::push`, `raw::copy_3d_batch_async` |
//! | with the order of the source (13.2) | | `raw::copy_with_order_async`, `raw::copy_3d_with_order_async` |
//! | borrowed until they are done | `scope` | |
//! | fills | `fill`, `zero`, `zero_2d` | `raw::fill`, `raw::fill_2d`, and with `_async` |
//!
//! A checker that asks [`ByRuntime`](crate::ask::ByRuntime) classifies with
//! `cudaPointerGetAttributes`; what that cannot know is "cannot tell", and the copy is made.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "driver")] {
//! # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
//! use cuda_sys::driver::Driver;
//! use cuwhy_driver::copy::Direction;
//! use cuwhy_driver::device::Device;
//! use cuwhy_driver::memory::{Bytes, DeviceBuffer, DeviceMemory};
//! use cuwhy_validate::ask::Live;
//! use cuwhy_validate::checked::driver::{Error, observe, raw, upload};
//! use cuwhy_validate::{Checker, Registry};
//!
//! observe(Registry::global());
//! let live = Live::new(Driver::get()?);
//! let checker = Checker::new(&live).with_registry(Registry::global());
//!
//! let context = Device::new(0)?.context()?;
//! let mut buffer = DeviceBuffer::<u32>::new(&context, 10)?;
//! upload(&checker, &mut buffer, &[7; 10])?;
//!
//! // Raw ranges may be wrong; CUDA's own status comes with the reason.
//! let source = [7_u32; 100];
//! let current = context.enter()?;
//! let (to, from) = (buffer.address(), source.as_ptr());
//! // SAFETY: the source has 400 bytes; CUDA checks the destination, which has 40.
//! let copied = unsafe { raw::copy(&checker, to, from, Bytes(400), Direction::HostToDevice) };
//! drop(current);
//! let Err(Error::Checked(error)) = copied else { panic!("it is too long") };
//! assert_eq!(error.status(), Some(1));
//! assert_eq!(error.findings()[0].rule, "range.past-end");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
#[cfg(feature = "driver")]
pub mod driver;
mod error;
mod raw;
#[cfg(feature = "runtime")]
pub mod runtime;
mod scope;
mod typed;
mod watch;

pub use error::Error;

use crate::call::Action;
use crate::facts::{StreamState, Vouched};
use crate::{Api, Call, CheckedError, Checker, Order, Site, Stream};

/// A call but for its place and its stream.
struct Asked {
    function: &'static str,
    api: Api,
    action: Action,
}

/// Where a call is done, and what its layer answers for.
#[derive(Clone, Copy)]
struct Turn {
    order: Order,
    vouched: Vouched,
}

/// A call that returns when it is done.
const NOW: Turn = Turn {
    order: Order::Synchronous(Stream::Legacy),
    vouched: vouched(StreamState::Unknown),
};

/// What a layer answers for: arrays are its own values, or whoever makes a raw copy promises that they are alive.
const fn vouched(stream: StreamState) -> Vouched {
    Vouched {
        stream,
        arrays: true,
    }
}

/// A call with what its layer answers for.
struct Known {
    call: Call,
    vouched: Vouched,
}

impl Asked {
    fn call(self, turn: Turn, site: Site) -> Known {
        let call = Call {
            function: self.function,
            api: self.api,
            action: self.action,
            order: turn.order,
            site,
        };
        Known {
            call,
            vouched: turn.vouched,
        }
    }
}

/// Makes a call between the two halves of a check.
fn between<E>(
    checker: &Checker<'_>,
    Known { call, vouched }: &Known,
    make: impl FnOnce() -> Result<(), E>,
    status_of: impl FnOnce(&E) -> Option<u32>,
) -> Result<(), Error<E>> {
    let expected = checker
        .before_knowing(call, *vouched)
        .map_err(Error::Checked)?;
    let status = match make() {
        Ok(()) => 0,
        Err(error) => match status_of(&error) {
            Some(status) => status,
            None => return Err(Error::Layer(error)),
        },
    };
    let checked: Result<(), CheckedError> = checker.after_knowing(call, *vouched, expected, status);
    checked.map_err(Error::Checked)
}
