//! Where the files of a running daemon are, what they and its processes are called, and what is left of
//! them at its end: by instance, network namespace and the keywords for it. Each daemon is alone on a
//! host of its own, with `/run` and `/tmp` of its own.

use std::process::Command;

use super::Maker::{self, Debian, Evenkeel};

/// `$1` is the program, `$2` the config. Says what there is while it runs, and afterwards.
const LIFE: &str = r#"
ip link set lo up
# By its name, wherever it is.
mount -t tmpfs none /mnt; touch /mnt/keepalived; mount --bind "$1" /mnt/keepalived
mount -t tmpfs none /tmp; mount -t tmpfs none /run; mkdir /run/netns /tmp/elsewhere /tmp/folder
ip netns add blue-net
for at in "" "-n blue-net"; do
  ip $at link add eth0 type veth peer name far
  ip $at link set eth0 up; ip $at link set far up; ip $at addr add 192.168.80.122/24 dev eth0
done
printf %s "$2" > /tmp/conf
/mnt/keepalived -n -l -D -P -f /tmp/conf > /tmp/log 2>&1 &
pid=$!
patience() { tries=0; until eval "$1"; do tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "not: $1"; break; }; sleep 0.1; done; }
patience '{ ip -br addr show eth0; ip -n blue-net -br addr show eth0; } | grep -q 80.100'
patience 'grep -q "Startup complete" /tmp/log'
for signal in USR1 USR2 36; do kill -s $signal $pid; done
patience "ls $4 > /dev/null 2>&1"
sleep 0.5
child=$(cat /proc/$pid/task/*/children | tr -d ' ')
echo "processes: $(cat /proc/$pid/comm) $(cat /proc/$child/comm)"
cd /proc/$pid/root
for file in $(find tmp run -type f | sort); do
  case $file in
    tmp/conf|tmp/log|run/netns/*) ;;
    *.pid) case $(cat $file) in $pid) echo "$file: parent";; $child) echo "$file: child";; *) echo "$file: ?";; esac;;
    *json*) echo "$file: $(stat -c %a $file) $(head -c 8 $file)";;
    *) echo "$file: $(stat -c %a $file)";;
  esac
done
cd /
kill $pid; wait $pid; echo "ended: $?"
find /run -not -path '/run/netns*' | sort
grep -o "Changing syslog ident.*" /tmp/log
[ -z "$3" ] || cat /tmp/log
"#;

/// What it said; with `log`, that, too. It has dumped when all of `dumps` are there.
fn live(maker: Maker, config: &str, dumps: &str, log: bool) -> Vec<String> {
    let program = match maker {
        Debian => "/usr/sbin/keepalived",
        Evenkeel => env!("CARGO_BIN_EXE_evenkeel"),
    };
    let instance = "vrrp_instance VI_1 {\n interface eth0\n version 3\n virtual_router_id 51\n \
                    priority 200\n advert_int 0.1\n virtual_ipaddress {\n  192.168.80.100/24\n \
                    }\n}\n";
    let mut command = Command::new("unshare");
    command.args(["-m", "-n", "sh", "-c", LIFE, "sh", program, &format!("{config}{instance}")]);
    let output = command.args([if log { "log" } else { "" }, dumps]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// Words of both versions: the same names, modes, owners and remains, but for the dump of the parent,
/// which is the role's "Global definitions" once more.
#[test]
fn files_are_where_keepalived_has_them() {
    let global = |words: &str| format!("global_defs {{\n{words}}}\n");
    let dumps = |name: &str| {
        format!("/tmp/keepalived{name}.data /tmp/keepalived.stats /tmp/keepalived.json")
    };
    let cases = [
        (String::new(), dumps("")),
        (format!("instance blue\n{}", global("data_use_instance\n")), dumps(".blue")),
        (
            format!("net_namespace blue-net\ninstance blue\n{}", global("data_use_instance\n")),
            dumps(".blue-net_blue"),
        ),
        (
            format!("net_namespace blue-net\n{}", global("data_use_instance\numask 022\n")),
            dumps(".blue-net"),
        ),
        (
            format!("instance blue\nuse_pid_dir\n{}", global("process_names\nprocess_name boss\n")),
            dumps(""),
        ),
        (format!("use_pid_dir\n{}", global("process_names\n")), dumps("")),
        (global("vrrp_process_name hand\ndata_use_instance\n"), dumps("")),
    ];
    std::thread::scope(|scope| {
        let lives = cases.each_ref().map(|(config, dumps)| {
            [Debian, Evenkeel].map(|maker| scope.spawn(move || live(maker, config, dumps, false)))
        });
        for ((config, _), lives) in cases.iter().zip(lives) {
            let [mut theirs, ours] = lives.map(|it| it.join().unwrap());
            let parents = theirs.extract_if(.., |line| line.contains("keepalived_parent"));
            assert_eq!(parents.count(), 1, "{config}");
            eprintln!("{config}{ours:#?}");
            assert_eq!(ours, theirs, "{config}");
            assert!(ours.iter().any(|line| line == "ended: 0"), "{config}");
            assert_eq!(ours.iter().filter(|line| line.contains(".pid: ")).count(), 2, "{config}");
        }
    });
}

/// What only 2.4 has (keepalived.conf(5) there): other places, another form.
#[test]
fn dumps_are_where_the_config_wants_them() {
    let elsewhere = "global_defs {\n state_dump_file /tmp/elsewhere/state\n stats_dump_file \
                     /tmp/elsewhere/stats\n json_dump_file /tmp/elsewhere/dump.json\n json_version \
                     2\n data_use_instance\n}\ninstance blue\n";
    let impossible = "global_defs {\n state_dump_file /tmp/folder\n stats_dump_file \
                      /tmp/nowhere/stats\n json_dump_file relative.json\n json_version 3\n}\n";
    std::thread::scope(|scope| {
        let there = "/tmp/elsewhere/state /tmp/elsewhere/stats /tmp/elsewhere/dump.json";
        let ours = scope.spawn(move || live(Evenkeel, elsewhere, there, false));
        let log = live(Evenkeel, impossible, "/tmp/keepalived.json", true).join("\n");
        let ours = ours.join().unwrap();
        let files: Vec<&String> = ours.iter().filter(|it| it.starts_with("tmp/")).collect();
        let wanted = [
            "tmp/elsewhere/dump.json: 600 {\"vrrp\":",
            "tmp/elsewhere/state: 600",
            "tmp/elsewhere/stats: 600",
        ];
        assert_eq!(files, wanted);
        for said in [
            "json_dump_file 'relative.json' must be an absolute path",
            "json_version '3' must be 1 or 2",
            "Can't open dump file /tmp/folder",
            "Can't open dump file /tmp/nowhere/stats",
            // Both at their defaults.
            "tmp/keepalived.json: 600 [{\"data\"",
            "ended: 0",
        ] {
            assert!(log.contains(said), "{said}: {log}");
        }
    });
}
