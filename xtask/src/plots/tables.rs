//! The tables of the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::data::{Bound, Compared, Point, Run, number};
use super::figure::Figure;
use super::units::{bytes, time};

/// Numbers of threads at which the registry stands beside the driver.
const THREADS: [u32; 3] = [1, 4, 16];

/// The part of `performance.md` that this chore writes.
pub(super) fn written(runs: &BTreeMap<String, Run>, drawn: &[&Figure], points: &[Point]) -> String {
    let mut text = String::new();
    bounds(runs, &mut text);
    compared(runs, &mut text);
    registry(points, &mut text);
    if !drawn.is_empty() {
        text.push_str("\n## Figures\n");
    }
    for figure in drawn {
        let _ = write!(text, "\n![{}](figures/{}.svg)\n", figure.title, figure.name);
    }
    text.push_str(
        "\n## Runs\n\n| command | seconds | date | machine |\n| --- | --- | --- | --- |\n",
    );
    for run in runs.values() {
        let _ = writeln!(
            text,
            "| `{}` | {:.0} | {} | {} |",
            run.command,
            run.seconds,
            run.date,
            run.machine.short()
        );
    }
    text.push_str(
        "\nEvery point of every run is in [performance-points.md](performance-points.md).\n\n",
    );
    text
}

/// What the design promises, beside what was measured.
fn bounds(runs: &BTreeMap<String, Run>, text: &mut String) {
    text.push_str(
        "\n## Bounds\n\n| what | bound | measured (quartiles) | held | conditions |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for bound in runs.values().flat_map(|run| &run.bounds) {
        let Bound {
            what,
            detail,
            unit,
            limit,
            measured,
            low,
            high,
        } = bound;
        let held = if measured <= limit { "yes" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {what} | {limit} {unit} | {measured:.3} {unit} ({low:.3} to {high:.3}) | {held} \
             | {detail} |"
        );
    }
}

/// What checking adds at each size.
fn compared(runs: &BTreeMap<String, Run>, text: &mut String) {
    let all: Vec<&Compared> = runs.values().flat_map(|run| &run.compared).collect();
    let mut names: Vec<&str> = Vec::new();
    for one in &all {
        if !names.contains(&one.what.as_str()) {
            names.push(&one.what);
        }
    }
    if names.is_empty() {
        return;
    }
    text.push_str(
        "\n## Checked against bare, from pinned memory to the device\n\n\
         In turns, the registry knows both operands: the median of the ratio and its quartiles.\n\n\
         | what | bytes | bare | checked | ratio |\n| --- | --- | --- | --- | --- |\n",
    );
    for name in names {
        for one in all.iter().filter(|one| one.what == name) {
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {:.3} x ({:.3} to {:.3}) |",
                bytes(one.bytes),
                time(one.base),
                time(one.other),
                one.ratio,
                one.low,
                one.high
            );
        }
    }
}

/// A look-up in the registry beside the driver's query, over live allocations and threads.
fn registry(points: &[Point], text: &mut String) {
    let of = |function: &str, threads: u32, live: &str| {
        let group = format!("query-threads-{threads}");
        let mut points = points.iter();
        points
            .find(|point| point.group == group && point.function == function && point.value == live)
            .map(|point| point.nanoseconds)
    };
    let asked = points
        .iter()
        .filter(|point| point.group == "query-threads-1");
    let live: BTreeSet<u64> = asked.filter_map(|point| point.value.parse().ok()).collect();
    let mut rows = String::new();
    for live in live.into_iter().map(|live| live.to_string()) {
        let _ = write!(rows, "| {live}");
        for threads in THREADS {
            let ours = of("registry", threads, &live);
            let theirs = of("cuPointerGetAttributes, 3", threads, &live);
            let _ = match ours.zip(theirs) {
                Some((ours, theirs)) => write!(
                    rows,
                    " | {} : {} = 1 : {:.0}",
                    time(ours),
                    time(theirs),
                    theirs / ours
                ),
                None => write!(rows, " | -"),
            };
        }
        rows.push_str(" |\n");
    }
    if rows.contains(" : ") {
        text.push_str(
            "\n## The registry beside the driver\n\n\
             One look-up in the registry to one `cuPointerGetAttributes` of three attributes, over \
             all live allocations in random order.\n\n\
             | live allocations | 1 thread | 4 threads | 16 threads |\n| --- | --- | --- | --- |\n",
        );
        text.push_str(&rows);
    }
}

/// The document of all points.
pub(super) fn all_points(runs: &BTreeMap<String, Run>, points: &[Point]) -> String {
    let mut text = String::from(
        "# Every point\n\nWritten by `cargo xtask plots` beside [performance.md](performance.md), which says how they were \
         measured.\nThe median of one call, with criterion's 95 % confidence interval.\n",
    );
    for run in runs.values() {
        let mut of_run: Vec<&Point> = points
            .iter()
            .filter(|point| of_bench(point, &run.bench))
            .collect();
        if of_run.is_empty() {
            continue;
        }
        of_run.sort_by(|one, two| {
            (size(&one.group), &one.function)
                .cmp(&(size(&two.group), &two.function))
                .then(f64::total_cmp(&at(one), &at(two)))
        });
        let _ = write!(
            text,
            "\n## {}\n\n`{}`, {}, {}\n\n\
             | group | function | at | median | interval |\n| --- | --- | --- | --- | --- |\n",
            run.bench,
            run.command,
            run.date,
            run.machine.short()
        );
        for point in of_run {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} to {} |",
                point.group,
                point.function,
                point.value,
                time(point.nanoseconds),
                time(point.low),
                time(point.high)
            );
        }
    }
    text
}

fn at(point: &Point) -> f64 {
    number(&point.value).unwrap_or(0.0)
}

/// A group's name without the number at its end, and the number: `query-threads-16` after `-8`.
fn size(group: &str) -> (&str, u64) {
    let number = group
        .rsplit_once('-')
        .map(|(name, number)| (name, number.parse()));
    match number {
        Some((name, Ok(number))) => (name, number),
        _ => (group, 0),
    }
}

/// Whether a point was measured by a bench file; groups are named after them.
fn of_bench(point: &Point, bench: &str) -> bool {
    let linked = point.function.contains("link-time");
    match bench {
        "call" => point.group == "call" && !linked,
        "call_link" => point.group == "call" && linked,
        "copy_latency" => point.group.starts_with("latency-"),
        "copy_bandwidth" => point.group.starts_with("bandwidth-"),
        "pointer_query" => point.group.starts_with("query-"),
        other => point.group == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(run: Run) -> BTreeMap<String, Run> {
        BTreeMap::from([(run.bench.clone(), run)])
    }

    #[test]
    fn a_bound_that_is_missed_says_so() {
        let mut run = Run::of("pointer_query");
        for measured in [29.0, 31.0] {
            run.bounds.push(Bound {
                what: format!("look-up {measured}"),
                detail: "d".to_owned(),
                unit: "ns".to_owned(),
                limit: 30.0,
                measured,
                low: measured,
                high: measured,
            });
        }
        let text = written(&runs(run), &[], &[]);
        let line = |what: &str| text.lines().find(|line| line.contains(what)).unwrap();
        assert!(line("look-up 29").contains("| yes |"), "{text}");
        assert!(line("look-up 31").contains("| **no** |"), "{text}");
        assert!(!text.contains("## Checked"), "{text}");
        assert!(!text.contains("## The registry"), "{text}");
    }

    #[test]
    fn ratios_and_the_registry_have_tables_of_their_own() {
        let mut run = Run::of("copy_latency");
        run.compared.push(Compared {
            what: "synchronous copy, driver".to_owned(),
            bytes: 4096.0,
            base: 8000.0,
            other: 8080.0,
            ratio: 1.01,
            low: 1.0,
            high: 1.02,
        });
        let points = [
            Point::of("query-threads-1", "registry", "100", 10.0),
            Point::of("query-threads-1", "cuPointerGetAttributes, 3", "100", 50.0),
            Point::of("query-threads-16", "registry", "100", 10.0),
            Point::of(
                "query-threads-16",
                "cuPointerGetAttributes, 3",
                "100",
                3500.0,
            ),
        ];
        let text = written(&runs(run), &[], &points);
        assert!(
            text.contains("| synchronous copy, driver | 4 KiB | 8 µs | 8.08 µs | 1.010 x"),
            "{text}"
        );
        assert!(
            text.contains("| 100 | 10 ns : 50 ns = 1 : 5 | - | 10 ns : 3.5 µs = 1 : 350 |"),
            "{text}"
        );
    }

    #[test]
    fn points_stand_under_their_bench_in_the_order_of_numbers() {
        let points = [
            Point::of("query-threads-16", "registry", "100", 3.0),
            Point::of("query-threads-2", "registry", "100", 2.0),
            Point::of("query-threads-2", "registry", "1", 1.0),
            Point::of("alloc", "cudaMalloc", "1", 9.0),
        ];
        let text = all_points(&runs(Run::of("pointer_query")), &points);
        let found: Vec<_> = ["| 1 | 1 ns", "| 100 | 2 ns", "| 100 | 3 ns"]
            .map(|row| text.find(row).unwrap())
            .to_vec();
        assert!(found.is_sorted(), "{text}");
        assert!(!text.contains("cudaMalloc"), "{text}");
    }
}
