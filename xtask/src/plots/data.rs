//! What criterion and the bench files wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One point as criterion keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) group: String,
    pub(super) function: String,
    pub(super) value: String,
    /// The median of one iteration, and its confidence interval.
    pub(super) nanoseconds: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Benchmark {
    pub(super) group_id: String,
    pub(super) function_id: Option<String>,
    pub(super) value_str: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Estimates {
    pub(super) median: Estimate,
}

#[derive(Debug, Deserialize)]
pub(super) struct Estimate {
    pub(super) confidence_interval: Interval,
    pub(super) point_estimate: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Interval {
    pub(super) lower_bound: f64,
    pub(super) upper_bound: f64,
}

/// What a bench file wrote about its run.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) bench: String,
    pub(super) date: String,
    pub(super) command: String,
    pub(super) seconds: f64,
    pub(super) machine: Machine,
    pub(super) bounds: Vec<Bound>,
    #[serde(default)]
    pub(super) compared: Vec<Compared>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) threads: usize,
    pub(super) kernel: String,
    pub(super) gpu: Option<String>,
    pub(super) driver: Option<String>,
    pub(super) cuda: Option<String>,
    pub(super) cudart: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bound {
    pub(super) what: String,
    pub(super) detail: String,
    pub(super) unit: String,
    pub(super) limit: f64,
    pub(super) measured: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// How two ways compare at one size.
#[derive(Debug, Deserialize)]
pub(super) struct Compared {
    pub(super) what: String,
    pub(super) bytes: f64,
    pub(super) base: f64,
    pub(super) other: f64,
    pub(super) ratio: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Every point below a folder.
pub(super) fn points(folder: &Path) -> Result<Vec<Point>> {
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
pub(super) fn runs(folder: &Path) -> Result<BTreeMap<String, Run>> {
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

pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

impl Machine {
    pub(super) fn is_simulated(&self) -> bool {
        self.gpu
            .as_ref()
            .is_some_and(|gpu| gpu.contains("simulated"))
    }

    /// The machine in a line.
    pub(super) fn short(&self) -> String {
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
        // What follows the two numbers names a build that is nobody else's.
        let kernel: Vec<&str> = self.kernel.split('.').take(2).collect();
        let _ = write!(
            text,
            ", {} ({} threads), Linux {}",
            self.cpu,
            self.threads,
            kernel.join(".")
        );
        text
    }
}

#[cfg(test)]
impl Point {
    pub(super) fn of(group: &str, function: &str, value: &str, nanoseconds: f64) -> Self {
        Self {
            group: group.to_owned(),
            function: function.to_owned(),
            value: value.to_owned(),
            nanoseconds,
            low: nanoseconds,
            high: nanoseconds,
        }
    }
}

#[cfg(test)]
impl Run {
    pub(super) fn of(bench: &str) -> Self {
        Self {
            bench: bench.to_owned(),
            date: "2026-11-22 13:05 UTC".to_owned(),
            command: format!("cargo bench --package cuwhy-benches --bench {bench}"),
            seconds: 99.5,
            machine: Machine {
                cpu: "a processor".to_owned(),
                threads: 2,
                kernel: "6.1.44-build".to_owned(),
                gpu: None,
                driver: None,
                cuda: None,
                cudart: None,
            },
            bounds: Vec::new(),
            compared: Vec::new(),
        }
    }
}
