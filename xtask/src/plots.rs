//! Turns what criterion wrote on a GPU machine into the figures and tables of `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Deserialize;

use crate::packages::root;

/// The part of the document that this chore writes stands between these lines.
const BEGIN: &str = "<!-- written by `cargo xtask plots`: begin -->";
const END: &str = "<!-- written by `cargo xtask plots`: end -->";

/// From how many bytes on a copy is large.
const LARGE: f64 = 16_777_216.0;

const SIZE: (u32, u32) = (980, 520);
const PALETTE: [RGBColor; 8] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0x17, 0xbe, 0xcf),
    RGBColor(0x7f, 0x7f, 0x7f),
];

/// One point as criterion keeps it.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    group: String,
    function: String,
    value: String,
    /// The median of one iteration, and its confidence interval.
    nanoseconds: f64,
    low: f64,
    high: f64,
}

#[derive(Debug, Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Debug, Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// What a bench file wrote about its run.
#[derive(Debug, Deserialize)]
struct Run {
    bench: String,
    date: String,
    command: String,
    seconds: f64,
    machine: Machine,
    bounds: Vec<Bound>,
}

#[derive(Debug, Deserialize)]
struct Machine {
    cpu: String,
    threads: usize,
    kernel: String,
    gpu: Option<String>,
    driver: Option<String>,
    cuda: Option<String>,
    cudart: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Bound {
    what: String,
    detail: String,
    unit: String,
    limit: f64,
    measured: f64,
    low: f64,
    high: f64,
}

/// What stands on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Axis {
    Bytes,
    Allocations,
    Threads,
    Nanoseconds,
    BytesPerSecond,
}

/// Which line a point belongs to, and where on it: `None` when it is not in the figure.
type Place = fn(&Point) -> Option<(String, f64)>;

/// One picture.
struct Figure {
    name: &'static str,
    /// The bench file that the points come from.
    bench: &'static str,
    title: &'static str,
    x: Axis,
    y: Axis,
    place: Place,
    /// Whether the best of the runtime's own large copies is drawn as a line.
    best: bool,
}

type Lines = BTreeMap<String, Vec<(f64, f64)>>;

const FIGURES: &[Figure] = &[
    Figure {
        name: "latency-sync",
        bench: "copy_latency",
        title: "Synchronous copy, pinned memory to device",
        x: Axis::Bytes,
        y: Axis::Nanoseconds,
        place: |point| of_group(point, "latency-sync-pinned-to-device"),
        best: false,
    },
    Figure {
        name: "latency-enqueue",
        bench: "copy_latency",
        title: "Putting a copy into a stream, pinned memory to device",
        x: Axis::Bytes,
        y: Axis::Nanoseconds,
        place: |point| of_group(point, "latency-enqueue-pinned-to-device"),
        best: false,
    },
    Figure {
        name: "latency-memory",
        bench: "copy_latency",
        title: "Synchronous copy through the driver, by kinds of memory",
        x: Axis::Bytes,
        y: Axis::Nanoseconds,
        place: |point| by_path(point, "latency-sync-", "driver"),
        best: false,
    },
    Figure {
        name: "bandwidth-memory",
        bench: "copy_bandwidth",
        title: "cudaMemcpy by kinds of memory",
        x: Axis::Bytes,
        y: Axis::BytesPerSecond,
        place: |point| by_path(point, "bandwidth-sync-", "runtime"),
        best: false,
    },
    Figure {
        name: "bandwidth-layers",
        bench: "copy_bandwidth",
        title: "Copy of pinned memory to the device",
        x: Axis::Bytes,
        y: Axis::BytesPerSecond,
        place: |point| of_group(point, "bandwidth-sync-pinned-to-device"),
        best: true,
    },
    Figure {
        name: "query-allocations",
        bench: "pointer_query",
        title: "Asking whose an address is, one thread",
        x: Axis::Allocations,
        y: Axis::Nanoseconds,
        place: |point| of_group(point, "query-threads-1"),
        best: false,
    },
    Figure {
        name: "query-threads",
        bench: "pointer_query",
        title: "Asking whose an address is, several threads at once",
        x: Axis::Threads,
        y: Axis::Nanoseconds,
        place: |point| {
            let threads = point.group.strip_prefix("query-threads-")?.parse().ok()?;
            let live = match point.value.as_str() {
                "1" => "1 live",
                "200000" => "200,000 live",
                _ => return None,
            };
            let asked =
                ["cuPointerGetAttributes, 3", "registry"].contains(&point.function.as_str());
            asked.then(|| (format!("{}: {live}", point.function), threads))
        },
        best: false,
    },
];

/// Reads criterion's data below `folder` and writes the figures and the document.
///
/// # Errors
///
/// When the data is of a simulated GPU and `docs` is not another folder than the workspace's own:
/// such times are the simulator's.
pub(crate) fn run(folder: &Path, docs: Option<PathBuf>) -> Result<()> {
    let points = points(folder)?;
    let runs = runs(folder)?;
    ensure!(
        !runs.is_empty(),
        "{} has no cuwhy/*.json: is it criterion's folder?",
        folder.display()
    );
    let simulated = runs.values().find(|run| run.machine.is_simulated());
    let docs = match (docs, simulated) {
        (Some(docs), _) => docs,
        (None, None) => root()?.join("docs"),
        (None, Some(run)) => bail!(
            "{} ran on a simulated GPU, and its times are the simulator's: name a folder with --docs",
            run.bench
        ),
    };
    let figures = docs.join("figures");
    fs::create_dir_all(&figures).with_context(|| format!("creating {}", figures.display()))?;
    let mut drawn = Vec::new();
    for figure in FIGURES {
        let Some(run) = runs.get(figure.bench) else {
            continue;
        };
        let lines = lines(figure, &points);
        if lines.values().all(|line| line.len() < 2) {
            continue;
        }
        let best = figure.best.then(|| best(&points)).flatten();
        let mut text = String::new();
        draw(figure, &lines, best, run, &mut text)
            .with_context(|| format!("drawing {}", figure.name))?;
        let path = figures.join(format!("{}.svg", figure.name));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        drawn.push(figure);
    }
    let document = docs.join("performance.md");
    let old =
        fs::read_to_string(&document).with_context(|| format!("reading {}", document.display()))?;
    let new = replaced(&old, &written(&runs, &drawn, &points))?;
    fs::write(&document, new).with_context(|| format!("writing {}", document.display()))?;
    writeln!(
        io::stdout(),
        "{} points, {} figures, {}",
        points.len(),
        drawn.len(),
        document.display()
    )
    .context("writing to standard output")
}

/// Every point below a folder.
fn points(folder: &Path) -> Result<Vec<Point>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        // The newest measurement of a point is in `new`; the others are older.
        if folder.ends_with("new") && folder.join("benchmark.json").is_file() {
            found.push(point(&folder)?);
        }
    }
    found.sort_by(|one, two| {
        (&one.group, &one.function, number(&one.value))
            .partial_cmp(&(&two.group, &two.function, number(&two.value)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok(found)
}

fn point(folder: &Path) -> Result<Point> {
    let benchmark: Benchmark = json(&folder.join("benchmark.json"))?;
    let Estimates { median } = json(&folder.join("estimates.json"))?;
    Ok(Point {
        group: benchmark.group_id,
        function: benchmark.function_id.unwrap_or_default(),
        value: benchmark.value_str.unwrap_or_default(),
        nanoseconds: median.point_estimate,
        low: median.confidence_interval.lower_bound,
        high: median.confidence_interval.upper_bound,
    })
}

/// Every run by the name of its bench file.
fn runs(folder: &Path) -> Result<BTreeMap<String, Run>> {
    let mut runs = BTreeMap::new();
    let folder = folder.join("cuwhy");
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let run: Run = json(&entry?.path())?;
        runs.insert(run.bench.clone(), run);
    }
    Ok(runs)
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// A point of this group: one line for each function.
fn of_group(point: &Point, group: &str) -> Option<(String, f64)> {
    let here = point.group == group;
    here.then(|| number(&point.value))
        .flatten()
        .map(|x| (point.function.clone(), x))
}

/// A point of one layer: one line for each path, which the group's name ends with.
fn by_path(point: &Point, prefix: &str, layer: &str) -> Option<(String, f64)> {
    let path = point.group.strip_prefix(prefix)?.replace("-to-", " to ");
    let here = point.function == layer;
    here.then(|| number(&point.value))
        .flatten()
        .map(|x| (path, x))
}

fn lines(figure: &Figure, points: &[Point]) -> Lines {
    let mut lines = Lines::new();
    for point in points {
        let Some((line, x)) = (figure.place)(point) else {
            continue;
        };
        let y = match figure.y {
            Axis::BytesPerSecond => x / point.nanoseconds * 1e9,
            _ => point.nanoseconds,
        };
        lines.entry(line).or_default().push((x, y));
    }
    for line in lines.values_mut() {
        line.sort_by(|one, two| one.0.total_cmp(&two.0));
    }
    lines
}

/// What a large `cudaMemcpy` between host and device reaches at best, in bytes a second.
fn best(points: &[Point]) -> Option<f64> {
    let of_runtime = points.iter().filter(|point| {
        point.function == "runtime"
            && point.group.starts_with("bandwidth-sync-")
            && !point.group.ends_with("device-to-device")
            && number(&point.value).is_some_and(|bytes| bytes >= LARGE)
    });
    let all = of_runtime.filter_map(|point| Some(number(&point.value)? / point.nanoseconds * 1e9));
    all.max_by(f64::total_cmp)
}

fn draw(
    figure: &Figure,
    lines: &Lines,
    best: Option<f64>,
    run: &Run,
    text: &mut String,
) -> Result<()> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    chart(figure, lines, best, run, &area).map_err(|error| anyhow!("{error}"))?;
    area.present().map_err(|error| anyhow!("{error}"))
}

fn chart(
    figure: &Figure,
    lines: &Lines,
    best: Option<f64>,
    run: &Run,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.values().flatten().copied();
    let (left, right) = bounds(all().map(|point| point.0));
    let (low, high) = bounds(all().map(|point| point.1).chain(best));
    area.fill(&WHITE)?;
    let (picture, foot) = area.split_vertically(SIZE.1 - 44);
    let (picture, legend) = picture.split_horizontally(SIZE.0 - 250);
    let mut chart = ChartBuilder::on(&picture)
        .caption(figure.title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(42)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (left..right).log_scale().base(figure.x.base()),
            (low * 0.7..high * 1.4).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(figure.x.title())
        .y_desc(figure.y.title())
        .x_label_formatter(&|value| figure.x.label(*value))
        .y_label_formatter(&|value| figure.y.label(*value))
        .draw()?;
    let words = ("sans-serif", 13).into_font().color(&BLACK.mix(0.85));
    let mut row = 60;
    let mut entry = |name: &str, style: ShapeStyle| {
        legend.draw(&PathElement::new(vec![(8, row), (30, row)], style))?;
        legend.draw_text(name, &words, (38, row - 8))?;
        row += 22;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    for ((name, line), color) in lines.iter().zip(PALETTE.iter().cycle()) {
        chart.draw_series(LineSeries::new(line.iter().copied(), color.stroke_width(2)))?;
        let marks = line
            .iter()
            .map(|&point| Circle::new(point, 3, color.filled()));
        chart.draw_series(marks)?;
        entry(name, color.stroke_width(2))?;
    }
    if let Some(best) = best {
        let style = BLACK.mix(0.5).stroke_width(1);
        chart.draw_series(LineSeries::new([(left, best), (right, best)], style))?;
        entry("best of a large cudaMemcpy", style)?;
    }
    let small = ("sans-serif", 12).into_font().color(&BLACK.mix(0.7));
    foot.draw_text(
        &format!("{}, {}", run.machine.short(), run.date),
        &small,
        (12, 4),
    )?;
    foot.draw_text(&run.command, &small, (12, 22))?;
    Ok(())
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, 0.0), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

impl Axis {
    fn title(self) -> &'static str {
        match self {
            Self::Bytes => "bytes of one copy",
            Self::Allocations => "live allocations",
            Self::Threads => "threads",
            Self::Nanoseconds => "time of one call",
            Self::BytesPerSecond => "bytes a second",
        }
    }

    /// What the lines of the grid are powers of.
    fn base(self) -> f64 {
        match self {
            Self::Bytes => 16.0,
            Self::Threads => 2.0,
            Self::Allocations | Self::Nanoseconds | Self::BytesPerSecond => 10.0,
        }
    }

    fn label(self, value: f64) -> String {
        match self {
            Self::Bytes => bytes(value),
            Self::Allocations | Self::Threads => short(value),
            Self::Nanoseconds => time(value),
            Self::BytesPerSecond => rate(value),
        }
    }
}

fn bytes(value: f64) -> String {
    let scaled = [
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    match scaled.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(value / unit)),
        None => format!("{} B", short(value)),
    }
}

fn time(nanoseconds: f64) -> String {
    let scaled = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    match scaled.into_iter().find(|(unit, _)| nanoseconds >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(nanoseconds / unit)),
        None => format!("{} ns", short(nanoseconds)),
    }
}

fn rate(value: f64) -> String {
    let scaled = [(1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")];
    match scaled.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(value / unit)),
        None => format!("{} B/s", short(value)),
    }
}

/// Three digits.
fn short(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if digits == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Machine {
    fn is_simulated(&self) -> bool {
        self.gpu
            .as_ref()
            .is_some_and(|gpu| gpu.contains("simulated"))
    }

    /// The machine in a line.
    fn short(&self) -> String {
        let mut text = self.gpu.clone().unwrap_or_else(|| "no GPU".to_owned());
        if let Some(driver) = &self.driver {
            let _ = write!(text, ", driver {driver}");
        }
        if let Some(cuda) = &self.cuda {
            let _ = write!(text, " (CUDA {cuda})");
        }
        if let Some(cudart) = &self.cudart {
            let _ = write!(text, ", libcudart {cudart}");
        }
        let _ = write!(
            text,
            ", {} ({} threads), Linux {}",
            self.cpu, self.threads, self.kernel
        );
        text
    }
}

/// The part of the document that this chore writes.
fn written(runs: &BTreeMap<String, Run>, drawn: &[&Figure], points: &[Point]) -> String {
    let mut text = String::from("\n## Bounds\n\n");
    text.push_str("| what | bound | measured (quartiles) | held | conditions |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for run in runs.values() {
        for Bound {
            what,
            detail,
            unit,
            limit,
            measured,
            low,
            high,
        } in &run.bounds
        {
            let held = if measured <= limit { "yes" } else { "**no**" };
            let _ = writeln!(
                text,
                "| {what} | {limit} {unit} | {measured:.3} {unit} ({low:.3} to {high:.3}) | {held} \
                 | {detail} |"
            );
        }
    }
    text.push_str(
        "\n## Runs\n\n| command | seconds | date | machine |\n| --- | --- | --- | --- |\n",
    );
    for run in runs.values() {
        let Run {
            command,
            seconds,
            date,
            machine,
            ..
        } = run;
        let _ = writeln!(
            text,
            "| `{command}` | {seconds:.0} | {date} | {} |",
            machine.short()
        );
    }
    if !drawn.is_empty() {
        text.push_str("\n## Figures\n");
    }
    for figure in drawn {
        let _ = write!(text, "\n![{}](figures/{}.svg)\n", figure.title, figure.name);
    }
    text.push_str(
        "\n## Points\n\nThe median of one call, with criterion's 95 % confidence interval.\n",
    );
    for run in runs.values() {
        let of_run: Vec<&Point> = points
            .iter()
            .filter(|point| of_bench(point, &run.bench))
            .collect();
        if of_run.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\n<details><summary>{}, {} points</summary>\n\n\
             | group | function | at | median | interval |\n| --- | --- | --- | --- | --- |\n",
            run.bench,
            of_run.len()
        );
        for point in of_run {
            let Point {
                group,
                function,
                value,
                nanoseconds,
                low,
                high,
            } = point;
            let _ = writeln!(
                text,
                "| {group} | {function} | {value} | {} | {} to {} |",
                time(*nanoseconds),
                time(*low),
                time(*high)
            );
        }
        text.push_str("\n</details>\n");
    }
    text.push('\n');
    text
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

/// `old` with what stands between the two marks replaced.
fn replaced(old: &str, new: &str) -> Result<String> {
    let (before, rest) = old
        .split_once(BEGIN)
        .context("the document has lost its first mark")?;
    let (_, after) = rest
        .split_once(END)
        .context("the document has lost its second mark")?;
    Ok(format!("{before}{BEGIN}\n{new}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: &str, function: &str, value: &str, nanoseconds: f64) -> Point {
        Point {
            group: group.to_owned(),
            function: function.to_owned(),
            value: value.to_owned(),
            nanoseconds,
            low: nanoseconds,
            high: nanoseconds,
        }
    }

    fn a_run() -> Run {
        Run {
            bench: "copy_latency".to_owned(),
            date: "2026-11-22 13:05 UTC".to_owned(),
            command: "cargo bench --package cuwhy-benches --bench copy_latency".to_owned(),
            seconds: 99.5,
            machine: Machine {
                cpu: "a processor".to_owned(),
                threads: 2,
                kernel: "6.1".to_owned(),
                gpu: None,
                driver: None,
                cuda: None,
                cudart: None,
            },
            bounds: Vec::new(),
        }
    }

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(time(35.9), "35.9 ns");
        assert_eq!(time(15_686.0), "15.7 µs");
        assert_eq!(bytes(4096.0), "4 KiB");
        assert_eq!(bytes(1_073_741_824.0), "1 GiB");
        assert_eq!(rate(55.3e9), "55.3 GB/s");
        assert_eq!(rate(1e9), "1 GB/s");
        assert_eq!(rate(100e9), "100 GB/s");
    }

    #[test]
    fn the_document_keeps_what_stands_around_the_marks() {
        let old = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(
            replaced(&old, "new\n").unwrap(),
            format!("before\n{BEGIN}\nnew\n{END}\nafter\n")
        );
        assert!(replaced("no marks", "new").is_err());
    }

    #[test]
    fn each_layer_is_a_line_in_the_order_of_sizes() {
        let points = [
            of("latency-sync-pinned-to-device", "driver", "4096", 6200.0),
            of("latency-sync-pinned-to-device", "driver", "4", 6000.0),
            of("latency-sync-pinned-to-device", "runtime", "4", 6100.0),
            of("latency-sync-pageable-to-device", "driver", "4", 6600.0),
        ];
        let lines = lines(&FIGURES[0], &points);
        assert_eq!(lines["driver"], [(4.0, 6000.0), (4096.0, 6200.0)]);
        assert_eq!(lines["runtime"], [(4.0, 6100.0)]);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_figure_says_which_machine_and_which_command() {
        let points = [
            of("latency-sync-pinned-to-device", "driver", "4", 6000.0),
            of("latency-sync-pinned-to-device", "driver", "4096", 6200.0),
        ];
        let figure = &FIGURES[0];
        let mut text = String::new();
        draw(
            figure,
            &lines(figure, &points),
            Some(1e9),
            &a_run(),
            &mut text,
        )
        .unwrap();
        assert!(text.contains("a processor"), "{text}");
        assert!(text.contains("--bench copy_latency"), "{text}");
    }

    #[test]
    fn the_best_copy_is_a_large_one_of_the_runtime_between_host_and_device() {
        let points = [
            of(
                "bandwidth-sync-pinned-to-device",
                "runtime",
                "100000000",
                2e6,
            ),
            of("bandwidth-sync-pinned-to-device", "runtime", "1000", 10.0),
            of(
                "bandwidth-sync-pinned-to-device",
                "driver",
                "100000000",
                1e6,
            ),
            of(
                "bandwidth-sync-device-to-device",
                "runtime",
                "100000000",
                1e5,
            ),
        ];
        assert_eq!(best(&points), Some(50e9));
    }
}
