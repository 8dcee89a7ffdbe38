//! Recommendations scored offline, each kind beside popularity: the figure is how much of what is looked for is
//! among the first five.
//!
//! *Used together* and *what comes next*: the tools that a task of a benchmark needs are taken for a session. Four
//! fifths of the tasks are learnt from; of each of the others one tool is shown at a time, and looked for is the rest,
//! or the tool behind it. The tasks of LiveMCPBench are what somebody would really do; the other two sets combine
//! tools by lot, so that there is little to learn from together. The files name a task's tools by name, which stands
//! for the order of use that nobody knows: the figure says whether a regular order is learnt, not which one agents
//! have. What is like a tool: `recommend_similar.rs`.

use crate::harness::{Goal, Report, Settings};
use crate::recommend_similar;
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use projections::usage::{By, Counts, Observed, Session};
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) const FIRST: usize = 5;
const FOLDS: usize = 5;
/// How often a task is done that is learnt from: what one session alone shows is recommended to nobody.
const TIMES: usize = 3;

pub(crate) async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let catalogue = settings.catalogue.as_ref();
    let dev = catalogue.and_then(|catalogue| Some(catalogue.parent()?.join("search/dev")));
    let (Some(catalogue), Some(dev)) = (catalogue, dev.filter(|dev| dev.is_dir())) else {
        eprintln!("recommend: skipped, no search/dev beside METAMCP_BENCH_CATALOGUE");
        return Ok(());
    };
    for by in [By::Together, By::Next] {
        for (set, times, goal) in [
            ("livemcpbench-tasks", TIMES, Goal::AtLeast(1.0)),
            ("livemcpbench-tasks", 1, Goal::None),
            ("metatool", TIMES, Goal::None),
            ("seal-tools", TIMES, Goal::None),
        ] {
            let sessions = sessions(&dev.join(set).join("qrels.tsv"))?;
            let mean = score(&sessions, by, times);
            let kind = match by {
                By::Together => "used together, share of the rest",
                By::Next => "comes next, share of tools found",
            };
            let bench = format!(
                "{kind} among {FIRST}, {set}, {} tasks, each done {times}×, beside popularity",
                sessions.len()
            );
            mean.report(report, bench, goal);
        }
    }
    recommend_similar::run(settings, report, (catalogue, &dev)).await
}

/// Means over what was shown.
#[derive(Default)]
pub(crate) struct Mean {
    ours: f64,
    popular: f64,
    shown: u32,
}

impl Mean {
    /// Adds what is found of `wanted` among the first by each of the two.
    pub(crate) fn add(&mut self, wanted: &[&str], ours: &[&str], popular: &[&str]) {
        let share = |ranked: &[&str]| {
            let found = ranked.iter().take(FIRST);
            let found = found.filter(|tool| wanted.contains(tool)).count();
            found as f64 / wanted.len().min(FIRST) as f64
        };
        self.ours += share(ours);
        self.popular += share(popular);
        self.shown += 1;
    }

    pub(crate) fn report(&self, report: &mut Report, bench: String, goal: Goal) {
        let shown = f64::from(self.shown.max(1));
        let (ours, popular) = (self.ours / shown, self.popular / shown);
        let texts = (format!("{ours:.3}"), format!("{popular:.3}"));
        report.line(bench, texts, ours / popular, goal);
    }
}

/// The tools of each task that needs two or more.
fn sessions(qrels: &Path) -> Result<Vec<Vec<String>>> {
    let text = std::fs::read_to_string(qrels).with_context(|| qrels.display().to_string())?;
    let mut sessions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        if let (Some(task), Some(tool)) = (fields.next(), fields.next()) {
            sessions.entry(task).or_default().push(tool.to_owned());
        }
    }
    Ok(sessions
        .into_values()
        .filter(|tools| tools.len() > 1)
        .collect())
}

/// Tools best first, of those that have any points.
pub(crate) fn ranked<'t>(
    tools: impl Iterator<Item = &'t str>,
    points: impl Fn(&str) -> f64,
) -> Vec<&'t str> {
    let mut ranked: Vec<_> = tools
        .map(|tool| (points(tool), tool))
        .filter(|(points, _)| *points > 0.0)
        .collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    ranked.into_iter().map(|(_, tool)| tool).collect()
}

/// What was learnt from some tasks, each done so many times.
fn learn<'s>(tasks: impl Iterator<Item = &'s Vec<String>>, times: usize) -> Counts {
    let mut counts = Counts::default();
    for tools in tasks {
        for _ in 0..times {
            let mut session = Session::default();
            for tool in tools {
                session.count(tool, DateTime::<Utc>::UNIX_EPOCH, &mut counts);
            }
        }
    }
    counts
}

fn score(sessions: &[Vec<String>], by: By, times: usize) -> Mean {
    let mut mean = Mean::default();
    for fold in 0..FOLDS {
        let part = |held_out: bool| {
            let numbered = sessions.iter().enumerate();
            let part = numbered.filter(move |(number, _)| (number % FOLDS == fold) == held_out);
            part.map(|(_, tools)| tools)
        };
        let counts = learn(part(false), times);
        let known = |tool: &str| counts.tools.get(tool).copied().unwrap_or_default();
        let points = |tool: &str, other: &str| {
            let pair = (tool.to_owned(), other.to_owned());
            let (together, next) = counts.pairs.get(&pair).copied().unwrap_or_default();
            let (sessions, steps) = known(tool);
            let seen = Observed {
                together,
                next,
                sessions,
                steps,
                other_sessions: known(other).0,
            };
            by.score(&seen).unwrap_or_default()
        };
        for tools in part(true) {
            for (place, tool) in tools.iter().enumerate() {
                let wanted: Vec<&String> = match by {
                    By::Together => tools.iter().filter(|other| *other != tool).collect(),
                    By::Next => tools.get(place + 1).into_iter().collect(),
                };
                let wanted: Vec<&str> = wanted.into_iter().map(String::as_str).collect();
                if wanted.is_empty() {
                    continue;
                }
                let others = || {
                    counts
                        .tools
                        .keys()
                        .map(String::as_str)
                        .filter(|other| other != tool)
                };
                let ours = ranked(others(), |other| points(tool, other));
                let popular = ranked(others(), |other| known(other).0 as f64);
                mean.add(&wanted, &ours, &popular);
            }
        }
    }
    mean
}
