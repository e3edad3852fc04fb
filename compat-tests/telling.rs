//! Whom a daemon tells: notify scripts, FIFOs, mail, startup and shutdown scripts. Debian's
//! keepalived and Evenkeel live the same life, and what they told is compared.
//!
//! Needs root, iproute2, keepalived, python3-aiosmtpd.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::{Daemon, Maker, is_clean};
use super::bed::{Bed, Host, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

/// What was told, by the moment of the life.
type Told = BTreeMap<(usize, &'static str), Vec<String>>;

/// A node whose telling is written down.
struct Listener {
    /// Goes before its bed.
    daemon: Option<Daemon>,
    bed: Bed,
    /// Lines so far: of scripts, of the FIFO, of mail.
    seen: [usize; 3],
    told: Told,
    fifo_reader: Option<std::thread::JoinHandle<()>>,
    over: Arc<AtomicBool>,
    mail_server: Child,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.mail_server.kill();
        let _ = self.mail_server.wait();
        if let Some(reader) = self.fifo_reader.take() {
            let _ = reader.join();
        }
    }
}

impl Listener {
    fn new() -> Listener {
        let bed = Bed::new(2);
        for name in ["notes", "lines", "mail"] {
            fs::write(bed.path(name), "").unwrap();
        }
        // Scripts run as nobody, too.
        fs::set_permissions(bed.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(bed.path("notes"), fs::Permissions::from_mode(0o666)).unwrap();
        let notes = bed.path("notes");
        let note = "echo \"$* umask $(umask) as $(id -u):$(id -g)\"";
        bed.script("note", &format!("{note} >> {}", notes.display()));
        let over = Arc::new(AtomicBool::new(false));
        let (path, lines, stop) = (bed.path("vrrp.fifo"), bed.path("lines"), over.clone());
        let reader = std::thread::spawn(move || read_fifo(&path, &lines, &stop));
        let _ = fs::remove_file(bed.path("mail"));
        let mut server = bed.hosts[0].command("/usr/bin/python3");
        server.arg("fixtures/telling/smtpd.py").arg("2525").arg(bed.path("mail"));
        let mail_server = server.spawn().unwrap();
        wait_until("the mail server listens", PATIENCE, || bed.path("mail").exists());
        Listener {
            bed,
            daemon: None,
            seen: [0; 3],
            told: Told::new(),
            fifo_reader: Some(reader),
            over,
            mail_server,
        }
    }

    fn start(&mut self, maker: Maker, config: &str) {
        self.daemon = Some(Daemon::start(&self.bed, self.host(), maker, config));
    }

    fn host(&self) -> &Host {
        &self.bed.hosts[0]
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Waits until so many lines more were told each way, and a while for surplus ones.
    fn moment(&mut self, at: usize, expected: [usize; 3]) {
        let files = ["notes", "lines", "mail"];
        let count = |name: &str| lines(&self.bed.path(name)).len();
        let begun = Instant::now();
        while !(0..3).all(|i| count(files[i]) >= self.seen[i] + expected[i]) {
            if begun.elapsed() > PATIENCE {
                let texts = files.map(|name| fs::read_to_string(self.bed.path(name)).unwrap());
                panic!("moment {at}: {:?} seen, {expected:?} more expected\n{texts:#?}", self.seen);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(400));
        let folder = self.bed.folder.path().display().to_string();
        for (i, name) in files.into_iter().enumerate() {
            let all = lines(&self.bed.path(name));
            let mut new: Vec<String> =
                all[self.seen[i]..].iter().map(|line| comparable(line, &folder)).collect();
            self.seen[i] = all.len();
            // Instances aren't in step with each other; scripts and mails of one moment go on
            // beside each other.
            match name {
                "lines" => new.sort_by_key(|line| line.split(' ').nth(1).map(str::to_owned)),
                _ => new.sort(),
            }
            self.told.insert((at, name), new);
        }
    }
}

/// Without what differs from run to run.
fn comparable(line: &str, folder: &str) -> String {
    let mut line = line.replace(folder, "FOLDER");
    if let Some(at) = line.find("Date: ") {
        let end = line[at..].find("\\r\\n").unwrap() + at;
        line.replace_range(at..end, "Date: D");
    }
    line
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Writes down what comes through a FIFO, whoever makes it anew.
fn read_fifo(path: &Path, out: &Path, over: &AtomicBool) {
    let mut open: Option<(fs::File, u64)> = None;
    let mut text = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let inode = fs::metadata(path).ok().map(|it| it.ino());
        if let Some((file, _)) = &mut open {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = file.read(&mut bytes) {
                text.extend_from_slice(&bytes[..n]);
            }
        }
        if !text.is_empty() {
            let before = fs::read(out).unwrap();
            fs::write(out, [before, std::mem::take(&mut text)].concat()).unwrap();
        }
        if inode.is_some() && inode != open.as_ref().map(|(_, inode)| *inode) {
            let mut options = fs::OpenOptions::new();
            let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
            open = file.ok().zip(inode);
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

fn config(bed: &Bed, kept_only: bool) -> String {
    let folder = bed.folder.path().display();
    let note = bed.path("note");
    let note = note.display();
    let scripts = |name: &str| {
        ["master", "backup", "fault", "stop"]
            .map(|state| format!("  notify_{state} \"{note} {name} {state} 'a b'\" nobody\n"))
            .concat()
    };
    let mut text = format!(
        "global_defs {{
  router_id lab1
  script_user root
  startup_script \"{note} startup\"
  shutdown_script \"{note} shutdown\"
  notification_email {{
    root@example.com other@example.org
    third@example.net
  }}
  notification_email_from ka@lab.example
  smtp_server 127.0.0.1 2525
  smtp_helo_name lab.example
  smtp_alert
  vrrp_notify_fifo {folder}/vrrp.fifo nobody
  vrrp_notify_fifo_script \"{note} reader\"
  vrrp_notify_priority_changes
}}
vrrp_script weighs {{
  script \"/usr/bin/test ! -e {folder}/weighs\"
  interval 1
  weight -20
}}
vrrp_script decides {{
  script \"/usr/bin/test ! -e {folder}/decides\"
  interval 1
}}
vrrp_instance kept {{
  interface eth0
  version 3
  advert_int 0.2
  virtual_router_id 51
  priority 150
  virtual_ipaddress {{
    192.0.2.51
  }}
  track_script {{
    weighs
    decides
  }}
{}  notify \"{note} kept any\"
  notify_master_rx_lower_pri \"{note} kept lower\"
}}
",
        scripts("kept")
    );
    if !kept_only {
        for (name, vrid, deleted) in [
            ("plain", 52, "smtp_alert off"),
            ("mute", 53, "notify_deleted\n  notify_priority_changes no"),
            ("loud", 54, &format!("notify_deleted \"{note} loud deleted\"")),
        ] {
            text += &format!(
                "vrrp_instance {name} {{
  interface eth0
  version 3
  advert_int 0.2
  virtual_router_id {vrid}
  virtual_ipaddress {{
    192.0.2.{vrid}
  }}
{}  notify \"{note} {name} any\"
  {deleted}
}}
",
                scripts(name)
            );
        }
    }
    text
}

fn live(maker: Maker) -> Told {
    let mut node = Listener::new();
    let whole = config(&node.bed, false);
    node.start(maker, &whole);
    let touch = |node: &Listener, name: &str| fs::write(node.bed.path(name), "").unwrap();
    let remove = |node: &Listener, name: &str| fs::remove_file(node.bed.path(name)).unwrap();
    // The script before all, the reader, four backups and masters.
    node.moment(0, [2 + 16, 8, 6]);
    let fifo = fs::metadata(node.bed.path("vrrp.fifo")).unwrap();
    node.told.insert((0, "fifo"), vec![format!("{:o} {}:{}", fifo.mode(), fifo.uid(), fifo.gid())]);
    touch(&node, "weighs");
    node.moment(1, [0, 1, 0]);
    remove(&node, "weighs");
    node.moment(2, [0, 1, 0]);
    touch(&node, "decides");
    node.moment(3, [2, 1, 1]);
    remove(&node, "decides");
    node.moment(4, [4, 2, 2]);
    // Three instances go, the reader begins anew.
    node.daemon().reconfigure(&config(&node.bed, true));
    node.daemon().signal("HUP");
    node.moment(5, [5, 3, 2]);
    let mut advert = node.bed.hosts[1].command("/usr/bin/python3");
    advert.arg("fixtures/telling/advert.py");
    advert.args(["192.168.80.123", "51", "50", "192.0.2.51"]);
    assert!(advert.status().unwrap().success());
    node.moment(6, [1, 1, 0]);
    assert!(is_clean(node.daemon.take().unwrap().stop()));
    node.moment(7, [3, 1, 0]);
    assert!(!node.bed.path("vrrp.fifo").exists(), "{maker:?}: the FIFO is removed");
    std::mem::take(&mut node.told)
}

/// Scripts with their arguments, user and umask, lines of the FIFO, mails: at each moment of a
/// node's life the same from both.
#[test]
fn a_life_is_told_as_by_keepalived() {
    let [theirs, ours] = std::thread::scope(|scope| {
        [Debian, Evenkeel]
            .map(|maker| scope.spawn(move || live(maker)))
            .map(|it| it.join().unwrap())
    });
    for (moment, theirs) in &theirs {
        eprintln!("{moment:?}: {theirs:#?}");
        assert_eq!(&ours[moment], theirs, "{moment:?}");
    }
    assert_eq!(ours.len(), theirs.len());
}

/// A FIFO that nobody reads costs lines, which is logged, and nothing else.
#[test]
fn an_unread_fifo_blocks_nobody() {
    let bed = Bed::new(1);
    let fifo = bed.path("full.fifo");
    let flag = bed.path("flag");
    let config = format!(
        "global_defs {{\n  script_user root\n  notify_fifo {}\n  vrrp_notify_priority_changes\n}}\n\
         vrrp_script weighs {{\n  script \"/usr/bin/test ! -e {}\"\n  weight -20\n}}\n\
         vrrp_instance VI_1 {{\n  interface eth0\n  virtual_router_id 51\n  virtual_ipaddress {{\n    \
         192.0.2.51\n  }}\n  track_script {{\n    weighs\n  }}\n}}\n",
        fifo.display(),
        flag.display()
    );
    let daemon = Daemon::start(&bed, &bed.hosts[0], Evenkeel, &config);
    wait_until("master", PATIENCE, || daemon.log().contains("Entering MASTER STATE"));
    // What is said at the start must be through, or else it would be what is lost.
    let mut said = Vec::new();
    wait_until("it is told as master", PATIENCE, || {
        // Nothing there yet is no error here.
        let _ = open(&fifo).read_to_end(&mut said);
        String::from_utf8_lossy(&said).contains(" MASTER ")
    });
    fill(&fifo);
    fs::write(&flag, "").unwrap();
    let said = format!("FIFO {}: lines are lost: it is full, nobody reads it", fifo.display());
    wait_until("it is said", PATIENCE, || daemon.log().contains(&said));
    drain(&fifo);
    fs::remove_file(&flag).unwrap();
    let said = format!("FIFO {} is read again; 1 lines were lost", fifo.display());
    wait_until("that it is over is said", PATIENCE, || daemon.log().contains(&said));
    assert!(is_clean(daemon.stop()));
    assert!(!fifo.exists());
}

fn open(fifo: &PathBuf) -> fs::File {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(fifo).unwrap()
}

fn fill(fifo: &PathBuf) {
    use std::io::Write;
    let mut file = open(fifo);
    for chunk in [4096, 1] {
        while file.write(&vec![b'x'; chunk]).is_ok() {}
    }
}

fn drain(fifo: &PathBuf) {
    let mut file = open(fifo);
    let mut bytes = [0; 65536];
    while let Ok(1..) = file.read(&mut bytes) {}
}

/// Whatever a startup script does, the daemon starts; and it is ended in time.
#[test]
fn startup_scripts_fail_and_hang_as_with_keepalived() {
    let run = |maker: Maker, body: &'static str| {
        let bed = Bed::new(1);
        let script = bed.script("outer", body);
        let script = script.display();
        let config = format!(
            "global_defs {{\n  script_user root\n  startup_script {script}\n  \
             startup_script_timeout 1\n  shutdown_script {script}\n  shutdown_script_timeout \
             1\n}}\nvrrp_instance VI_1 {{\n  interface eth0\n  virtual_router_id 51\n  \
             virtual_ipaddress {{\n    192.0.2.51\n  }}\n}}\n"
        );
        let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &config);
        wait_until("it starts", PATIENCE, || daemon.log().contains("Startup complete"));
        let log = bed.path("a-Debian.log");
        let log = if maker == Debian { log } else { bed.path("a-Evenkeel.log") };
        assert!(is_clean(daemon.stop()));
        let text = fs::read_to_string(log).unwrap();
        let about = text.lines().filter(|line| {
            ["startup script", "shutdown script"].iter().any(|it| line.contains(it))
        });
        let about = about.map(|line| line.split_once("2026: ").map_or(line, |(_, line)| line));
        let folder = bed.folder.path().display().to_string();
        about.map(|line| line.replace(&folder, "FOLDER")).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let bodies = ["exit 0", "exit 3", "sleep 100", "trap '' TERM\nsleep 100 &\nwait; wait"];
        let pairs = bodies
            .map(|body| [Debian, Evenkeel].map(|maker| scope.spawn(move || run(maker, body))));
        for (body, pair) in bodies.iter().zip(pairs) {
            let [theirs, ours] = pair.map(|it| it.join().unwrap());
            assert!(!theirs.is_empty());
            assert_eq!(ours, theirs, "{body}");
        }
    });
}

/// A service manager ends what is left of a service when its daemon has gone, and a container ends
/// with it: the daemon stays until its last scripts have done their work, but not for long.
#[test]
fn what_is_told_at_the_stop_has_a_second_to_be_done() {
    let stop = |maker: Maker, seconds: &str| {
        let bed = Bed::new(1);
        let done = bed.path("done");
        let body = format!("sleep {seconds}\necho $1 >>{}", done.display());
        let script = bed.script("stop.sh", &body).display().to_string();
        let config = format!(
            "global_defs {{\n  script_user root\n}}\nvrrp_instance VI_1 {{\n  interface eth0\n  \
             virtual_router_id 51\n  virtual_ipaddress {{\n    192.0.2.51\n  }}\n  notify_stop \
             \"{script} stop\"\n}}\n"
        );
        let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &config);
        wait_until("master", PATIENCE, || daemon.log().contains("Entering MASTER STATE"));
        let begun = Instant::now();
        assert!(is_clean(daemon.stop()));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        fs::read_to_string(done).ok()
    };
    std::thread::scope(|scope| {
        let runs = [(Debian, "0.5"), (Evenkeel, "0.5"), (Debian, "6"), (Evenkeel, "6")];
        let runs = runs.map(|(maker, time)| (time, scope.spawn(move || stop(maker, time))));
        for (time, run) in runs {
            let expected = (time == "0.5").then(|| "stop\n".to_owned());
            assert_eq!(run.join().unwrap(), expected, "sleep {time}");
        }
    });
}
