//! Every line of the measured table of copies, asked again.
//!
//! The library's answer is computed; the table is only compared with it. A child makes the operands and copies line by
//! line; where a copy kills it, the next child goes on behind that line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;

use cuda_sys::driver::*;
use support::{End, cu, in_child, operands};

const TABLE: &str =
    include_str!("../../tests/data/ground-truth/cudaMemcpy-h200-driver580-cuda13.0.tsv");
const SIGSEGV: &str = "SIGSEGV";

struct Row {
    kind: &'static str,
    dst: &'static str,
    src: &'static str,
    count: usize,
    result: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap();
        Row {
            kind: cell(),
            dst: cell(),
            src: cell(),
            count: cell().parse().unwrap(),
            result: cell(),
        }
    };
    TABLE.lines().skip(1).map(row).collect()
}

/// What the runtime makes of `cudaMemcpy`: its own checks, then the driver's call of this kind.
fn copy(driver: &Driver, kind: &str, dst: u64, src: u64, count: usize) -> u32 {
    const INVALID_DIRECTION: u32 = 21;
    if count == 0 {
        return 0;
    }
    let host =
        |address: u64| core::ptr::with_exposed_provenance_mut(usize::try_from(address).unwrap());
    match kind {
        "H2D" => cu!(driver.cuMemcpyHtoD_v2(dst, host(src), count)),
        "D2H" => cu!(driver.cuMemcpyDtoH_v2(host(dst), src, count)),
        "D2D" => cu!(driver.cuMemcpyDtoD_v2(dst, src, count)),
        "Default" => cu!(driver.cuMemcpy(dst, src, count)),
        "H2H" => {
            let copy = CUDA_MEMCPY2D {
                srcMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_HOST,
                srcHost: host(src),
                srcPitch: count,
                dstMemoryType: CUmemorytype_enum::CU_MEMORYTYPE_HOST,
                dstHost: host(dst),
                dstPitch: count,
                WidthInBytes: count,
                Height: 1,
                ..CUDA_MEMCPY2D::default()
            };
            cu!(driver.cuMemcpy2DUnaligned_v2(&raw const copy))
        }
        _ => INVALID_DIRECTION,
    }
}

/// Copies from line `first` on and writes each answer, until the end or a crash.
fn answer_from(first: usize, rows: &[Row], mut pipe: std::io::PipeWriter) -> i32 {
    let (driver, _) = support::ready();
    let operands = operands::make(driver);
    for row in &rows[first..] {
        let status = copy(
            driver,
            row.kind,
            operands[row.dst],
            operands[row.src],
            row.count,
        );
        if writeln!(pipe, "{status}").is_err() {
            return 1;
        }
    }
    0
}

/// The answers of all lines.
fn answers(rows: &[Row]) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < rows.len() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let first = answers.len();
        // Fewer bytes than a pipe holds, so the child need not be read from while it runs.
        let end = in_child(|| answer_from(first, rows, writer));
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        answers.extend(text.lines().map(str::to_owned));
        match end {
            End::Signal(libc::SIGSEGV) => answers.push(SIGSEGV.to_owned()),
            End::Exit(0) => {}
            other => panic!(
                "the child ended with {other:?} at line {}",
                answers.len() + 2
            ),
        }
    }
    answers
}

#[test]
fn every_copy_ends_as_measured() {
    let rows = rows();
    let answers = answers(&rows);
    let mut wrong = BTreeMap::<(&str, &str, String), Vec<String>>::new();
    for (row, answer) in rows
        .iter()
        .zip(&answers)
        .filter(|(row, answer)| row.result != answer.as_str())
    {
        let case = format!("{} <- {} ({})", row.dst, row.src, row.count);
        wrong
            .entry((row.kind, row.result, answer.clone()))
            .or_default()
            .push(case);
    }
    let agree = rows.len() - wrong.values().map(Vec::len).sum::<usize>();
    println!("copies: {agree} of {} agree", rows.len());
    assert!(
        wrong.is_empty(),
        "(kind, measured, answered) -> lines: {wrong:#?}"
    );
}
