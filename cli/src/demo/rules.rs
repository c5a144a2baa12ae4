//! The calls of the rules: the wrong one and its twin, what CUDA answers and what we find.

use cuwhy_validate::repro::Which;
use cuwhy_validate::rules::rule;
use serde_json::{Value, json};

use super::chosen::{Chosen, choose};
use super::player::{Made, Played, Player};
use crate::failure::Failure;
use crate::table::{Align, Cell, Table, Tone};

/// What came of the two calls of a reproducer.
#[derive(Debug)]
pub struct Scene {
    chosen: Chosen,
    /// Of how many of the same rule.
    forms: usize,
    calls: (Played, Played),
}

/// Plays what these ids name, one after the other.
#[derive(Debug)]
pub struct Scenes {
    chosen: Vec<Chosen>,
    next: usize,
    player: Player,
}

impl Scenes {
    /// What these ids, or areas, name; without any, everything.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for one that names nothing.
    pub fn of(ids: &[String], width: usize) -> Result<Self, Failure> {
        Ok(Self {
            chosen: choose(ids)?,
            next: 0,
            player: Player::new(width),
        })
    }

    /// Plays the next one; none when all were.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] where the process that makes the calls cannot be had.
    pub fn play(&mut self) -> Result<Option<Scene>, Failure> {
        let Some(&chosen) = self.chosen.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        let same = |one: &&Chosen| one.rule() == chosen.rule();
        let forms = self.chosen.iter().filter(same).count();
        let mut play = |which| self.player.play(&chosen, which);
        let calls = (play(Which::Wrong)?, play(Which::Right)?);
        Ok(Some(Scene {
            chosen,
            forms,
            calls,
        }))
    }
}

impl Played {
    fn complaints(&self) -> &[String] {
        match self {
            Self::Made(made) => &made.complaints,
            Self::Skipped(_) => &[],
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Skipped(why) => json!({"skipped": why}),
            Self::Made(made) => json!({
                "call": made.call,
                "predicted": made.predicted,
                "answered": made.answered,
                "agrees": made.agrees,
                "findings": made.said.findings,
                "complaints": made.complaints,
            }),
        }
    }
}

impl Scene {
    fn played(&self) -> impl Iterator<Item = &Played> {
        let (wrong, right) = &self.calls;
        [wrong, right].into_iter()
    }

    /// Whether something was not as it should be.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.played().any(|played| !played.complaints().is_empty())
    }

    /// Why one of the two calls, or both, could not be shown.
    #[must_use]
    pub fn skipped(&self) -> Option<&str> {
        self.played().find_map(|played| match played {
            Played::Skipped(why) => Some(why.as_str()),
            Played::Made(_) => None,
        })
    }

    /// The scene as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        let (wrong, right) = &self.calls;
        json!({
            "rule": self.chosen.rule(),
            "form": self.chosen.form,
            "good": !self.is_bad() && self.skipped().is_none(),
            "skipped": self.skipped(),
            "wrong": wrong.json(),
            "right": right.json(),
        })
        .to_string()
    }

    fn name(&self) -> String {
        let Chosen { form, .. } = self.chosen;
        if self.forms > 1 {
            format!("{} ({form} of {})", self.chosen.rule(), self.forms)
        } else {
            self.chosen.rule().into()
        }
    }

    /// The scene for people.
    #[must_use]
    pub fn text(&self) -> String {
        let statement = rule(self.chosen.rule()).map_or("", |rule| rule.statement);
        let title = Tone::Strong.paint(&self.name());
        let mut text = format!("\n{title}: {statement}\n");
        let (wrong, right) = &self.calls;
        for (word, played) in [("wrong", wrong), ("right", right)] {
            match played {
                Played::Skipped(why) => text.push_str(&format!("\n {word}  not shown: {why}\n")),
                Played::Made(made) => text.push_str(&one(word, made)),
            }
        }
        text
    }

    /// The scene as a row of [`table`].
    fn row(&self) -> Vec<Cell> {
        let answer = |played: &Played| match played {
            Played::Made(made) => made.answered_words.clone(),
            Played::Skipped(_) => "-".into(),
        };
        let (wrong, right) = &self.calls;
        let (word, tone) = match (self.is_bad(), self.skipped()) {
            (true, _) => ("BAD", Tone::Bad),
            (false, Some(_)) => ("not shown", Tone::Faint),
            (false, None) => ("ok", Tone::Good),
        };
        let named = match wrong {
            Played::Made(_) => self.chosen.reproducer.bad.to_string(),
            Played::Skipped(_) => "-".into(),
        };
        vec![
            Cell::toned(word, tone),
            self.name().into(),
            named.into(),
            answer(wrong).into(),
            answer(right).into(),
        ]
    }

    /// What is wrong, or why it was not shown, one line each.
    fn remarks(&self) -> Vec<String> {
        let name = self.name();
        let mut remarks = Vec::new();
        if let Some(why) = self.skipped() {
            remarks.push(format!("not shown: {name}: {why}"));
        }
        let (wrong, right) = &self.calls;
        for (word, played) in [("wrong call", wrong), ("twin", right)] {
            for complaint in played.complaints() {
                remarks.push(format!("{name}, {word}: {complaint}"));
            }
        }
        remarks
    }
}

fn one(word: &str, made: &Made) -> String {
    let agrees = if made.agrees {
        "as predicted"
    } else {
        "which is not what we predicted"
    };
    let mut text = format!(
        "\n {word}  {}\n        CUDA: {}, {agrees}\n",
        made.call, made.answered_words
    );
    if made.said.text.is_empty() {
        text.push_str("        nothing is found\n");
    } else {
        text.push('\n');
        text.push_str(&made.said.text);
    }
    for complaint in &made.complaints {
        let complaint = Tone::Bad.paint(complaint);
        text.push_str(&format!("        {complaint}\n"));
    }
    text
}

/// All scenes, one a row, and what is wrong with them.
#[must_use]
pub fn table(scenes: &[Scene]) -> String {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("rule", Align::Left),
        ("what is wrong", Align::Left),
        ("CUDA on the wrong call", Align::Left),
        ("on the twin", Align::Left),
    ]);
    for scene in scenes {
        table.row(scene.row());
    }
    let mut text = format!("\n{}\n", table.render());
    let bad = scenes.iter().filter(|scene| scene.is_bad()).count();
    let skipped = scenes.iter().filter(|one| one.skipped().is_some()).count();
    for remark in scenes.iter().flat_map(Scene::remarks) {
        text.push_str(&format!(" {remark}\n"));
    }
    let good = scenes
        .iter()
        .filter(|one| !one.is_bad() && one.skipped().is_none())
        .count();
    text.push_str(&format!(
        " {good} as they should be, {bad} not, {skipped} not shown\n"
    ));
    text
}
