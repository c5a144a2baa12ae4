//! Where the tests of the two safe layers run: on the simulator, in a process of their own per house, or
//! with `CUWHY_TEST_GPU=require` on the machine's device.

use cuwhy_tests::{Child, Wanted, shared_library, wanted};

/// The safe layer of a test, and the runtime library under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum House {
    /// `cuwhy-driver`.
    Driver,
    /// `cuwhy-runtime` over the runtime of this major.
    Runtime(u32),
}

/// Every house that a body is run in.
pub(crate) const HOUSES: [House; 4] = [
    House::Driver,
    House::Runtime(11),
    House::Runtime(12),
    House::Runtime(13),
];

/// A child that finds the simulator with these options, or the machine's CUDA where a device is required.
///
/// `None` where this house can not be had: on a machine's CUDA there is one runtime.
pub(crate) fn child(test: &str, house: House, part: &str, options: &str) -> Option<Child> {
    let child = Child::new(test, &format!("{house:?} {part}"));
    if wanted() == Wanted::Require {
        let there = options.is_empty() && !matches!(house, House::Runtime(11 | 12));
        if !there {
            cuwhy_tests::skip("it needs the simulator, and the machine's device is required");
        }
        return there.then_some(child);
    }
    let child = child
        .env("CUWHY_SIM", format!("quiet=on,{options}"))
        .env(
            "CUWHY_LIBCUDA",
            shared_library("cuwhy-sim", "libcuwhy_sim.so"),
        )
        .without("CUDA_VISIBLE_DEVICES");
    let major = match house {
        House::Driver => return Some(child),
        House::Runtime(major) => major,
    };
    let package = format!("cuwhy-sim-cudart{major}");
    let file = format!("libcuwhy_sim_cudart{major}.so");
    Some(child.env("CUWHY_LIBCUDART", shared_library(&package, &file)))
}

/// Runs a body in every house; it is a module function of both `driver` and `runtime`.
macro_rules! in_every_house {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            for house in $crate::houses::HOUSES {
                let Some(child) = $crate::houses::child(cuwhy_tests::here!(), house, "plain", "") else {
                    continue;
                };
                let body = || match house {
                    $crate::houses::House::Driver => $crate::driver::$name().expect("no error"),
                    $crate::houses::House::Runtime(_) => $crate::runtime::$name().expect("no error"),
                };
                child.run(body).must_succeed();
            }
        }
    )* };
}
pub(crate) use in_every_house;
