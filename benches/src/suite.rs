use std::env;
use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use serde::Serialize;

use crate::{Bound, Compared, Machine, date};

/// How many samples criterion takes of a point: enough for a median, few enough for two minutes.
const SAMPLES: usize = 10;

/// One bench file: its time, its output, its bounds.
///
/// The time that is left is shared among the points that are left, so that a file takes as long as
/// it says whatever the machine.
#[expect(
    missing_debug_implementations,
    reason = "criterion's own types have none"
)]
pub struct Suite {
    name: &'static str,
    criterion: Criterion,
    begin: Instant,
    limit: Duration,
    points: usize,
    bounds: Vec<Bound>,
    compared: Vec<Compared>,
    /// Whether this is a run for numbers, and not for trying whether the bench works.
    measures: bool,
    filtered: bool,
}

/// What `cuwhy/<bench>.json` holds.
#[derive(Debug, Serialize)]
struct Record<'a> {
    bench: &'a str,
    date: String,
    command: String,
    seconds: f64,
    machine: Machine,
    bounds: &'a [Bound],
    compared: &'a [Compared],
}

/// A group of criterion whose points take their share of the suite's time.
#[expect(
    missing_debug_implementations,
    reason = "criterion's own types have none"
)]
pub struct Group<'a> {
    group_name: String,
    group: BenchmarkGroup<'a, WallTime>,
    begin: Instant,
    limit: Duration,
    points: &'a mut usize,
}

impl Suite {
    /// Begins the bench file `name`, which takes about `limit` for `points` points.
    ///
    /// `CUWHY_BENCH_SECONDS` takes the place of the limit.
    #[must_use]
    pub fn begin(name: &'static str, limit: Duration, points: usize) -> Self {
        let told = env::var("CUWHY_BENCH_SECONDS").ok();
        let told = told.and_then(|seconds| seconds.parse().ok());
        let criterion = Criterion::default()
            .output_directory(&folder())
            .sample_size(SAMPLES)
            .nresamples(2_000)
            .configure_from_args();
        Self {
            name,
            criterion,
            begin: Instant::now(),
            limit: told.map_or(limit, Duration::from_secs),
            points,
            bounds: Vec::new(),
            compared: Vec::new(),
            measures: env::args().any(|argument| argument == "--bench")
                && !env::args().any(|argument| argument == "--test" || argument == "--list"),
            filtered: env::args()
                .skip(1)
                .any(|argument| !argument.starts_with('-')),
        }
    }

    /// Says on standard error that this bench, or a part of it, is left out, and why.
    pub fn skip(&self, what: &str, why: impl Display) {
        say(&format!("{}: {what} skipped: {}", self.name, first(&why)));
    }

    /// Leaves out this many points.
    pub fn pass(&mut self, points: usize) {
        self.points = self.points.saturating_sub(points);
    }

    /// Whether bounds are to be measured: in a whole run for numbers.
    #[must_use]
    pub fn takes_bounds(&self) -> bool {
        self.measures && !self.filtered
    }

    /// Keeps a bound and says whether it is held.
    pub fn bound(&mut self, bound: Bound) {
        let Bound {
            what,
            detail,
            unit,
            limit,
            measured,
            low,
            high,
        } = &bound;
        let held = if bound.held() { "held" } else { "MISSED" };
        say(&format!(
            "bound {held}: {what} ({detail}): {measured:.3} {unit} [{low:.3}, {high:.3}], \
             at most {limit} {unit}"
        ));
        self.bounds.push(bound);
    }

    /// Keeps how two ways compare.
    pub fn compare(&mut self, compared: Compared) {
        let Compared {
            what,
            bytes,
            ratio,
            low,
            high,
            ..
        } = &compared;
        say(&format!(
            "{what}, {bytes} bytes: {ratio:.3} x [{low:.3}, {high:.3}]"
        ));
        self.compared.push(compared);
    }

    /// Begins a group of points.
    pub fn group(&mut self, name: &str) -> Group<'_> {
        Group {
            group_name: name.to_owned(),
            group: self.criterion.benchmark_group(name),
            begin: self.begin,
            limit: self.limit,
            points: &mut self.points,
        }
    }

    /// Writes the record, and the summary of criterion.
    pub fn finish(self) {
        self.criterion.final_summary();
        if !self.measures {
            return;
        }
        let seconds = self.begin.elapsed().as_secs_f64();
        say(&format!("{}: took {seconds:.1} s", self.name));
        if self.points > 0 && !self.filtered {
            say(&format!(
                "{}: {} points were not measured",
                self.name, self.points
            ));
        }
        let record = Record {
            bench: self.name,
            date: date::now(),
            command: command(self.name),
            seconds,
            machine: Machine::ask(),
            bounds: &self.bounds,
            compared: &self.compared,
        };
        let folder = folder().join("cuwhy");
        let path = folder.join(format!("{}.json", self.name));
        let written = serde_json::to_vec_pretty(&record)
            .map_err(io::Error::from)
            .and_then(|text| fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text)));
        if let Err(error) = written {
            say(&format!("{}: {error}", path.display()));
        }
    }
}

impl Group<'_> {
    /// Measures one point.
    pub fn point(
        &mut self,
        function: &str,
        parameter: impl Display,
        body: impl FnMut(&mut Bencher<'_, WallTime>),
    ) {
        let left = self.limit.saturating_sub(self.begin.elapsed());
        if left.is_zero() {
            // It stays among the points that were not measured.
            return say(&format!(
                "{}: {function}, {parameter}: no time left",
                self.group_name
            ));
        }
        let points = u32::try_from(*self.points).unwrap_or(u32::MAX).max(1);
        *self.points = self.points.saturating_sub(1);
        // Criterion's analysis and its plots take about a quarter of a second a point.
        let share = (left / points).saturating_sub(Duration::from_millis(250));
        let share = share.clamp(Duration::from_millis(30), Duration::from_secs(3));
        self.group.warm_up_time(share / 5);
        self.group.measurement_time(share * 3 / 5);
        self.group
            .bench_function(BenchmarkId::new(function, parameter), body);
    }

    /// Leaves points out and says why.
    pub fn skip(&mut self, what: &str, why: impl Display, points: usize) {
        *self.points = self.points.saturating_sub(points);
        say(&format!(
            "{}: {what} skipped: {}",
            self.group_name,
            first(&why)
        ));
    }

    /// Says how many bytes the next points move.
    pub fn bytes(&mut self, bytes: u64) {
        self.group.throughput(Throughput::Bytes(bytes));
        // Every sample runs the same number of times: a long copy is not run more often than needed.
        self.group.sampling_mode(SamplingMode::Flat);
    }

    /// Ends the group.
    pub fn end(self) {
        self.group.finish();
    }
}

/// Where results go: `CRITERION_HOME`, or `criterion` in the target folder.
fn folder() -> PathBuf {
    if let Some(home) = env::var_os("CRITERION_HOME") {
        return home.into();
    }
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        return PathBuf::from(target).join("criterion");
    }
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => PathBuf::from(package).join("../target/criterion"),
        None => PathBuf::from("criterion"),
    }
}

/// How this run is made again.
fn command(name: &str) -> String {
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let mut command = format!("cargo bench --package cuwhy-benches --bench {name}");
    if !arguments.is_empty() {
        command.push_str(" -- ");
        command.push_str(&arguments.join(" "));
    }
    command
}

/// The first line of a reason: that a library was not found, without the list of what was tried.
fn first(why: &impl Display) -> String {
    let text = why.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches("; tried").to_owned()
}

/// Writes a line to standard error; there is nowhere to complain when that fails.
fn say(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
