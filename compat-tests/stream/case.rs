//! A case as it is written: what it shows, the config, other files, the steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What stands before `== stream`: both programs are run in the foreground, as Debian's packages
/// would have it but with files of their own.
const HEAD: &str = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
                    daemon off; user nobody nogroup; pid pid; error_log error.log info;\n";
const MAIN: &str = "worker_processes 1; events {}";

#[derive(Debug)]
pub(super) struct Case {
    /// `area/name`
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// The first version of nginx that has what it is about, if Debian's may be older.
    pub(super) since: Option<[u32; 3]>,
    /// By their names in the case's folder; among them `nginx.conf`.
    pub(super) files: BTreeMap<String, String>,
    /// Other texts for `nginx.conf`, by their names.
    pub(super) configs: BTreeMap<String, String>,
    pub(super) steps: Vec<String>,
}

impl Case {
    pub(super) fn read(file: &Path) -> Result<Case, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file:?}: {error}"))?;
        let area = file.parent().and_then(Path::file_name).unwrap_or_default();
        let stem = file.file_stem().unwrap_or_default();
        let name = format!("{}/{}", area.to_string_lossy(), stem.to_string_lossy());
        Self::parse(&name, file, &text).map_err(|why| format!("{name}: {why}"))
    }

    fn parse(name: &str, file: &Path, text: &str) -> Result<Case, String> {
        let mut case = Case {
            name: name.to_owned(),
            file: file.to_owned(),
            since: None,
            files: BTreeMap::new(),
            configs: BTreeMap::new(),
            steps: Vec::new(),
        };
        let mut parts = text.split("\n== ");
        let head = parts.next().unwrap_or_default();
        if head.trim().len() < 10 || head.starts_with("== ") {
            return Err("what does it show? (the lines before the first `== …`)".into());
        }
        for line in head.lines() {
            if let Some(since) = line.strip_prefix("since ") {
                case.since = Some(version(since).ok_or_else(|| format!("not a version: {since}"))?);
            }
        }
        let parts: Vec<(&str, &str)> =
            parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect();
        let main = parts.iter().find(|(title, _)| *title == "main");
        let main = main.map_or(MAIN, |(_, text)| text.trim_end());
        for (title, text) in parts {
            let whole = || format!("{text}\n");
            let stream = || format!("{HEAD}{main}\nstream {{\n{text}\n}}\n");
            let known = match title.split_once(' ').unwrap_or((title, "")) {
                ("main", "") => continue,
                ("stream", "") => case.files.insert("nginx.conf".into(), stream()),
                ("config", "") => case.files.insert("nginx.conf".into(), whole()),
                ("file", path) => case.files.insert(path.into(), whole()),
                ("stream", other) => case.configs.insert(other.into(), stream()),
                ("config", other) => case.configs.insert(other.into(), whole()),
                ("steps", "") if case.steps.is_empty() => {
                    let lines = text.lines().map(str::trim);
                    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                    case.steps = lines.map(str::to_owned).collect();
                    None
                }
                _ => return Err(format!("unknown or repeated: == {title}")),
            };
            if known.is_some() {
                return Err(format!("repeated: == {title}"));
            }
        }
        if case.steps.is_empty() {
            return Err("it has no `== steps`".into());
        }
        for (name, text) in case.files.iter().chain(&case.configs) {
            let config = name == "nginx.conf" || case.configs.contains_key(name);
            if config && !text.contains("pid ") {
                return Err(format!("{name} names no pid file, so it would be the machine's own"));
            }
        }
        Ok(case)
    }

    /// The file beside it with what is expected.
    pub(super) fn record(&self) -> PathBuf {
        self.file.with_extension("seen")
    }

    /// The file beside it with what Evenkeel does otherwise, on purpose.
    pub(super) fn difference(&self) -> PathBuf {
        self.file.with_extension("evenkeel")
    }
}

/// `1.25.5`
pub(super) fn version(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.trim().split('.').map(|part| part.parse().ok());
    let mut next = || parts.next().unwrap_or(Some(0));
    Some([next()?, next()?, next()?])
}

#[test]
fn a_case_that_says_nothing_is_refused() {
    let parse = |text: &str| Case::parse("area/name", Path::new("area/name.case"), text);
    let good = "Shows what it shows.\n== stream\nserver {}\n== steps\nstart\n";
    assert_eq!(parse(good).unwrap().steps, ["start"]);
    for wrong in [
        "== stream\n== steps\nstart\n",
        "Shows what it shows.\n== stream\nserver {}\n",
        "Shows what it shows.\n== stream\nserver {}\n== steps\n# nothing\n",
        "Shows what it shows.\n== streams\n== steps\nstart\n",
        "Shows what it shows.\n== stream\n== stream\n== steps\nstart\n",
        "Shows what it shows.\nsince ever\n== stream\n== steps\nstart\n",
        "Shows what it shows.\n== config\nevents {}\n== steps\nstart\n",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
