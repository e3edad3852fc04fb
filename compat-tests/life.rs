//! The life of nginx's process, beside the real one: other executables, reloads and deaths under
//! load, what workers get of the machine. Each program is started in the background, as people
//! start it.

mod load;
mod master;
mod placement;
mod reload;
mod upgrade;

use load::{Load, echo};
use master::{Which, ip};

/// What the stream role says when a new plan is in force.
const RELOADED: &str = "new sessions go by the new configuration";
const MAIN: &str = "user nobody nogroup; worker_processes 2; events { worker_connections 4096; }";

fn assert_nothing_lost(load: Load) {
    let outcome = load.end();
    assert_eq!(outcome.failures, [""; 0], "of {} and {}", outcome.short, outcome.spoken);
    assert!(outcome.short > 10, "{outcome:?}");
}

/// A server in front of two that answer, and a unix socket.
fn proxy(n: u8) -> (String, String) {
    let (front, back) = (format!("{}:8080", ip(n)), format!("{}:9000", ip(n)));
    echo(&back);
    let stream = format!("server {{ listen {front}; listen unix:DIR/socket; proxy_pass {back}; }}");
    (front, stream)
}

fn same<T: PartialEq + std::fmt::Debug>(test: impl Fn(Which) -> T) {
    let nginx = test(Which::Nginx);
    let ours = test(Which::Evenkeel);
    assert_eq!(nginx, ours, "nginx on the left");
}
