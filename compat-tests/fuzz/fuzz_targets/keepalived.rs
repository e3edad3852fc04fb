//! Any bytes as keepalived.conf: read, lowered and shown without a panic, in bounded time.
#![no_main]

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use evenkeel::host::{Host, ScriptFile};
use evenkeel::keepalived::{self, Limits};
use evenkeel::plan::track::RunAs;
use evenkeel::text::{SourceMap, render};
use libfuzzer_sys::fuzz_target;

/// Has one file, which every path leads to, and a little of all else.
struct OneFile<'a>(&'a [u8]);

impl Host for OneFile<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("keepalived.conf") => Ok(self.0.to_vec()),
            Some(path) if path.ends_with("part") => Ok(b"$P=5\npriority ${P}\n}\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn glob(&self, _: &str) -> Vec<PathBuf> {
        vec!["part".into(), "keepalived.conf".into()]
    }

    fn interface_exists(&self, name: &str) -> bool {
        name == "eth0"
    }

    fn user(&self, name: &str, _: Option<&str>) -> Option<RunAs> {
        (name == "root").then(|| RunAs { name: name.to_owned(), uid: 0, gid: 0, groups: Vec::new() })
    }

    fn script(&self, path: &Path, _: Option<&RunAs>) -> ScriptFile {
        match path.to_str() {
            Some("/bin/true") => ScriptFile::Executable { insecure: false },
            _ => ScriptFile::Missing,
        }
    }

    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }

    fn hostname(&self) -> String {
        "node1".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn is_root(&self) -> bool {
        true
    }
}

fuzz_target!(|bytes: &[u8]| {
    let host = OneFile(bytes);
    let limits = Limits { size: 1 << 16, depth: 16 };
    let mut sources = SourceMap::default();
    let path = Path::new("keepalived.conf");
    let (config, mut diagnostics) =
        keepalived::read_within(limits, &mut sources, path, None, &host);
    let (plan, more) = keepalived::lower(&config, &host);
    keepalived::lower_checkers(&config, &host);
    diagnostics.extend(more);
    for diagnostic in diagnostics.iter().take(50) {
        let _ = render::evenkeel(&sources, diagnostic, false);
        let _ = render::keepalived(&sources, diagnostic);
    }
    if let Some(plan) = plan {
        assert!(plan.routers.iter().all(|router| router.vrid > 0 && router.priority > 0));
        assert!(!format!("{plan:?}").is_empty());
    }
});
