//! The steps of a case: each does something, and says what was seen.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};
use std::str::FromStr;
use std::time::{Duration, Instant};

use evenkeel::kernel::namespace;
use nix::sys::signal::Signal;

use crate::proxy::program::Which;

use super::client::{self, Client, Wire};
use super::crowd::Crowd;
use super::dns::Dns;
use super::play::World;
use super::program::{self, Program, until};
use super::server::Server;
use super::tls;

type Seen = Result<Vec<String>, String>;

const NOTHING: Vec<String> = Vec::new();

pub(super) fn take(world: &mut World, words: &[Vec<u8>]) -> Seen {
    let texts: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    match &texts[..] {
        ["peer", name, "dns", rest @ ..] => {
            world.name_servers.insert((*name).to_owned(), Dns::start(rest)?);
            Ok(NOTHING)
        }
        ["dns", name, rules @ ..] => name_server(world, name)?.change(rules).map(|()| NOTHING),
        ["asked", name] => name_server(world, name)?.asked(0),
        ["asked", name, count] => name_server(world, name)?.asked(number(count)?),
        ["renewed", name, host] => name_server(world, name)?.renewed(host).map(|()| NOTHING),
        ["peer", name, ..] => {
            let server = Server::start(name, &words[2..])?;
            world.servers.insert((*name).to_owned(), server);
            Ok(NOTHING)
        }
        ["end", name] if world.name_servers.remove(*name).is_some() => Ok(NOTHING),
        ["end", name] => world.servers.remove(*name).map(|_| NOTHING).ok_or("no such peer".into()),
        ["saw", name] => server(world, name)?.saw(),
        ["saw", name, count] => {
            let server = server(world, name)?;
            server.has(number(count)?)?;
            server.saw()
        }
        ["start", arguments @ ..] => start(world, arguments),
        ["run", ..] => {
            let mut command = program::nginx(world.folder.path());
            command.args(words[1..].iter().map(|word| OsStr::from_bytes(word)));
            Ok(ended(&program::run(command, world.folder.path())?))
        }
        ["sh", _] => {
            let mut command = program::within(Command::new("sh"), world.folder.path());
            command.arg("-c").arg(OsStr::from_bytes(&words[1]));
            let master = world.program.as_ref().map(Program::master);
            let master = master.or_else(|| program::pid_file(world.folder.path()));
            command.env("MASTER", master.unwrap_or_default().to_string());
            Ok(ended(&program::run(command, world.folder.path())?))
        }
        ["reload"] => running(world)?.reload().map(|()| workers(world)),
        ["reload", config] => {
            configure(world, config)?;
            running(world)?.reload().map(|()| workers(world))
        }
        ["config", config] => configure(world, config).map(|()| NOTHING),
        ["signal", signal] => send(master(world)?, signal),
        ["signal", signal, "worker"] => {
            let worker = program::children(master(world)?).last().copied();
            send(worker.ok_or("no worker")?, signal)
        }
        ["ends"] => match world.program.take() {
            Some(program) => Ok(vec![program.wait()?]),
            None => {
                let pid = world.daemon.take().ok_or("nothing runs")?;
                let gone = || !std::path::Path::new(&format!("/proc/{pid}")).exists();
                until("it doesn't end", gone).map(|()| vec!["gone".to_owned()])
            }
        },
        ["daemon"] => {
            // It went into the background: by its pid file.
            let folder = world.folder.path().to_owned();
            until("no pid file", || program::pid_file(&folder).is_some())?;
            world.daemon = program::pid_file(&folder);
            let pid = master(world)?;
            until("no worker", || !program::children(pid).is_empty())?;
            world.known.master(pid);
            Ok(workers(world))
        }
        ["pid", file] => Ok(vec![String::from_utf8_lossy(&world.read(file)).trim().to_owned()]),
        ["processes"] => Ok(processes(master(world)?)),
        ["sleep", time] => {
            std::thread::sleep(milliseconds(time)?);
            Ok(NOTHING)
        }
        ["grows", most, ..] => grown(world, most, &words[2..]),
        ["disk", folder, size] => {
            let at = world.path(folder);
            std::fs::create_dir_all(&at).map_err(|error| error.to_string())?;
            let made = namespace::mount_memory(&at, &format!("size={size},mode=777"));
            world.disks.push(at);
            made.map(|()| NOTHING).map_err(|error| error.to_string())
        }
        ["took", bounds, ..] => timed(world, bounds, &words[2..]),
        ["ask", to, rest @ ..] => ask(world, to, rest, &words[2..], false),
        ["ask-udp", to, rest @ ..] => ask(world, to, rest, &words[2..], true),
        ["await", file, text] => awaited(world, file, text, 1),
        ["await", file, text, count] => awaited(world, file, text, number(count)?),
        ["log", file] => lines(world, file, 1, |_| true),
        ["log", file, count] => lines(world, file, number(count)?, |_| true),
        ["errors"] => lines(world, "error.log", 0, bad),
        ["errors", count] => lines(world, "error.log", number(count)?, bad),
        ["story", count] => lines(world, "error.log", number(count)?, |line| {
            !line.contains(" [notice] ") && !line.contains(" [debug] ")
        }),
        ["grep", file, text] => {
            let text = (*text).to_owned();
            lines(world, file, 0, move |line| line.contains(&text))
        }
        ["cat", file] => match std::fs::read(world.path(file)) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
            Err(error) => Ok(vec![client::name(&error)]),
        },
        ["write", file, _] => {
            let written = std::fs::write(world.path(file), &words[2]);
            written.map(|()| NOTHING).map_err(|error| error.to_string())
        }
        ["move", from, to] => {
            let moved = std::fs::rename(world.path(from), world.path(to));
            moved.map(|()| NOTHING).map_err(|error| error.to_string())
        }
        ["remove", file] => {
            let removed = std::fs::remove_file(world.path(file));
            removed.map(|()| NOTHING).map_err(|error| error.to_string())
        }
        [name, verb, rest @ ..] => of_client(world, name, verb, rest, &words[2..]),
        _ => Err("no such step".into()),
    }
}

fn name_server<'a>(world: &'a World, name: &str) -> Result<&'a Dns, String> {
    world.name_servers.get(name).ok_or_else(|| format!("no such name server: {name}"))
}

/// `NAME VERB …`
fn of_client(world: &mut World, name: &str, verb: &str, rest: &[&str], bytes: &[Vec<u8>]) -> Seen {
    match (verb, rest) {
        ("connect" | "udp", [to, from @ ..]) => {
            let from = match from {
                [] => None,
                ["from", from] => Some(*from),
                _ => return Err("connect ADDRESS [from ADDRESS]".into()),
            };
            let made =
                if verb == "udp" { Client::udp(to, from) } else { Client::connect(to, from) };
            return match made {
                Ok(client) => {
                    if let Some(port) = client.port() {
                        world.known.client(port, name);
                    }
                    world.clients.insert(name.to_owned(), client);
                    Ok(NOTHING)
                }
                Err(error) => Ok(vec![client::name(&error)]),
            };
        }
        ("tls", options) => return handshake(world, name, options),
        ("crowd" | "crowd-udp", [count, to, ..]) => {
            let bytes = bytes.get(2).map_or(&[][..], Vec::as_slice);
            let count = number(count)?;
            let crowd = match verb {
                "crowd" => Crowd::connect(to, count, bytes)?,
                _ => Crowd::send(to, count, bytes)?,
            };
            let come = crowd.len();
            world.crowds.insert(name.to_owned(), crowd);
            return Ok(if come == count { NOTHING } else { vec![format!("{come} of {count}")] });
        }
        ("ends", patience) if world.crowds.contains_key(name) => {
            let patience = patience.first().map_or(Ok(program::PATIENCE), |it| milliseconds(it))?;
            let crowd = world.crowds.get_mut(name).map(|crowd| crowd.ends(patience));
            return Ok(crowd.unwrap_or_default());
        }
        ("leaves", []) => {
            return world.crowds.remove(name).map(|_| NOTHING).ok_or("no such crowd".into());
        }
        _ => {}
    }
    let client =
        world.clients.get_mut(name).ok_or_else(|| format!("no such step: {name} {verb}"))?;
    match (verb, rest) {
        ("send", [_]) => done(client.send(&bytes[0])),
        ("send", [_, "slowly"]) => {
            for byte in &bytes[0] {
                client.send(&[*byte]).map_err(|error| error.to_string())?;
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(NOTHING)
        }
        ("raw", [_]) => done(client.send_raw(&bytes[0])),
        ("recv", [count]) => Ok(vec![client.receive(number(count)?)]),
        ("recv", []) => Ok(vec![client.receive(match client {
            Client::Udp(_) => 65536,
            _ => 1,
        })]),
        ("rest", []) => Ok(vec![client.rest()]),
        ("quiet", [time]) => {
            client.quiet(milliseconds(time)?).map(|came| vec![came]).map_err(|it| it.to_string())
        }
        ("half-close", []) => done(client.half_close()),
        ("close", []) => {
            world.clients.remove(name);
            Ok(NOTHING)
        }
        ("reset", []) => {
            client.reset();
            Ok(NOTHING)
        }
        ("vanish", []) => done(client.vanish()),
        _ => Err(format!("a client can't do that: {verb} {}", rest.join(" "))),
    }
}

fn handshake(world: &mut World, name: &str, options: &[&str]) -> Seen {
    let words: Vec<String> = options.iter().map(|it| (*it).to_owned()).collect();
    let client = world.clients.remove(name).ok_or("no such client")?;
    let Client::Plain(wire @ (Wire::Tcp(_) | Wire::Unix(_))) = client else {
        return Err("TLS needs a stream".into());
    };
    let (client, said) = tls::connect(wire, &words, &world.kept)?;
    world.clients.insert(name.to_owned(), client);
    Ok(vec![said])
}

/// One connection after the other: what each is told. `[REQUEST] [times N] [from ADDRESS]`
fn ask(world: &mut World, to: &str, rest: &[&str], bytes: &[Vec<u8>], udp: bool) -> Seen {
    let (mut request, mut times, mut from) = (None, 1, None);
    let mut at = 0;
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            ("times", Some(count)) => times = number(count)?,
            ("from", Some(address)) => from = Some(*address),
            (_, _) if request.is_none() => {
                request = Some(&bytes[at]);
                at += 1;
                continue;
            }
            _ => return Err("ask ADDRESS [REQUEST] [times N] [from ADDRESS]".into()),
        }
        at += 2;
    }
    let mut answers = Vec::new();
    for _ in 0..times {
        let made = if udp { Client::udp(to, from) } else { Client::connect(to, from) };
        let mut client = match made {
            Ok(client) => client,
            Err(error) => {
                answers.push(client::name(&error));
                continue;
            }
        };
        world.known.client(client.port().unwrap_or_default(), "ask");
        if let Some(request) = request {
            client.send(request).map_err(|error| error.to_string())?;
        }
        let answer = if udp { client.receive(65536) } else { client.rest() };
        // The usual end needs no word.
        let answer = answer.strip_suffix(" EOF").unwrap_or(&answer);
        let bare = answer.trim_matches('"');
        let plain = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric());
        answers.push(if plain { bare.to_owned() } else { answer.to_owned() });
    }
    Ok(vec![answers.join(" ")])
}

fn start(world: &mut World, arguments: &[&str]) -> Seen {
    let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
    match Program::start(world.which, world.folder.path(), &arguments)? {
        Ok(program) => {
            world.known.master(program.master());
            world.program = Some(program);
            Ok(workers(world))
        }
        Err(output) => Ok(ended(&output)),
    }
}

/// Remembers the workers that there are by now.
fn workers(world: &mut World) -> Vec<String> {
    if let Ok(pid) = master(world) {
        world.known.workers(program::children(pid));
    }
    NOTHING
}

/// A step that takes between so many and so many milliseconds: `300..900`.
fn timed(world: &mut World, bounds: &str, words: &[Vec<u8>]) -> Seen {
    let (least, most) = bounds.split_once("..").ok_or("took LEAST..MOST STEP")?;
    let (least, most) = (milliseconds(least)?, milliseconds(most)?);
    let begun = Instant::now();
    let mut seen = take(world, words)?;
    let taken = begun.elapsed();
    seen.push(match (least..=most).contains(&taken) {
        true => format!("within {bounds} ms"),
        false => format!("after {} ms, not {bounds}", taken.as_millis()),
    });
    Ok(seen)
}

/// By how many megabytes, at most, the worker's own memory grows in a step, and stays grown:
/// nginx's, and Evenkeel's (`24/3`).
fn grown(world: &mut World, bounds: &str, words: &[Vec<u8>]) -> Seen {
    let (nginxs, ours) = bounds.split_once('/').ok_or("grows NGINX/EVENKEEL STEP")?;
    let most = number(match world.which {
        Which::Nginx => nginxs,
        Which::Evenkeel => ours,
    })?;
    let worker = program::children(master(world)?).last().copied().ok_or("no worker")?;
    // It may still be starting.
    let mut before = program::memory(worker)?;
    until("its memory changes and changes", || {
        std::thread::sleep(Duration::from_millis(100));
        let then = std::mem::replace(&mut before, program::memory(worker).unwrap_or_default());
        then == before
    })?;
    let mut seen = take(world, words)?;
    let grown = program::memory(worker)?.saturating_sub(before) / 1024;
    seen.push(match grown <= most as u64 {
        true => format!("no more than {bounds} MB"),
        false => format!("{grown} MB, more than {most}"),
    });
    Ok(seen)
}

fn awaited(world: &World, file: &str, text: &str, count: usize) -> Seen {
    let so_many = || String::from_utf8_lossy(&world.read(file)).matches(text).count() >= count;
    until(&format!("no {text:?} in {file}"), so_many).map(|()| NOTHING)
}

/// The lines of a log that count, when there are as many as that.
fn lines(world: &World, file: &str, count: usize, counts: impl Fn(&str) -> bool) -> Seen {
    let all = || -> Vec<String> {
        let text = world.read(file);
        let text = String::from_utf8_lossy(&text);
        // Not one that is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = if whole.is_empty() { None } else { Some(whole.split('\n')) };
        lines.into_iter().flatten().filter(|line| counts(line)).map(str::to_owned).collect()
    };
    let come = until(&format!("{count} lines"), || all().len() >= count);
    come.map_err(|why| format!("{why}, only {:#?}", all()))?;
    if count > 0 {
        // One too many would come at once.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(all())
}

/// Warnings and worse.
fn bad(line: &str) -> bool {
    !["[info]", "[notice]", "[debug]"].iter().any(|level| line.contains(level))
}

/// `exit 1`, and what it said.
fn ended(output: &Output) -> Vec<String> {
    let mut seen = vec![program::exit(&output.status)];
    for (name, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
        let text = String::from_utf8_lossy(bytes);
        seen.extend(text.lines().map(|line| format!("{name}: {line}")));
    }
    seen
}

/// The titles of the master and its children, each once.
fn processes(master: u32) -> Vec<String> {
    let title = |pid: u32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
    };
    // A new process has its parent's title for a moment.
    let untitled = |pid: &u32| title(*pid) == title(master);
    let _ = until("the titles", || !program::children(master).iter().any(untitled));
    let mut titles: Vec<String> = program::children(master).into_iter().map(title).collect();
    titles.sort();
    titles.dedup();
    titles.insert(0, title(master));
    titles
}

fn configure(world: &World, config: &str) -> Result<(), String> {
    let text = world.configs.get(config).ok_or_else(|| format!("no config {config}"))?;
    std::fs::write(world.path("nginx.conf"), text).map_err(|error| error.to_string())
}

fn send(pid: u32, signal: &str) -> Seen {
    let signal = Signal::from_str(&format!("SIG{signal}")).map_err(|_| "no such signal")?;
    program::send(pid, signal).map(|()| NOTHING)
}

fn master(world: &World) -> Result<u32, String> {
    let foreground = world.program.as_ref().map(Program::master);
    foreground.or(world.daemon).ok_or_else(|| "nothing runs".to_owned())
}

fn running(world: &World) -> Result<&Program, String> {
    world.program.as_ref().ok_or_else(|| "nothing runs in the foreground".to_owned())
}

fn server<'a>(world: &'a World, name: &str) -> Result<&'a Server, String> {
    world.servers.get(name).ok_or_else(|| format!("no peer {name}"))
}

fn done(result: std::io::Result<()>) -> Seen {
    // That it fails is something seen.
    Ok(result.err().map(|error| client::name(&error)).into_iter().collect())
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    Ok(Duration::from_millis(number(text.trim_end_matches("ms"))? as u64))
}
