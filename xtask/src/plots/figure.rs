//! The pictures: which points are on which line, and how they are drawn.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::data::{Point, Run, number};
use super::units::{bytes, rate, short, time};

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
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// The bench file that the points come from.
    pub(super) bench: &'static str,
    pub(super) title: &'static str,
    x: Axis,
    y: Axis,
    place: Place,
    /// Whether the best of the runtime's own large copies is drawn as a line.
    pub(super) best: bool,
}

pub(super) type Lines = BTreeMap<String, Vec<(f64, f64)>>;

pub(super) const FIGURES: &[Figure] = &[
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

pub(super) fn lines(figure: &Figure, points: &[Point]) -> Lines {
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
pub(super) fn best(points: &[Point]) -> Option<f64> {
    let of_runtime = points.iter().filter(|point| {
        point.function == "runtime"
            && point.group.starts_with("bandwidth-sync-")
            && !point.group.ends_with("device-to-device")
            && number(&point.value).is_some_and(|bytes| bytes >= LARGE)
    });
    let all = of_runtime.filter_map(|point| Some(number(&point.value)? / point.nanoseconds * 1e9));
    all.max_by(f64::total_cmp)
}

pub(super) fn draw(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layer_is_a_line_in_the_order_of_sizes() {
        let points = [
            Point::of("latency-sync-pinned-to-device", "driver", "4096", 6200.0),
            Point::of("latency-sync-pinned-to-device", "driver", "4", 6000.0),
            Point::of("latency-sync-pinned-to-device", "runtime", "4", 6100.0),
            Point::of("latency-sync-pageable-to-device", "driver", "4", 6600.0),
        ];
        let lines = lines(&FIGURES[0], &points);
        assert_eq!(lines["driver"], [(4.0, 6000.0), (4096.0, 6200.0)]);
        assert_eq!(lines["runtime"], [(4.0, 6100.0)]);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_figure_says_which_machine_and_which_command() {
        let points = [
            Point::of("latency-sync-pinned-to-device", "driver", "4", 6000.0),
            Point::of("latency-sync-pinned-to-device", "driver", "4096", 6200.0),
        ];
        let figure = &FIGURES[0];
        let mut text = String::new();
        draw(
            figure,
            &lines(figure, &points),
            Some(1e9),
            &Run::of("copy_latency"),
            &mut text,
        )
        .unwrap();
        assert!(text.contains("a processor"), "{text}");
        assert!(text.contains("Linux 6.1,"), "{text}");
        assert!(text.contains("--bench copy_latency"), "{text}");
    }

    #[test]
    fn the_best_copy_is_a_large_one_of_the_runtime_between_host_and_device() {
        let points = [
            Point::of(
                "bandwidth-sync-pinned-to-device",
                "runtime",
                "100000000",
                2e6,
            ),
            Point::of("bandwidth-sync-pinned-to-device", "runtime", "1000", 10.0),
            Point::of(
                "bandwidth-sync-pinned-to-device",
                "driver",
                "100000000",
                1e6,
            ),
            Point::of(
                "bandwidth-sync-device-to-device",
                "runtime",
                "100000000",
                1e5,
            ),
        ];
        assert_eq!(best(&points), Some(50e9));
    }
}
