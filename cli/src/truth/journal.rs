//! What was done already, so that an interrupted run goes on.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// What a journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) seed: u64,
    pub(super) cases: u64,
    pub(super) only: Vec<String>,
    pub(super) machine: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    part: u64,
    tally: Tally,
}

/// A file of finished parts.
#[derive(Debug)]
pub(super) struct Journal {
    file: Option<File>,
}

impl Journal {
    pub(super) fn none() -> Self {
        Self { file: None }
    }

    /// Opens a journal: what is in it of this very run is done. One of another run is begun anew.
    pub(super) fn open(path: &Path, header: &Header) -> io::Result<(Self, BTreeSet<u64>, Tally)> {
        let (mut parts, mut tally) = (BTreeSet::new(), Tally::default());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.split_inclusive('\n');
        let same = lines
            .next()
            .and_then(|line| serde_json::from_str::<Header>(line).ok())
            .is_some_and(|found| found == *header);
        let mut options = OpenOptions::new();
        options.create(true);
        if !same {
            let mut file = options.write(true).truncate(true).open(path)?;
            writeln!(file, "{}", serde_json::to_string(header)?)?;
            return Ok((Self { file: Some(file) }, parts, tally));
        }
        for line in lines.filter(|line| line.ends_with('\n')) {
            if let Ok(done) = serde_json::from_str::<Done>(line)
                && parts.insert(done.part)
            {
                tally.merge(done.tally);
            }
        }
        let mut file = options.append(true).open(path)?;
        if !text.ends_with('\n') {
            // The last line was cut off when the run was.
            writeln!(file)?;
        }
        Ok((Self { file: Some(file) }, parts, tally))
    }

    pub(super) fn done(&mut self, part: u64, tally: &Tally) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let tally = tally.clone();
        writeln!(file, "{}", serde_json::to_string(&Done { part, tally })?)
    }
}
