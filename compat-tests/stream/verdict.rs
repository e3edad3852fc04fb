//! What was seen, held against the record.

use std::path::Path;

use super::case::{Case, version};
use super::play::{self, Player};
use super::program::{self, Real};

/// The first line of a record that no program wrote.
const BY_HAND: &str = "by hand";

#[derive(Debug)]
pub(super) enum Verdict {
    Both,
    /// No real nginx here is new enough for it.
    EvenkeelAlone,
    /// Evenkeel isn't asked yet.
    Waits,
    Failed(String),
}

/// A step and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) step: String,
    pub(super) seen: Vec<String>,
}

pub(super) fn of(case: &Case, waits: bool) -> Verdict {
    judge(case, waits).unwrap_or_else(Verdict::Failed)
}

fn judge(case: &Case, waits: bool) -> Result<Verdict, String> {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let knows = |real: &&Real| {
        case.since.is_none_or(|since| version(&real.version).is_some_and(|it| it >= since))
    };
    let debian = Some(program::real()).filter(knows);
    let real = debian.or_else(|| program::newer().filter(knows));
    if update && let Some(real) = real {
        let seen = twice_the_same(case, real)?;
        write(&case.record(), &format!("nginx/{}", real.version), &seen);
    }
    let record = read(&case.record());
    let Some((head, record)) = record else {
        return Err(match real {
            Some(_) => "  It has no record: UPDATE_FIXTURES=1 makes it.\n".to_owned(),
            None => format!(
                "  It has no record, and no nginx here is new enough to make one: \
                 fixtures/stream/newer-nginx brings one. (What even that doesn't know: write {} \
                 by hand, `{BY_HAND}: from where` first.) Evenkeel's would be:\n{}",
                case.record().display(),
                render(&play::play(case, Player::Evenkeel)?)
            ),
        });
    };
    let by_hand = head.starts_with(BY_HAND) && head.len() > BY_HAND.len() + 4;
    if !by_hand && !head.starts_with("nginx/") {
        return Err(format!("  From what is its record? It says: {head}\n"));
    }
    if by_hand && real.is_some() {
        return Err("  Its record is written by hand, though an nginx here could make it.\n".into());
    }
    if record.iter().all(|observed| observed.seen.is_empty()) {
        return Err("  Nothing was observed: a case that can't fail.\n".into());
    }
    let mut failure = String::new();
    if let Some(real) = real {
        let seen = play::play(case, Player::Real(real))?;
        failure.push_str(&differences(&format!("nginx {}", real.version), &record, &seen));
    }
    if waits {
        return if failure.is_empty() { Ok(Verdict::Waits) } else { Err(failure) };
    }
    let ours = read(&case.difference());
    if let Some((reason, _)) = ours.as_ref().filter(|(reason, _)| reason.len() < 30) {
        return Err(format!("  Why does Evenkeel differ? Its first line says only: {reason}\n"));
    }
    let expected = match &ours {
        Some((_, ours)) if *ours == record => {
            return Err(format!("  {:?} differs in nothing: remove it.\n", case.difference()));
        }
        Some((_, ours)) => ours,
        None => &record,
    };
    let seen = play::play(case, Player::Evenkeel)?;
    failure.push_str(&differences("Evenkeel", expected, &seen));
    match (failure.is_empty(), real) {
        (false, _) => Err(failure),
        (true, Some(_)) => Ok(Verdict::Both),
        (true, None) => Ok(Verdict::EvenkeelAlone),
    }
}

/// What two plays in a row agree on.
fn twice_the_same(case: &Case, real: &'static Real) -> Result<Vec<Observed>, String> {
    let mut last = play::play(case, Player::Real(real))?;
    for _ in 0..super::TRIES {
        let again = play::play(case, Player::Real(real))?;
        let difference = differences("nginx, played again,", &last, &again);
        if difference.is_empty() {
            return Ok(last);
        }
        eprintln!("{}: not the same again:\n{difference}", case.name);
        last = again;
    }
    Err("  No two plays in a row show the same.\n".into())
}

/// Step by step; empty if there are none.
fn differences(program: &str, record: &[Observed], seen: &[Observed]) -> String {
    let steps = |of: &[Observed]| of.iter().map(|it| it.step.clone()).collect::<Vec<_>>();
    if steps(record) != steps(seen) {
        return "  The record is of other steps: UPDATE_FIXTURES=1 makes it anew.\n".to_owned();
    }
    let mut text = String::new();
    for (record, seen) in record.iter().zip(seen).filter(|(record, seen)| record != seen) {
        text.push_str(&format!("  {program} differs at: {}\n", record.step));
        let gone = record.seen.iter().filter(|line| !seen.seen.contains(line));
        let new = seen.seen.iter().filter(|line| !record.seen.contains(line));
        gone.for_each(|line| text.push_str(&format!("    - {line}\n")));
        new.for_each(|line| text.push_str(&format!("    + {line}\n")));
        let has = |line| record.seen.contains(line);
        if record.seen.len() == seen.seen.len() && seen.seen.iter().all(has) {
            text.push_str(&format!("    in the order {:#?}\n", seen.seen));
        } else if record.seen.iter().all(|line| seen.seen.contains(line))
            && seen.seen.iter().all(has)
        {
            text.push_str(&format!(
                "    another number of the same lines: {} instead of {}\n",
                seen.seen.len(),
                record.seen.len()
            ));
        }
    }
    text
}

fn render(observed: &[Observed]) -> String {
    let mut text = String::new();
    for Observed { step, seen } in observed {
        text.push_str(&format!("{step}\n"));
        seen.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text
}

fn write(file: &Path, head: &str, observed: &[Observed]) {
    std::fs::write(file, format!("{head}\n{}", render(observed))).unwrap();
}

/// The first line, and what follows it.
fn read(file: &Path) -> Option<(String, Vec<Observed>)> {
    let text = std::fs::read_to_string(file).ok()?;
    let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
    let mut observed: Vec<Observed> = Vec::new();
    for line in body.lines() {
        match (line.strip_prefix("  "), observed.last_mut()) {
            (Some(seen), Some(last)) => last.seen.push(seen.to_owned()),
            _ => observed.push(Observed { step: line.to_owned(), seen: Vec::new() }),
        }
    }
    Some((head.to_owned(), observed))
}

/// The comparison can fail: another line, another order, a line less, another step.
#[test]
fn what_differs_is_noticed() {
    let observed = |step: &str, seen: &[&str]| Observed {
        step: step.to_owned(),
        seen: seen.iter().map(|line| (*line).to_owned()).collect(),
    };
    let record = [observed("c rest", &["a", "b"])];
    assert_eq!(differences("x", &record, &record), "");
    for seen in [&["a", "c"][..], &["b", "a"], &["a"], &["a", "b", "b"], &["a", "b", "c"], &[]] {
        assert_ne!(differences("x", &record, &[observed("c rest", seen)]), "", "{seen:?}");
    }
    assert_ne!(differences("x", &record, &[observed("d rest", &["a", "b"])]), "");
    assert_ne!(differences("x", &record, &[]), "");
}
