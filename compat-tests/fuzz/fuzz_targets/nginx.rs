//! nginx.conf: any bytes give a verdict, in time linear to their length.
#![no_main]

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use evenkeel::host::{Host, ScriptFile};
use evenkeel::nginx::{self, NginxInput};
use evenkeel::plan::stream::Content;
use evenkeel::plan::track::RunAs;
use evenkeel::text::{SourceMap, render};
use libfuzzer_sys::fuzz_target;

/// A host on which `nginx.conf` is the fuzzer's, every other file is the same text from its middle
/// on, and every name has an address.
struct FuzzHost<'a>(&'a [u8]);

impl Host for FuzzHost<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/conf/nginx.conf") => Ok(self.0.to_vec()),
            Some("/conf/half") => Ok(self.0[self.0.len() / 2..].to_vec()),
            _ => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn glob(&self, _: &str) -> Vec<PathBuf> {
        vec![PathBuf::from("/conf/half")]
    }

    fn interface_exists(&self, _: &str) -> bool {
        false
    }

    fn user(&self, name: &str, _: Option<&str>) -> Option<RunAs> {
        Some(RunAs { name: name.to_owned(), uid: 1, gid: 1, groups: Vec::new() })
    }

    fn script(&self, _: &Path, _: Option<&RunAs>) -> ScriptFile {
        ScriptFile::Missing
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        if name.len() % 7 == 0 { Vec::new() } else { vec![IpAddr::from([192, 0, 2, 1])] }
    }

    fn hostname(&self) -> String {
        "fuzz".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn is_root(&self) -> bool {
        true
    }
}

fuzz_target!(|bytes: &[u8]| {
    let host = FuzzHost(bytes);
    let input = NginxInput {
        file: "nginx.conf".into(),
        prefix: "/conf".into(),
        global: bytes.first().filter(|byte| **byte == b'g').map(|_| "daemon off;".to_owned()),
        ..NginxInput::default()
    };
    let mut sources = SourceMap::default();
    let (config, diagnostics) = nginx::read(&mut sources, &input, &host);
    for diagnostic in diagnostics.iter().take(20) {
        let _ = render::nginx(&sources, diagnostic);
        let _ = render::evenkeel(&sources, diagnostic, false);
    }
    let (plan, _) = nginx::lower(&config);
    if let Some(plan) = plan {
        // A plan has no dangling references, and survives the hand-off.
        assert!(plan.servers.iter().all(|server| match server.content {
            Content::Upstream(upstream) => upstream.0 < plan.upstreams.len(),
            _ => true,
        }));
        assert!(plan.listeners.iter().all(|listener| listener.server.0 < plan.servers.len()));
        let json = serde_json::to_vec(&plan).expect("plans are JSON");
        assert_eq!(serde_json::from_slice::<evenkeel::plan::StreamPlan>(&json).ok(), Some(plan));
    }
    let _ = nginx::dump(&sources, &config);
});
