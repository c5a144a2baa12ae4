//! Both measured tables, asked again: every line of the table of copies and every row of the table of
//! attributes, on the simulator with the runtime of each major, and with `CUWHY_TEST_GPU=require` on
//! the machine's device with the runtime that `CUWHY_LIBCUDART` names.
//!
//! No library reads the tables: what it answers is compared with them. Copies that kill are made by
//! processes of their own, several at once, each of which goes on where a predecessor died.

#[path = "conformance/attributes.rs"]
mod attributes;
#[path = "conformance/copies.rs"]
mod copies;
#[path = "conformance/mend.rs"]
mod mend;
#[path = "conformance/operands.rs"]
mod operands;

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{Child, Wanted, simulated, wanted};

/// Whose CUDA is asked.
#[derive(Debug, Clone, Copy)]
enum Whose {
    /// The simulator's, with the runtime of this major.
    Simulated(u32),
    /// That of the machine's device.
    Machine,
}

impl Whose {
    fn all() -> Vec<Self> {
        if wanted() == Wanted::Require {
            vec![Self::Machine]
        } else {
            [11, 12, 13].map(Self::Simulated).to_vec()
        }
    }

    fn child(self, test: &str, part: &str) -> Child {
        let child = Child::new(test, part);
        match self {
            Self::Simulated(major) => simulated(child, Some(major)),
            Self::Machine => child,
        }
    }
}

/// Calls a function of a table and answers its status as a number.
macro_rules! c {
    ($table:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live; addresses are given away on purpose, and what becomes of them is the test.
        unsafe { $table.$name($($argument),*) }.0
    };
}
pub(crate) use c;

/// The libraries under test.
fn libraries() -> (&'static Driver, &'static Runtime) {
    let driver = Driver::get().expect("there is a driver");
    assert_eq!(c!(driver.cuInit(0)), 0);
    (driver, Runtime::get().expect("there is a runtime"))
}
