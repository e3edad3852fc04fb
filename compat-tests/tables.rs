//! The tables of both dialects against upstream's lists, and their claims against the fixtures.

mod nginx;

use std::collections::BTreeSet;
use std::fs;

use evenkeel::directive::Support;
use evenkeel::keepalived::keywords;

type Rows = BTreeSet<(String, String)>;

/// `fixtures/upstream/keepalived-keywords.tsv`: context and keyword.
fn upstream_keywords() -> Rows {
    let text = fs::read_to_string("fixtures/upstream/keepalived-keywords.tsv").unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let (context, keyword) = line.split_once('\t').unwrap();
        (context.to_owned(), keyword.to_owned())
    });
    rows.collect()
}

fn our_keywords() -> Vec<(&'static str, &'static keywords::Row)> {
    keywords::all()
        .flat_map(|row| row.contexts.iter().map(move |context| (*context, row)))
        .collect()
}

#[test]
fn every_keyword_of_keepalived_has_a_row() {
    let upstream = upstream_keywords();
    assert_eq!(upstream.len(), 531);
    let ours: Rows =
        our_keywords().iter().map(|(context, row)| ((*context).into(), row.name.into())).collect();
    let missing: Vec<_> = upstream.difference(&ours).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let more: Vec<_> = ours.difference(&upstream).collect();
    assert!(more.is_empty(), "not upstream's: {more:?}");
}

#[test]
fn no_keyword_of_keepalived_has_two_rows() {
    let mut seen = BTreeSet::new();
    for (context, row) in our_keywords() {
        assert!(seen.insert((context, row.name)), "{} in {context}", row.name);
        assert!(!row.summary.is_empty(), "{} in {context}", row.name);
    }
}

/// The keywords that stand in the fixtures' configs, each line with its first word in the block
/// that its braces put it in. (Simple layouts are enough: a claim needs one of those.)
fn keywords_in_fixtures() -> Rows {
    let mut found = Rows::new();
    for case in fs::read_dir("fixtures/keepalived").unwrap() {
        let path = case.unwrap().path().join("keepalived.conf");
        let Ok(text) = fs::read(path) else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut blocks: Vec<String> = Vec::new();
        for line in text.lines() {
            let line = line.split(['#', '!']).next().unwrap_or_default().trim();
            let Some(word) = line.split_whitespace().next() else { continue };
            if word == "}" {
                blocks.pop();
                continue;
            }
            let context = if blocks.is_empty() { "main".to_owned() } else { blocks.join(" ") };
            found.insert((context, word.to_owned()));
            if line.ends_with('{') {
                blocks.push(word.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_full_row_of_keepalived_has_a_fixture() {
    let found = keywords_in_fixtures();
    let claimed = our_keywords()
        .into_iter()
        .filter(|(_, row)| matches!(row.support, Support::Full | Support::Partial(_)));
    let bare: Vec<_> = claimed
        .filter(|(context, row)| !found.contains(&((*context).to_owned(), row.name.to_owned())))
        .map(|(context, row)| format!("{context}: {}", row.name))
        .collect();
    assert!(bare.is_empty(), "claimed and shown by no fixture: {bare:?}");
}

/// `fixtures/upstream/keepalived-bare-keywords.tsv`: recorded from the real one.
#[test]
fn a_keyword_alone_stops_us_where_it_stops_keepalived() {
    let text = fs::read_to_string("fixtures/upstream/keepalived-bare-keywords.tsv").unwrap();
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [context, keyword, verdict] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let rows = our_keywords();
        let (_, row) = rows.iter().find(|(c, row)| *c == context && row.name == keyword).unwrap();
        match verdict {
            "fatal" if row.arity.takes(0) => wrong.push(line),
            "reads" if !row.arity.takes(0) => wrong.push(line),
            _ => {}
        }
        // Debian builds without iptables, and thus without this one.
        if keyword == "vrrp_ipsets" {
            continue;
        }
        if (verdict == "unknown") != (row.since == Some("2.4")) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
