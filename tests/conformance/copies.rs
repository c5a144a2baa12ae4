//! The table of copies: 2,764 calls of `cudaMemcpy`.

use std::io::{self, Write as _};
use std::{env, fs, thread};

use cuda_sys::runtime::cudaMemcpyKind;
use cuwhy_tests::{Child, fixture, here};

use super::{Whose, c, libraries, mend, operands};

const TABLE: &str = "ground-truth/cudaMemcpy-h200-driver580-cuda13.0.tsv";
/// Where a worker begins in the table, and the steps that it goes in.
const SHARE: &str = "CUWHY_TEST_SHARE";
/// As many processes at once as a machine with a GPU has cores to start them on.
const WORKERS: usize = 16;
const SIGSEGV: &str = "SIGSEGV";
/// Begins a line that is an answer, and not one of the test harness.
const MARK: &str = "answer ";

struct Row {
    kind: cudaMemcpyKind,
    dst: String,
    src: String,
    count: usize,
    result: String,
    line: String,
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(fixture(TABLE)).expect("the table is there");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let kind = match cells[0] {
            "H2H" => cudaMemcpyKind::cudaMemcpyHostToHost,
            "H2D" => cudaMemcpyKind::cudaMemcpyHostToDevice,
            "D2H" => cudaMemcpyKind::cudaMemcpyDeviceToHost,
            "D2D" => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
            "Default" => cudaMemcpyKind::cudaMemcpyDefault,
            "bad5" => cudaMemcpyKind(5),
            "bad-1" => cudaMemcpyKind(u32::MAX),
            other => panic!("the table has a kind {other}"),
        };
        Row {
            kind,
            dst: cells[1].to_owned(),
            src: cells[2].to_owned(),
            count: cells[3].parse().expect("a number of bytes"),
            result: cells[4].to_owned(),
            line: line.to_owned(),
        }
    };
    table.lines().skip(1).map(row).collect()
}

/// The rows of one worker's share.
fn share(first: usize, step: usize, rows: &[Row]) -> impl Iterator<Item = (usize, &Row)> {
    rows.iter().enumerate().skip(first).step_by(step)
}

/// What a worker does: it copies row by row and says each answer at once.
fn work(given: &str) {
    let (first, step) = given.split_once('/').expect("a share");
    let number = |text: &str| text.parse().expect("a number");
    let (driver, runtime) = libraries();
    let all = operands::make(driver, runtime);
    mend::arm();
    let mut out = io::stdout().lock();
    for (index, row) in share(number(first), number(step), &rows()) {
        let (dst, src) = (all[&*row.dst], all[&*row.src]);
        let answer = mend::around([dst, src], row.count, || {
            c!(runtime.cudaMemcpy(dst, src, row.count, row.kind))
        });
        let answer = answer.map_or(SIGSEGV.to_owned(), |status| status.to_string());
        writeln!(out, "{MARK}{index} {answer}").expect("the parent reads");
        out.flush().expect("the parent reads");
    }
}

/// Answers a whole share; as many processes as it takes, one after the other.
fn answer(worker: impl Fn(&str) -> Child, first: usize, step: usize, rows: &[Row]) -> Share {
    let mut done = Share::default();
    let mut next = first;
    while next < rows.len() {
        let outcome = worker(&format!("{next}/{step}")).run(|| ());
        done.processes += 1;
        let mut lines = outcome.output.lines();
        // The first answer may stand behind what the harness began to say.
        for line in lines.by_ref().filter_map(|line| line.split_once(MARK)) {
            let (index, answer) = line.1.split_once(' ').expect("an index and an answer");
            assert_eq!(index, next.to_string(), "answers come in order");
            done.answers.push((next, answer.to_owned()));
            next += step;
        }
        if outcome.signal() == Some(libc::SIGSEGV) {
            done.answers.push((next, SIGSEGV.to_owned()));
            next += step;
        } else {
            outcome.must_succeed();
        }
    }
    done
}

#[derive(Default)]
struct Share {
    answers: Vec<(usize, String)>,
    processes: usize,
}

#[test]
fn every_copy_ends_as_measured() {
    if let Ok(given) = env::var(SHARE) {
        Child::new(here!(), "worker").run(|| work(&given));
        return;
    }
    let rows = rows();
    let workers = WORKERS.min(thread::available_parallelism().map_or(1, usize::from));
    for whose in Whose::all() {
        let worker = |given: &str| whose.child(here!(), "worker").env(SHARE, given);
        let (worker, rows) = (&worker, &rows);
        let shares: Vec<Share> = thread::scope(|scope| {
            let run = |first| scope.spawn(move || answer(worker, first, workers, rows));
            let threads: Vec<_> = (0..workers).map(run).collect();
            let all = threads.into_iter();
            all.map(|thread| thread.join().expect("a worker's words"))
                .collect()
        });
        let processes: usize = shares.iter().map(|share| share.processes).sum();
        let answers: Vec<_> = shares.into_iter().flat_map(|share| share.answers).collect();
        let wrong: Vec<String> = answers
            .iter()
            .filter(|(index, answer)| rows[*index].result != *answer)
            .map(|(index, answer)| format!("{} answered {answer}", rows[*index].line))
            .collect();
        let agree = answers.len() - wrong.len();
        println!(
            "{whose:?}: {agree} of {} copies agree, in {processes} processes",
            rows.len()
        );
        assert_eq!(answers.len(), rows.len(), "every row is answered once");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
