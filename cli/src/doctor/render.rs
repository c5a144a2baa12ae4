//! A diagnosis for people.

use super::check::{Finding, Word};
use super::examine::Diagnosis;
use crate::quantity::count;
use crate::table::Tone;

/// Writes every check, failures and warnings with what was seen and what to do.
pub fn table(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    let width = diagnosis
        .checks
        .iter()
        .map(|check| check.id.len())
        .max()
        .unwrap_or(0);
    let mut causes: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for check in &diagnosis.checks {
        match &check.because {
            None => text.push_str(&lines(check, width)),
            Some(cause) => match causes.iter_mut().find(|(known, _)| known == cause) {
                Some((_, list)) => list.push(check),
                None => causes.push((cause, vec![check])),
            },
        }
    }
    for (cause, list) in causes {
        let what = if let [only] = list[..] {
            only.id.clone()
        } else {
            count(list.len(), "check")
        };
        text.push_str(&format!(
            "{}  {what:<width$}  because {cause} failed\n",
            Tone::Faint.paint(Word::Skip.word())
        ));
    }
    let summary = diagnosis.summary;
    let mut words = vec![format!("{} passed", summary.passed)];
    for (number, word) in [
        (summary.warned, "warned"),
        (summary.failed, "failed"),
        (summary.skipped, "skipped"),
    ] {
        if number > 0 {
            words.push(format!("{number} {word}"));
        }
    }
    text.push_str(&format!("\n{}", words.join(", ")));
    let first = [Word::Fail, Word::Warn]
        .iter()
        .find_map(|word| diagnosis.checks.iter().find(|check| check.result == *word));
    if let Some(first) = first {
        text.push_str(&format!("    cuwhy explain {}", first.id));
    }
    text.push('\n');
    if diagnosis.report.simulated {
        text.push_str("a simulated driver answered, and no real GPU\n");
    }
    text
}

fn lines(check: &Finding, width: usize) -> String {
    let tone = match check.result {
        Word::Pass => Tone::Good,
        Word::Warn => Tone::Doubtful,
        Word::Fail => Tone::Bad,
        Word::Skip => Tone::Faint,
    };
    let line = format!(
        "{}  {:<width$}  {}",
        tone.paint(check.result.word()),
        check.id,
        check.says
    );
    let mut text = format!("{}\n", line.trim_end());
    if matches!(check.result, Word::Pass | Word::Skip) {
        return text;
    }
    let names = check
        .evidence
        .iter()
        .map(|seen| seen.name.len())
        .chain([4])
        .max()
        .unwrap_or(4);
    let mut more = |name: &str, value: &str| {
        for (place, line) in value.lines().enumerate() {
            let name = if place == 0 { name } else { "" };
            let line = format!("        {name:<names$}  {line}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    };
    for seen in &check.evidence {
        more(&seen.name, &seen.value);
    }
    if let Some(next) = &check.next {
        more("next", next);
    }
    text
}
