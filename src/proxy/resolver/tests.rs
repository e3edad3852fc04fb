//! The machine with scripted name servers and a clock of the test's own.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{RData, Record, rdata};

use super::*;

fn settings(servers: u16) -> Settings {
    Settings {
        servers: (1..=servers).map(|port| ([127, 0, 0, 1], port).into()).collect(),
        valid: None,
        ipv4: true,
        ipv6: false,
        timeout: Duration::from_secs(7),
    }
}

struct Play {
    resolver: Resolver,
    start: Instant,
    out: Vec<Action>,
}

impl Play {
    fn new(settings: Settings) -> Self {
        let mut id = 0;
        let dice = move || {
            id += 1;
            id
        };
        let resolver = Resolver::new(settings, Box::new(dice));
        Self { resolver, start: Instant::now(), out: Vec::new() }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn ask(&mut self, at: u64, ticket: Ticket, host: &str) -> String {
        self.resolver.ask(self.at(at), ticket, host, &mut self.out);
        self.said()
    }

    /// The answer to the question whose number is this one.
    fn reply(&mut self, at: u64, server: usize, id: u16, host: &str, says: &str) -> String {
        let bytes = reply(id, host, says);
        self.resolver.receive(self.at(at), (server, false), &bytes, &mut self.out);
        self.said()
    }

    fn wait(&mut self, at: u64) -> String {
        self.resolver.expire(self.at(at), &mut self.out);
        self.said()
    }

    fn said(&mut self) -> String {
        let words = self.out.drain(..).map(|action| match action {
            Action::Send { server, tcp, bytes } => {
                let message = Message::from_vec(&bytes).unwrap();
                let (id, query) = (message.metadata.id, &message.queries[0]);
                let way = if tcp { "tcp" } else { "udp" };
                let name = query.name().to_ascii();
                format!("{way} {server}: {id} {name} {}", query.query_type())
            }
            Action::Answer { ticket, answer } => match answer.what {
                Ok(addresses) => format!("{ticket}={addresses:?}"),
                Err(failure) => format!("{ticket}={failure}"),
            },
            Action::Service { ticket, places } => format!("{ticket}={places:?}"),
            Action::Complain(text) => text,
        });
        words.collect::<Vec<_>>().join("; ")
    }
}

/// `says`: an address, or a response code.
fn reply(id: u16, host: &str, says: &str) -> Vec<u8> {
    let question = message::question(id, message::Kind::A, host).unwrap();
    let mut message = Message::from_vec(&question).unwrap();
    message.metadata.message_type = MessageType::Response;
    match says {
        "servfail" => message.metadata.response_code = ResponseCode::ServFail,
        "nxdomain" => message.metadata.response_code = ResponseCode::NXDomain,
        "cut" => message.metadata.truncation = true,
        address => {
            let address: Ipv4Addr = address.parse().unwrap();
            let name = message.queries[0].name().clone();
            message.add_answer(Record::from_rdata(name, 60, RData::A(rdata::A(address))));
        }
    }
    message.to_vec().unwrap()
}

#[test]
fn servers_take_turns_and_the_next_one_is_asked_when_one_is_silent() {
    let mut play = Play::new(settings(2));
    assert_eq!(play.ask(0, 1, "a.test"), "udp 0: 1 a.test. A");
    assert_eq!(play.ask(0, 2, "b.test"), "udp 1: 2 b.test. A");
    assert_eq!(play.wait(4999), "");
    assert_eq!(play.wait(5000), "udp 1: 3 a.test. A; udp 0: 4 b.test. A".to_owned());
    // Too late, and from the wrong one.
    assert_eq!(play.reply(5100, 0, 1, "a.test", "127.0.0.9"), "");
    assert_eq!(play.reply(5100, 0, 3, "a.test", "127.0.0.9"), "");
    assert_eq!(play.reply(5100, 1, 3, "b.test", "127.0.0.9"), "");
    assert_eq!(play.resolver.counts().ignored, 3);
    assert_eq!(play.reply(5100, 1, 3, "a.test", "127.0.0.1"), "1=[127.0.0.1]");
    assert_eq!(play.wait(7000), "2=110: Operation timed out");
    assert!(play.resolver.is_idle());
    assert_eq!(play.resolver.deadline(), None);
}

#[test]
fn another_server_is_asked_where_one_fails() {
    let mut play = Play::new(settings(3));
    play.ask(0, 1, "a.test");
    assert_eq!(play.reply(10, 0, 1, "a.test", "servfail"), "udp 1: 2 a.test. A");
    play.resolver.unreachable(play.at(20), 1, &mut play.out);
    assert_eq!(play.said(), "udp 2: 3 a.test. A");
    play.resolver.unreachable(play.at(20), 2, &mut play.out);
    assert_eq!(play.said(), "");
    assert_eq!(play.reply(30, 2, 3, "a.test", "servfail"), "1=2: Server failure");
    // A name that isn't there is nobody's failure.
    assert_eq!(play.ask(40, 2, "b.test"), "udp 1: 4 b.test. A");
    assert_eq!(play.reply(50, 1, 4, "b.test", "nxdomain"), "2=3: Host not found");
}

#[test]
fn who_asks_for_the_same_waits_for_the_same() {
    let mut play = Play::new(settings(1));
    assert_eq!(play.ask(0, 1, "a.test"), "udp 0: 1 a.test. A");
    assert_eq!(play.ask(3000, 2, "A.test."), "");
    assert_eq!(play.wait(5000), "udp 0: 2 a.test. A");
    assert_eq!(play.wait(7000), "1=110: Operation timed out");
    assert_eq!(play.reply(8000, 0, 2, "a.test", "127.0.0.1"), "2=[127.0.0.1]");
    assert_eq!(play.ask(67_000, 3, "a.test"), "3=[127.0.0.1]");
    assert_eq!(play.ask(68_000, 4, "a.test"), "udp 0: 3 a.test. A");
    assert_eq!(play.resolver.counts().cached, 1);
}

#[test]
fn what_is_cut_off_is_asked_for_over_tcp() {
    let mut play = Play::new(settings(1));
    play.ask(0, 1, "a.test");
    assert_eq!(play.reply(0, 0, 1, "a.test", "cut"), "tcp 0: 2 a.test. A");
    // Not over UDP any more.
    assert_eq!(play.reply(0, 0, 2, "a.test", "127.0.0.9"), "");
    let bytes = reply(2, "a.test", "127.0.0.1");
    play.resolver.receive(play.at(0), (0, true), &bytes, &mut play.out);
    assert_eq!(play.said(), "1=[127.0.0.1]");
}

#[test]
fn clients_who_make_up_names_find_bounds() {
    let mut play = Play::new(settings(1));
    for number in 0..HUNTS as u64 {
        play.ask(0, number, &format!("{number}.test"));
    }
    assert_eq!(play.ask(0, 0, "more.test"), "0=2: Server failure");
    assert_eq!(play.ask(0, 0, &"x".repeat(64)), "0=3: Host not found");
    assert_eq!(play.ask(0, 0, "a..test"), "0=3: Host not found");
    assert_eq!(play.ask(0, 0, ""), "0=3: Host not found");
    let address: Arc<[IpAddr]> = [IpAddr::from([127, 0, 0, 1])].into();
    let mut cache = Cache::default();
    for number in 0..40_000_u32 {
        let name: Arc<str> = number.to_string().into();
        cache.keep(play.start, &name, Arc::clone(&address), play.at(1000));
        assert!(cache.len() <= 10_000);
    }
    assert!(cache.host(play.start, "39999").is_some());
    assert!(cache.host(play.at(1000), "39999").is_none());
}

#[test]
fn broken_replies_are_no_replies() {
    let mut play = Play::new(settings(1));
    play.ask(0, 1, "a.test");
    let whole = reply(1, "a.test", "127.0.0.1");
    for end in 0..whole.len() {
        play.resolver.receive(play.start, (0, false), &whole[..end], &mut play.out);
    }
    // A question, and a name that points to itself.
    let question = message::question(1, message::Kind::A, "a.test").unwrap();
    play.resolver.receive(play.start, (0, false), &question, &mut play.out);
    let mut loops = whole.clone();
    loops[12..14].copy_from_slice(&[0xc0, 12]);
    play.resolver.receive(play.start, (0, false), &loops, &mut play.out);
    assert_eq!(play.said(), "");
    assert_eq!(play.resolver.counts().ignored, whole.len() as u64 + 2);
    assert_eq!(play.reply(0, 0, 1, "a.test", "127.0.0.1"), "1=[127.0.0.1]");
}

/// What the fuzz target asks for, without its tools: whoever asks is answered once, whatever comes.
#[test]
fn replies_with_changed_bytes_do_no_harm() {
    let whole = reply(1, "a.test", "127.0.0.1");
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 24) as u8;
        }
        let mut play = Play::new(settings(2));
        play.resolver.ask(play.at(0), 1, "a.test", &mut play.out);
        play.resolver.receive(play.at(1), (0, false), &bytes, &mut play.out);
        play.resolver.receive(play.at(1), (0, true), &bytes, &mut play.out);
        play.resolver.expire(play.at(7000), &mut play.out);
        let answers = play.out.iter().filter(|it| matches!(it, Action::Answer { .. })).count();
        assert_eq!(answers, 1);
        assert!(play.resolver.is_idle());
    }
}
