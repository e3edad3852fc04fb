//! nginx's tables against `fixtures/upstream/nginx-*`, and every claim against the fixtures.

use std::collections::BTreeSet;

use evenkeel::directive::{Arity, Body, Directive, Support};
use evenkeel::nginx::{NginxConfig, directives};
use evenkeel::plan::fact::Fact;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// Contexts, name, kinds of arguments, one per row.
fn upstream_rows() -> BTreeSet<(String, String, String)> {
    let text =
        std::fs::read_to_string(format!("{FIXTURES}/upstream/nginx-directives.tsv")).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let mut columns = line.split('\t').skip(1).map(str::to_owned);
        let mut next = || columns.next().expect("four columns");
        let (contexts, name, kinds) = (next(), next(), next());
        (contexts, name, kinds)
    })
    .collect()
}

/// In the words of the TSV.
fn kinds(directive: &Directive<NginxConfig>) -> String {
    let mut kinds = Vec::new();
    if directive.body != Body::None {
        kinds.push("BLOCK".to_owned());
    }
    match directive.arity {
        Arity::Flag => kinds.push("FLAG".to_owned()),
        Arity::AtLeast(least) => kinds.push(format!("{least}MORE")),
        Arity::Any => kinds.push("ANY".to_owned()),
        Arity::OneOf(counts) => {
            if counts.contains(&0) {
                kinds.push("NOARGS".to_owned());
            }
            let taken: String =
                counts.iter().filter(|count| **count > 0).map(|count| count.to_string()).collect();
            if !taken.is_empty() {
                kinds.push(format!("TAKE{taken}"));
            }
        }
    }
    kinds.join(",")
}

#[test]
fn nginx_rows_are_upstreams_and_upstreams_are_ours() {
    let mut ours: BTreeSet<_> = directives::all()
        .map(|row| (row.contexts.join(","), row.name.to_owned(), kinds(row)))
        .collect();
    // Known so that they can be passed over; the list leaves out these two modules.
    for block in ["http", "mail"] {
        assert!(ours.remove(&("main".into(), block.into(), "BLOCK,NOARGS".into())), "{block}");
    }
    // The list was made without PCRE.
    assert!(ours.remove(&("main".into(), "pcre_jit".into(), "FLAG".into())));
    let upstream = upstream_rows();
    let missing: Vec<_> = upstream.difference(&ours).collect();
    let invented: Vec<_> = ours.difference(&upstream).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing {missing:#?}, invented {invented:#?}"
    );
}

#[test]
fn nginx_rows_say_something() {
    for row in directives::all() {
        assert!(row.summary.ends_with('.'), "{row:?}: {}", row.summary);
        if row.support != Support::Full {
            assert!(row.support.reason().is_some_and(|why| why.len() > 8), "{row:?}");
        }
    }
}

#[test]
fn nginx_variables_are_upstreams() {
    let path = format!("{FIXTURES}/upstream/nginx-stream-variables.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let upstream: BTreeSet<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(upstream, Fact::NAMES.iter().copied().collect());
}

/// A claim needs a config that real nginx takes (unless the directive is newer than Debian's), that
/// Evenkeel takes (there is a Plan), and that uses the directive in that context.
#[test]
fn nginx_claims_have_fixtures() {
    let (mut used, mut used_of_newer) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(format!("{FIXTURES}/nginx")).unwrap() {
        let folder = entry.unwrap().path();
        let real = std::fs::read_to_string(folder.join("real.txt")).unwrap_or_default();
        if folder.join("plan.json").is_file() {
            let text = std::fs::read(folder.join("nginx.conf")).unwrap();
            let known = real.contains("\nexit: 0\n");
            let used = if known { &mut used } else { &mut used_of_newer };
            collect(&String::from_utf8_lossy(&text), used);
        }
    }
    let unproven: Vec<_> = directives::all()
        .filter(|row| matches!(row.support, Support::Full | Support::Partial(_)))
        .flat_map(|row| row.contexts.iter().map(move |context| (*context, row)))
        .filter(|(context, row)| {
            let one = (context.to_string(), row.name.to_owned());
            let real = used.contains(&one)
                || *context == "*" && used.iter().any(|(_, used)| used == row.name);
            // What only newer versions of nginx know, the recorder's doesn't take.
            !(real || is_newer(row) && used_of_newer.contains(&one))
        })
        .map(|(context, row)| (context, row.name))
        .collect();
    assert!(unproven.is_empty(), "claimed, but in no fixture: {unproven:?}");
}

/// What works, and what no case of the stream suite can show.
const UNPLAYED: &[(&str, &str)] = &[
    ("debug_points", "stops or dumps the process at an inner inconsistency only"),
    (
        "least_time",
        "nginx 1.31 alone; fixtures/nginx has its grammar, the balancer's tests its choice",
    ),
    ("ssl_certificate_compression", "what clients of the suite don't offer"),
    ("server_name", "its own tests, until its cases are there"),
    ("server_names_hash_max_size", "changes how fast names are found, nothing else"),
    ("server_names_hash_bucket_size", "changes how fast names are found, nothing else"),
    ("$server_name", "its own tests, until its cases are there"),
    ("$ssl_sigalgs", "nginx 1.31 alone"),
];

/// Each directive that works, and each variable, is in a case that the real nginx plays, too.
#[test]
fn what_works_is_played() {
    let mut text = String::new();
    for area in std::fs::read_dir(format!("{FIXTURES}/stream")).unwrap() {
        let Ok(cases) = std::fs::read_dir(area.unwrap().path()) else { continue };
        for case in cases.map(|case| case.unwrap().path()) {
            if case.extension().is_some_and(|it| it == "case") {
                text.push_str(&std::fs::read_to_string(case).unwrap());
            }
        }
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = text.split(|c| !is_name(c)).collect();
    let works = directives::all()
        .filter(|row| matches!(row.support, Support::Full | Support::Partial(_)))
        .filter(|row| !words.contains(row.name))
        .map(|row| row.name.to_owned());
    // A name that ends in _ is the beginning of many. GeoIP's need its databases.
    let variables = Fact::NAMES.iter().filter(|name| !name.starts_with("geoip_"));
    let is_used =
        |name: &str| text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"));
    let variables = variables.filter(|name| !is_used(name)).map(|name| format!("${name}"));
    let unplayed: BTreeSet<String> = works.chain(variables).collect();
    let excused = |name: &&String| UNPLAYED.iter().any(|(one, _)| one == name);
    let missing: Vec<_> = unplayed.iter().filter(|name| !excused(name)).collect();
    assert!(missing.is_empty(), "in no case of fixtures/stream: {missing:?}");
}

/// Newer than the nginx that the fixtures were recorded with, 1.22.1.
fn is_newer(row: &Directive<NginxConfig>) -> bool {
    let mut parts = row.since.unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    [next(), next(), next()] > [1, 22, 1]
}

/// Contexts and names, by braces and semicolons: good enough for the fixtures' plain configs.
fn collect(text: &str, used: &mut BTreeSet<(String, String)>) {
    let without_comments: Vec<_> =
        text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    let mut contexts = vec!["main".to_owned()];
    let mut words = String::new();
    for c in without_comments.join("\n").chars() {
        let name = words.split_whitespace().next().unwrap_or_default().to_owned();
        let context = contexts.last().cloned().unwrap_or_default();
        match c {
            ';' | '{' => {
                used.insert((context, name.clone()));
                words.clear();
                if c == '{' {
                    contexts.push(name);
                }
            }
            '}' => {
                words.clear();
                contexts.pop();
            }
            c => words.push(c),
        }
    }
}
