//! What does it cost to judge a copy when the facts are there already?
//!
//! No GPU is needed: facts are made here, rules call nothing.

use core::hint::black_box;
use std::time::Duration;

use cuwhy_benches::Suite;
use cuwhy_benches::recorded::{self, Case};
use cuwhy_validate::facts::{Depth, collect};
use cuwhy_validate::{judge, predict};

fn main() {
    let cases = recorded::cases();
    let mut suite = Suite::begin("rules", Duration::from_secs(20), cases.len() * 3);
    let mut group = suite.group("rules");
    for Case { name, call, ask } in &cases {
        let facts = collect(call, ask, None, Depth::Full);
        group.point("facts to prediction", name, |bencher| {
            bencher.iter(|| predict(black_box(call), black_box(&facts)));
        });
        group.point("facts to verdict", name, |bencher| {
            bencher.iter(|| judge(black_box(call), black_box(&facts)));
        });
        group.point("recorded answers to verdict", name, |bencher| {
            bencher.iter(|| cuwhy_validate::check(black_box(call), black_box(ask), None));
        });
    }
    group.end();
    suite.finish();
}
