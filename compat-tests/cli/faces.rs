//! The options of the two borrowed names, beside the real programs.

use super::cell::{Cell, run};

#[test]
fn nginx_refuses_what_nginx_refuses() {
    let cell = Cell::new();
    let lines: [&[&str]; 12] = [
        &["-x"],
        &["--help"],
        &["foo"],
        &["-t", "foo"],
        &["-c"],
        &["-g"],
        &["-p"],
        &["-s"],
        &["-e"],
        &["-s", "foo"],
        &["-sfoo"],
        &["-ct", "foo"],
    ];
    for line in lines {
        let (ours, real) = (run(cell.ours("nginx").args(line)), run(cell.real("nginx").args(line)));
        assert_eq!((ours.code, ours.err), (real.code, real.err), "{line:?}");
    }
}

#[test]
fn nginx_tests_and_dumps_as_nginx_does() {
    let cell = Cell::new();
    cell.write("extra.conf", "worker_processes 2;\n");
    let conf = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ninclude extra.conf;\n\
                events {}\nstream {\n  server { listen 127.0.0.1:8080; proxy_pass 127.0.0.1:1; }\n}";
    let file = cell.write("nginx.conf", conf);
    let log = cell.path("error.log");
    let (dir, files) = (cell.path(""), ["-e", &log, "-c", &file]);
    let lines: [&[&str]; 9] = [
        &["-t"],
        &["-T"],
        &["-tq"],
        &["-T", "-q"],
        &["-t", "-g", "pid /run/other.pid;"],
        &["-t", "-g", "pid"],
        &["-t", "-g", "foo bar;"],
        &["-t", "-g", "error_log /nonexistent/log;"],
        &["-t", "-g", "pid /nonexistent/pid;"],
    ];
    for line in lines {
        let line: Vec<&str> = line.iter().chain(&files).copied().collect();
        let (ours, real) =
            (run(cell.ours("nginx").args(&line)), run(cell.real("nginx").args(&line)));
        assert_eq!((ours.code, ours.err, ours.out), (real.code, real.err, real.out), "{line:?}");
    }
    // Relative to a prefix.
    let line = ["-t", "-p", &dir, "-c", "nginx.conf", "-e", "error.log"];
    let (ours, real) = (run(cell.ours("nginx").args(line)), run(cell.real("nginx").args(line)));
    assert_eq!((ours.code, ours.err), (real.code, real.err));
    // An address that this host hasn't.
    let elsewhere =
        cell.write("elsewhere.conf", &conf.replace("127.0.0.1:8080", "198.51.100.1:80"));
    let line = ["-t", "-e", &log, "-c", &elsewhere];
    let (ours, real) = (run(cell.ours("nginx").args(line)), run(cell.real("nginx").args(line)));
    assert_eq!((ours.code, ours.err), (real.code, real.err));
    assert_ne!(ours.code, 0);
}

#[test]
fn nginx_signals_nobody_as_nginx_does() {
    let cell = Cell::new();
    let pid_file = cell.path("nginx.pid");
    let conf = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\npid {pid_file};\nevents {{}}\n"
    );
    let (file, log) = (cell.write("nginx.conf", &conf), cell.path("error.log"));
    for content in [None, Some(""), Some("abc\n"), Some("4194303\n")] {
        match content {
            Some(content) => std::fs::write(&pid_file, content).unwrap(),
            None => assert!(!std::path::Path::new(&pid_file).exists()),
        }
        let line = ["-s", "reload", "-e", &log, "-c", &file];
        let (ours, real) = (run(cell.ours("nginx").args(line)), run(cell.real("nginx").args(line)));
        assert_eq!((ours.code, ours.err), (real.code, real.err), "{content:?}");
        assert_eq!(ours.code, 1);
    }
}

#[test]
fn nginx_says_its_version_with_the_vendor() {
    let cell = Cell::new();
    let version = run(cell.ours("nginx").arg("-v"));
    assert_eq!(version.code, 0);
    assert!(version.err.starts_with("nginx version: nginx/1."), "{}", version.err);
    assert!(version.err.contains("(evenkeel "), "{}", version.err);
    let build = run(cell.ours("nginx").arg("-V"));
    assert!(build.err.contains("configure arguments: ") && build.err.contains("--with-stream"));
    assert_eq!(run(cell.ours("nginx").arg("-?")).code, 0);
}

#[test]
fn keepalived_answers_options_as_keepalived_does() {
    let cell = Cell::new();
    for name in ["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON", "foo", "stop"] {
        let option = format!("--signum={name}");
        let (ours, real) =
            (run(cell.ours("keepalived").arg(&option)), run(cell.real("keepalived").arg(&option)));
        assert_eq!((ours.code, ours.out, ours.err), (real.code, real.out, real.err), "{name}");
    }
    for line in [&["-Z"][..], &["--foo"], &["--dont"], &["-f"]] {
        let (ours, real) =
            (run(cell.ours("keepalived").args(line)), run(cell.real("keepalived").args(line)));
        assert_eq!((ours.code, ours.err), (real.code, real.err), "{line:?}");
    }
    let version = run(cell.ours("keepalived").arg("-v"));
    assert_eq!((version.code, version.out.as_str()), (0, ""));
    let second = version.err.split_whitespace().nth(1).unwrap();
    assert!(second.starts_with('v') && second[1..].split('.').count() == 3, "{second}");
    assert!(version.err.contains("evenkeel"));
    // The best known exporter asks for no JSON, and ends, where this isn't to be read.
    assert!(version.err.contains("--enable-json"), "{}", version.err);
    // Each of its options is ours, too, and shown with what becomes of it.
    let help = run(cell.ours("keepalived").arg("--help"));
    assert_eq!(help.code, 0);
    let theirs = run(cell.real("keepalived").arg("--help"));
    let option = |line: &str| {
        let (before, long) = line.split_once("--")?;
        let end = long.find(|it: char| !it.is_alphanumeric() && !"_-".contains(it))?;
        before.trim().len().le(&3).then(|| format!("{}--{}", before.trim_start(), &long[..end]))
    };
    let options: Vec<String> = theirs.err.lines().filter_map(option).collect();
    assert!(options.len() > 30, "{options:?}");
    for option in options {
        assert!(help.err.contains(&option), "{option}: {}", help.err);
    }
}

#[test]
fn keepalived_writes_its_test_where_asked() {
    let cell = Cell::new();
    let file = cell.write("keepalived.conf", "vrrp_instance A {\n  interface eth0\n  bogus\n}\n");
    for option in ["-t", "--config-test="] {
        let mut contents = Vec::new();
        for command in [cell.ours("keepalived"), cell.real("keepalived")] {
            let mut command = command;
            let log = cell.path("test.log");
            let done = run(command.args([&format!("{option}{log}"), "-l", "-f", &file]));
            assert_eq!(done.err, "");
            let first = cell.read("test.log").lines().next().unwrap_or_default().to_owned();
            contents.push((done.code, first));
            std::fs::remove_file(log).unwrap();
        }
        assert_eq!(contents[0], contents[1], "{option}");
    }
    let missing = cell.path("missing.conf");
    for line in [["-t", "-f", &missing, "-l"], ["-t", "-e", "-f", &missing]] {
        let (ours, real) =
            (run(cell.ours("keepalived").args(line)), run(cell.real("keepalived").args(line)));
        assert_eq!((ours.code, ours.err), (real.code, real.err), "{line:?}");
    }
}

#[test]
fn keepalived_names_options_that_it_cannot_honour() {
    let cell = Cell::new();
    let file = cell.write("keepalived.conf", super::cell::KEEPALIVED_CONF);
    for (option, name) in [
        ("-I", "--dont-release-ipvs"),
        ("-c/run/c.pid", "--checkers_pid"),
        ("--bfd_pid=/run/b.pid", "--bfd_pid"),
    ] {
        let done = run(cell.ours("keepalived").args(["-t", option, "-f", &file]));
        assert_eq!(done.code, 0, "{option}");
        assert!(
            done.err.contains(name) && done.err.contains("no effect"),
            "{option}: {}",
            done.err
        );
    }
    let blue = "Unable to set network namespace no-such-blue";
    for (option, name) in [("-sno-such-blue", blue), ("-T", "--genhash")] {
        let done = run(cell.ours("keepalived").args(["-n", "-l", "-G", option, "-f", &file]));
        assert_ne!(done.code, 0, "{option}");
        assert!(done.err.contains(name), "{option}: {}", done.err);
    }
}

#[test]
fn evenkeel_shows_plan_and_directives() {
    let cell = Cell::new();
    let keepalived = cell.write("keepalived.conf", super::cell::KEEPALIVED_CONF);
    let nginx = cell.write("nginx.conf", super::cell::NGINX_CONF);
    let files = ["-k", &keepalived, "-n", &nginx];
    let plan = run(cell.ours("evenkeel").arg("plan").args(files));
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert!(plan.out.contains("VRID 51 on eth0") && plan.out.contains("127.0.0.1:8080 → backends"));
    let json = run(cell.ours("evenkeel").args(["plan", "--json"]).args(files));
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["vrrp"]["routers"][0]["vrid"], 51);
    assert!(!json.out.contains("hunter2") && json.out.contains("********"));
    let check = run(cell.ours("evenkeel").args(["check", "--json"]).args(files));
    let value: serde_json::Value = serde_json::from_str(&check.out).unwrap();
    assert_eq!((check.code, value["clean"].as_bool()), (0, Some(true)));
    for dialect in ["keepalived", "nginx"] {
        let page = run(cell.ours("evenkeel").args(["directives", dialect]));
        assert!(page.out.starts_with(&format!("{dialect}: ")), "{}", page.out);
        let json = run(cell.ours("evenkeel").args(["directives", dialect, "--json"]));
        let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let rows = value[dialect]["rows"].as_array().unwrap().len() as u64;
        let counts = value[dialect]["counts"].as_object().unwrap();
        let sum: u64 = counts.values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(rows, sum);
    }
    let head = format!("{} directives | head -n 1", cell.path("evenkeel"));
    let first = run(std::process::Command::new("sh").args(["-c", &head]));
    assert_eq!((first.out.lines().count(), first.err.as_str()), (1, ""));
    let version = run(cell.ours("evenkeel").arg("--version"));
    assert_eq!(version.out, format!("evenkeel {}\n", env!("CARGO_PKG_VERSION")));
}
