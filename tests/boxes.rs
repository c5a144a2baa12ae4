//! Batches of boxes, asked again: every line of the measured table, by each form of the call, on the simulator with
//! the runtimes that have it, and with `CUWHY_TEST_GPU=require` on the machine's device.
//!
//! Calls that kill are made by processes of their own, several at once, each of which goes on where a predecessor
//! died. What is far beyond all memory (`0 then 700`) is asked of devices alone.

#[path = "boxes/call.rs"]
mod call;
#[path = "boxes/world.rs"]
mod world;

use std::io::Write as _;
use std::{env, fs, io, thread};

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{Child, Wanted, fixture, here, on_cuda, simulated, wanted};

use call::Form;
use world::World;

/// Calls a function of a table and answers its status as a number.
macro_rules! c {
    ($table:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live; addresses are given away on purpose, and what becomes of them is the test.
        unsafe { $table.$name($($argument),*) }.0
    };
}
pub(crate) use c;

const TABLE: &str = "measured/h100-driver580-boxes.tsv";
const SHARE: &str = "CUWHY_TEST_SHARE";
const MARK: &str = "answer ";
const WORKERS: usize = 8;
const SIGSEGV: &str = "SIGSEGV";
const FAR: &str = "0 then 700";

#[derive(Debug, Clone)]
struct Row {
    call: String,
    answer: String,
    /// The entry that the older forms name, where one was measured; -1 is none.
    failed: Option<i64>,
}

/// A line of the table and the form that asks it.
type Question = (Row, Form);

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(fixture(TABLE)).expect("the table is there");
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut next = || cells.next().expect("three columns");
        Row {
            call: next(),
            answer: next(),
            failed: next().parse().ok(),
        }
    };
    table.lines().skip(1).map(row).collect()
}

/// What is asked: of what kills, one form is enough.
fn questions(simulated: bool, runtime: Option<Form>) -> Vec<Question> {
    let forms = [Form::Driver, Form::DriverTwo].into_iter().chain(runtime);
    let mut all = Vec::new();
    for row in rows() {
        let kills = row.answer == SIGSEGV || row.answer == FAR;
        if simulated && row.answer == FAR {
            continue;
        }
        for form in forms.clone() {
            // The runtime makes a context current where there is none.
            let skipped = form.is_runtime() && call::is_without_context(&row.call);
            if !skipped && (!kills || form == Form::DriverTwo) {
                all.push((row.clone(), form));
            }
        }
    }
    all
}

/// What a worker does: it asks one question after the other and says each answer at once.
fn work(given: &str) {
    let mut numbers = given.split(' ').map(|text| text.parse().expect("a number"));
    let mut next = || numbers.next().expect("three numbers");
    let (first, step, simulated): (usize, usize, usize) = (next(), next(), next());
    let driver = Driver::get().expect("there is a driver");
    assert_eq!(c!(driver.cuInit(0)), 0);
    let runtime = Runtime::get().expect("there is a runtime");
    let world = World::new(driver, runtime);
    let questions = questions(simulated == 1, Form::of(runtime));
    let mut out = io::stdout().lock();
    for (index, (row, form)) in questions.iter().enumerate().skip(first).step_by(step) {
        let answer = world.ask(&row.call, *form);
        writeln!(out, "{MARK}{index} {} {}", answer.failed, answer.text()).expect("somebody reads");
        out.flush().expect("somebody reads");
        if answer.later != 0 {
            // The context is lost.
            std::process::abort();
        }
    }
}

/// Answers a whole share; as many processes as it takes, one after the other.
fn answer(worker: impl Fn(usize) -> Child, first: usize, step: usize, count: usize) -> Vec<Said> {
    let mut said = Vec::new();
    let mut next = first;
    while next < count {
        let outcome = worker(next).run(|| ());
        let lines = outcome.output.lines();
        for (_, line) in lines.filter_map(|line| line.split_once(MARK)) {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().expect("three words");
            assert_eq!(word(), next.to_string(), "answers come in order");
            let failed = word().parse().expect("a number");
            said.push((next, failed, word().to_owned()));
            next += step;
        }
        match outcome.signal() {
            Some(libc::SIGSEGV | libc::SIGBUS) => {
                said.push((next, -1, SIGSEGV.to_owned()));
                next += step;
            }
            Some(libc::SIGABRT) if said.last().is_some_and(|(.., text)| text == FAR) => {}
            _ => outcome.must_succeed(),
        }
    }
    said
}

/// The question, the entry that was named, and the answer.
type Said = (usize, i64, String);

fn compare(
    name: &str,
    simulated: bool,
    runtime: Option<Form>,
    child: &(impl Fn() -> Child + Sync),
) -> String {
    let questions = questions(simulated, runtime);
    let count = questions.len();
    let workers = WORKERS.min(thread::available_parallelism().map_or(1, usize::from));
    let share = |first: usize| {
        let worker =
            |next: usize| child().env(SHARE, format!("{next} {workers} {}", u8::from(simulated)));
        answer(worker, first, workers, count)
    };
    let said: Vec<Said> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let all = threads.into_iter();
        all.flat_map(|thread| thread.join().expect("a worker's words"))
            .collect()
    });
    assert_eq!(said.len(), count, "every question is answered once");
    let wrong: Vec<String> = said
        .iter()
        .filter_map(|(index, failed, text)| {
            let (row, form) = &questions[*index];
            let named = form.names_an_entry() && row.answer != SIGSEGV;
            let same =
                *text == row.answer && (!named || row.failed.is_none_or(|one| one == *failed));
            (!same).then(|| format!("{form:?} {row:?}: {text}, entry {failed}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    format!("{name}: {count} answers agree")
}

#[test]
fn every_batch_of_boxes_is_answered_as_measured() {
    if let Ok(given) = env::var(SHARE) {
        Child::new(here!(), "worker").run(|| work(&given));
        return;
    }
    let fresh = || Child::new(here!(), "worker");
    if wanted() == Wanted::Require {
        let runtime = Runtime::get().expect("there is a runtime");
        let agreed = compare("the machine's device", false, Form::of(runtime), &fresh);
        println!("{agreed}");
        return;
    }
    for (major, form) in [(12, Form::RuntimeTwelve), (13, Form::Runtime)] {
        let child = || simulated(Child::new(here!(), "worker"), Some(major));
        let agreed = compare(&format!("simulated, {major}"), true, Some(form), &child);
        println!("{agreed}");
    }
}

/// The byte that stands there.
fn byte(driver: &Driver, at: u64) -> u8 {
    let mut byte = 0_u8;
    let place = (&raw mut byte).cast();
    assert_eq!(c!(driver.cuMemcpyDtoH_v2(place, at, 1)), 0);
    byte
}

#[test]
fn what_comes_before_a_bad_entry_is_done_unless_all_of_them_are_looked_at_first() {
    on_cuda(here!(), || {
        let driver = Driver::get().expect("there is a driver");
        assert_eq!(c!(driver.cuInit(0)), 0);
        let runtime = Runtime::get().expect("there is a runtime");
        let world = World::new(driver, runtime);
        let (from, to) = (world.place("d4m") as u64, world.place("d600") as u64);
        for (bad, answer, first) in [
            ("null e4m 64 1 1 1 0", "1", 7),
            ("d40 e4m 41 1 1 1 0", "1", 7),
            ("man:0:0:5 e4m 16 1 1 1 0", "401", 7),
            ("d4m e4m 64 1 1 0 0", "1", 1),
            ("d4m e4m 0 1 1 1 0", "1", 1),
            ("@ab @a2 4 1 1 1 0", "1", 1),
        ] {
            assert_eq!(c!(driver.cuMemsetD8_v2(from, 7, 16_384)), 0);
            assert_eq!(c!(driver.cuMemsetD8_v2(to, 1, 600)), 0);
            let (before, after) = ("d4m d600 16 1 1 1 0", "d4m d600+64 16 1 1 1 0");
            let call = format!("b - c 0 = l f {before} ; {bad} ; {after}");
            assert_eq!(world.ask(&call, Form::DriverTwo).text(), answer, "{bad}");
            assert_eq!(
                [byte(driver, to), byte(driver, to + 64)],
                [first, 1],
                "{bad}"
            );
        }
    });
}
