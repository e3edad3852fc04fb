//! What the user starts: reads the cluster, starts the stage in namespaces of its own, waits.

use std::io::{IsTerminal, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::signal::{SigSet, Signal};

use super::stage::Play;
use super::topology::Daemon;
use super::{Doing, Failure, Outcome, cluster_file, host, scenario};
use crate::kernel::namespace;
use crate::text::{Diagnostics, SourceMap, render};

/// `evenkeel rehearse`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A folder with a cluster.toml, or such a file
    pub dir: PathBuf,
    /// Print one JSON document in the end instead of a timeline
    #[arg(long)]
    pub json: bool,
    /// Play only `start`, this scenario, and what heals it (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<String>,
    /// Run this host's own keepalived and nginx on every balancer, for comparison
    #[arg(long)]
    pub real: bool,
    /// Print the scenarios there are, and which of them the cluster plays by itself
    #[arg(long)]
    pub list: bool,
}

/// Exit codes: 0 all as expected, 1 not, 2 couldn't be played, 128 + N ended by signal N.
pub fn rehearse(options: &Options) -> ExitCode {
    match run(options) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("evenkeel: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Outcome<u8> {
    let (sources, diagnostics, cluster) = cluster_file::read(&options.dir);
    complain(&sources, &diagnostics, options.json);
    let Some(mut cluster) = cluster else { return Ok(2) };
    if options.list {
        for scenario in &cluster.scenarios {
            let played = if scenario.played { "played" } else { "on request" };
            println!("{:<20} {played}", scenario.name);
        }
        return Ok(0);
    }
    for name in &options.scenario {
        if scenario::named(name).is_none() {
            let known: Vec<&str> = scenario::all().map(|known| known.name).collect();
            let known = known.join(", ");
            return Err(Failure(format!("there is no scenario \"{name}\"; there are: {known}")));
        }
    }
    if options.real {
        cluster.balancers.iter_mut().for_each(|host| host.daemon = Daemon::Real);
    }
    if cluster.balancers.iter().any(|host| host.daemon == Daemon::Real) {
        for program in ["/usr/sbin/keepalived", "/usr/sbin/nginx"] {
            if !Path::new(program).exists() {
                return Err(Failure(format!("{program} is not installed, and a balancer runs it")));
            }
        }
        if !namespace::is_root() {
            let why = "the real programs change their user, which takes root";
            return Err(Failure(format!("{why}: run the rehearsal as root")));
        }
    }
    let mut remarks = Vec::new();
    if !host::has_killall() {
        remarks.push("no killall on this host: the balancers have a stand-in".to_owned());
    }
    enter_namespaces(&mut remarks)?;
    let scenarios = scenario::chosen(&cluster.scenarios, &options.scenario);
    let place = options.dir.display().to_string();
    let (json, colour) = (options.json, !options.json && wants_colour());
    let mut stage = start(&Play { place, cluster, scenarios, json, colour, remarks })?;
    await_end(&mut stage)
}

fn complain(sources: &SourceMap, diagnostics: &Diagnostics, json: bool) {
    let colour = std::io::stderr().is_terminal() && no_color_unset();
    for diagnostic in diagnostics.iter() {
        if json {
            eprintln!("{}", render::json(sources, diagnostic));
        } else {
            eprint!("{}", render::evenkeel(sources, diagnostic, colour));
        }
    }
}

fn enter_namespaces(remarks: &mut Vec<String>) -> Outcome<()> {
    const NEEDS: &str = "a rehearsal makes network, process and mount namespaces: run it as root, \
                         or where users may make user namespaces";
    if !namespace::is_root() {
        namespace::become_root_in_user_namespace().doing(NEEDS)?;
        remarks.push("not root: in a user namespace, where only your own user exists".to_owned());
    }
    namespace::enter(namespace::HOST).doing(NEEDS)
}

/// Source: no-color.org.
fn no_color_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn wants_colour() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && no_color_unset() && !dumb
}

/// The stage has a process group of its own: Ctrl-C on the terminal reaches only this process,
/// which then ends the stage and so everything.
fn start(play: &Play) -> Outcome<Child> {
    let doing = "cannot start the rehearsal";
    let program = std::env::current_exe().doing(doing)?;
    let mut stage = Command::new(program)
        .arg0("evenkeel")
        .args(["lab", "stage"])
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .doing(doing)?;
    let mut line = serde_json::to_vec(play).doing(doing)?;
    line.push(b'\n');
    if let Some(input) = &mut stage.stdin {
        input.write_all(&line).doing(doing)?;
    }
    Ok(stage)
}

fn await_end(stage: &mut Child) -> Outcome<u8> {
    let doing = "cannot wait for the rehearsal";
    let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    let mut awaited: SigSet = ends.into_iter().collect();
    awaited.add(Signal::SIGCHLD);
    awaited.thread_block().doing(doing)?;
    loop {
        // The stage may have ended before its signal could be awaited.
        if let Some(status) = stage.try_wait().doing(doing)? {
            let killed = status.signal().map(|signal| 128 + signal);
            return Ok(status.code().or(killed).unwrap_or(2).try_into().unwrap_or(2));
        }
        let signal = awaited.wait().doing(doing)?;
        if ends.contains(&signal) {
            eprintln!("\nevenkeel: {signal}: taking the cluster down");
            stage.kill().doing(doing)?;
            stage.wait().doing(doing)?;
            return Ok((128 + signal as i32) as u8);
        }
    }
}
