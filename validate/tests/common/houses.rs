//! The layers, and the CUDA under each: the simulator with the runtime of each major, and with
//! `CUWHY_TEST_GPU=require` the machine's device with the runtime that `CUWHY_LIBCUDART` names.

use cuwhy_tests::{Child, Wanted, simulated, wanted};

/// The layer of a test, and the runtime library under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum House {
    Driver,
    Runtime(u32),
}

pub(crate) const HOUSES: [House; 4] = [
    House::Driver,
    House::Runtime(11),
    House::Runtime(12),
    House::Runtime(13),
];

/// A child that finds the simulator with these options, or the machine's CUDA where a device is
/// required; there one runtime is enough, and no call can be told to fail.
pub(crate) fn child(test: &str, house: House, options: &str) -> Option<Child> {
    let child = Child::new(test, &format!("{house:?}"));
    if wanted() == Wanted::Require {
        let there = !options.contains("fail") && !matches!(house, House::Runtime(11 | 12));
        if !there {
            cuwhy_tests::skip("it needs the simulator, and the machine's device is required");
        }
        return there.then_some(child);
    }
    let major = match house {
        House::Driver => 13,
        House::Runtime(major) => major,
    };
    Some(simulated(child, Some(major)).env("CUWHY_SIM", format!("quiet=on,{options}")))
}

/// Whether a layer's calls can reach a function, named without `cu` and `cuda`: the runtime's go on to the
/// driver's.
pub(crate) fn has(layer: &str, function: &str) -> bool {
    let driver = cuda_sys::driver::Driver::get().expect("there is a driver");
    let runtime = cuda_sys::runtime::Runtime::get().expect("there is a runtime");
    let through = layer == "driver" || runtime.has(&format!("cuda{function}"));
    through && driver.has(&format!("cu{function}"))
}

/// Tests with a body in the modules `driver` and `runtime`, each with the simulator's options.
macro_rules! in_every_house {
    ($($name:ident: $options:literal),* $(,)?) => { $(
        #[test]
        fn $name() {
            for house in HOUSES {
                let Some(child) = child(here!(), house, $options) else {
                    continue;
                };
                let body = || match house {
                    House::Driver => driver::$name(),
                    House::Runtime(_) => runtime::$name(),
                };
                child.run(body).must_succeed();
            }
        }
    )* };
}
