//! What does a call through the table cost, against one that was bound when the program was linked?
//!
//! The link-time binding is that of `cuda-driver-sys`. The program is linked against a stub and
//! runs on the real driver: on a machine without one the system's loader refuses to start it. So it
//! is built only with `--features link-time`.

use core::hint::black_box;
use std::time::Duration;

use cuda_sys::driver::Driver;
use cuwhy_benches::{Bound, Suite, paired};

fn main() {
    let mut suite = Suite::begin("call_link", Duration::from_secs(20), 2);
    let driver = Driver::get().expect("the program would not have started without libcuda");
    let mut linked_version = 0;
    let mut linked = || {
        // SAFETY: the version is a live `c_int`.
        unsafe { cuda_driver_sys::cuDriverGetVersion(&raw mut linked_version) }
    };
    let mut table_version = 0;
    let mut table = || {
        // SAFETY: the version is a live `c_int`.
        unsafe { black_box(driver).cuDriverGetVersion(&raw mut table_version) }
    };

    let mut group = suite.group("call");
    group.point("link-time", "cuDriverGetVersion", |bencher| {
        bencher.iter(&mut linked)
    });
    group.point("table beside link-time", "cuDriverGetVersion", |bencher| {
        bencher.iter(&mut table)
    });
    group.end();

    if suite.takes_bounds() {
        let both = paired(
            Duration::from_secs(4),
            10_000,
            || _ = black_box(linked()),
            || _ = black_box(table()),
        );
        suite.bound(Bound {
            what: "call through the table against a link-time call".to_owned(),
            detail: format!(
                "cuDriverGetVersion, {:.2} ns linked, {:.2} ns through the table; the difference",
                both.base.median, both.other.median
            ),
            unit: "ns".to_owned(),
            limit: 1.0,
            measured: both.difference.median,
            low: both.difference.low,
            high: both.difference.high,
        });
    }
    assert_eq!(linked_version, table_version, "both call the same driver");
    suite.finish();
}
