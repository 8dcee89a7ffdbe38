//! Recommendations scored offline, beside popularity: the tools that a task of a benchmark needs are taken for a
//! session. Four fifths of the sessions are counted; of each of the others one tool is shown at a time, and the
//! figure is how much of the rest is among the first five recommended. The tasks of LiveMCPBench are what somebody
//! would really do; the other two sets combine tools by lot, so that there is little to learn from together.

use crate::harness::{Goal, Report, Settings};
use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use projections::usage::{Counts, Observed, Session, together_score};
use std::collections::BTreeMap;
use std::path::Path;

const FIRST: usize = 5;
const FOLDS: usize = 5;

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let dev = settings
        .catalogue
        .as_ref()
        .and_then(|catalogue| Some(catalogue.parent()?.join("search/dev")));
    let Some(dev) = dev.filter(|dev| dev.is_dir()) else {
        eprintln!("recommend: skipped, no search/dev beside METAMCP_BENCH_CATALOGUE");
        return Ok(());
    };
    for (set, goal) in [
        ("livemcpbench-tasks", Goal::AtLeast(1.0)),
        ("metatool", Goal::None),
        ("seal-tools", Goal::None),
    ] {
        let sessions = sessions(&dev.join(set).join("qrels.tsv"))?;
        let (ours, popular) = score(&sessions);
        let texts = (format!("{ours:.3}"), format!("{popular:.3}"));
        let bench = format!(
            "used together, share of the rest among {FIRST}, {set}, {} sessions, beside popularity",
            sessions.len()
        );
        report.line(bench, texts, ours / popular, goal);
    }
    Ok(())
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

/// Mean share of the rest among the first, by what was used together and by popularity.
fn score(sessions: &[Vec<String>]) -> (f64, f64) {
    let (mut ours, mut popular, mut shown) = (0.0, 0.0, 0_u32);
    for fold in 0..FOLDS {
        let mut counts = Counts::default();
        let learnt = sessions.iter().enumerate();
        for (_, tools) in learnt.filter(|(number, _)| number % FOLDS != fold) {
            let mut session = Session::default();
            for tool in tools {
                session.count(tool, DateTime::<Utc>::UNIX_EPOCH, &mut counts);
            }
        }
        let popularity = |tool: &str| counts.tools.get(tool).map_or(0, |(sessions, _)| *sessions);
        let together = |tool: &str, other: &str| {
            let pair = (tool.to_owned(), other.to_owned());
            let (together, _) = counts.pairs.get(&pair).copied().unwrap_or_default();
            together_score(&Observed {
                together,
                sessions: popularity(tool),
                other_sessions: popularity(other),
                ..Observed::default()
            })
        };
        for (_, tools) in sessions
            .iter()
            .enumerate()
            .filter(|(number, _)| number % FOLDS == fold)
        {
            for tool in tools {
                let rest: Vec<&str> = tools
                    .iter()
                    .filter(|other| *other != tool)
                    .map(String::as_str)
                    .collect();
                let share = |score: &dyn Fn(&str) -> f64| {
                    let mut ranked: Vec<_> = counts
                        .tools
                        .keys()
                        .filter(|other| *other != tool)
                        .map(|other| (score(other), other.as_str()))
                        .filter(|(score, _)| *score > 0.0)
                        .collect();
                    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
                    let first = ranked.iter().take(FIRST);
                    let found = first.filter(|(_, other)| rest.contains(other)).count();
                    found as f64 / rest.len().min(FIRST) as f64
                };
                ours += share(&|other| together(tool, other));
                popular += share(&|other| popularity(other) as f64);
                shown += 1;
            }
        }
    }
    (ours / f64::from(shown), popular / f64::from(shown))
}
