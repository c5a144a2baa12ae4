//! Every line of the measured table of copies, through `cudaMemcpy` of each front.
//!
//! The fronts' answers are computed; the table is only compared with them. A child makes the operands and copies line
//! by line; where a copy kills it, the next child goes on behind that line.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use std::io::{Read as _, Write as _};

use cuda_sys::runtime::{Major, cudaMemcpyKind};
use support::operands::operands;
use support::{End, c, in_child};

const TABLE: &str =
    include_str!("../../../../tests/data/ground-truth/cudaMemcpy-h200-driver580-cuda13.0.tsv");
struct Row {
    kind: cudaMemcpyKind,
    dst: &'static str,
    src: &'static str,
    count: usize,
    line: &'static str,
    result: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let kind = match cells[0] {
            "H2H" => cudaMemcpyKind::cudaMemcpyHostToHost,
            "H2D" => cudaMemcpyKind::cudaMemcpyHostToDevice,
            "D2H" => cudaMemcpyKind::cudaMemcpyDeviceToHost,
            "D2D" => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
            "Default" => cudaMemcpyKind::cudaMemcpyDefault,
            other => cudaMemcpyKind(other.parse().unwrap_or(9)),
        };
        Row {
            kind,
            dst: cells[1],
            src: cells[2],
            count: cells[3].parse().unwrap(),
            line,
            result: cells[4],
        }
    };
    TABLE.lines().skip(1).map(row).collect()
}

/// Copies from line `first` on and writes each answer, until the end or a crash.
fn answer_from(first: usize, rows: &[Row], major: Major, mut pipe: std::io::PipeWriter) -> i32 {
    let (runtime, operands) = operands(major);
    for row in &rows[first..] {
        let status =
            c!(runtime.cudaMemcpy(operands[row.dst], operands[row.src], row.count, row.kind));
        if writeln!(pipe, "{status}").is_err() {
            return 1;
        }
    }
    0
}

fn answers(rows: &[Row], major: Major) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < rows.len() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let first = answers.len();
        // Fewer bytes than a pipe holds, so the child need not be read from while it runs.
        let end = in_child(|| answer_from(first, rows, major, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        answers.extend(text.lines().map(str::to_owned));
        match end {
            End::Signal(libc::SIGSEGV) => answers.push("SIGSEGV".to_owned()),
            End::Exit(0) => {}
            other => panic!(
                "the child ended with {other:?} at line {}",
                answers.len() + 2
            ),
        }
    }
    answers
}

fn every_copy_ends_as_measured(major: Major) {
    let rows = rows();
    let answers = answers(&rows, major);
    let wrong: Vec<String> = rows
        .iter()
        .zip(&answers)
        .filter(|(row, answer)| row.result != answer.as_str())
        .map(|(row, answer)| format!("{}: {answer}", row.line))
        .collect();
    println!(
        "CUDA {major}: {} of {} copies agree",
        rows.len() - wrong.len(),
        rows.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_copy_through_cuda_11_ends_as_measured() {
    every_copy_ends_as_measured(Major::V11);
}

#[test]
fn every_copy_through_cuda_12_ends_as_measured() {
    every_copy_ends_as_measured(Major::V12);
}

#[test]
fn every_copy_through_cuda_13_ends_as_measured() {
    every_copy_ends_as_measured(Major::V13);
}
