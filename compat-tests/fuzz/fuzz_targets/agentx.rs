//! What a master agent may send, of any bytes: read or refused, and never able to stop a subagent
//! or its timers. What is read is written and read as the same.
#![no_main]

use std::time::{Duration, Instant};

use evenkeel::agentx::pdu::{HEADER, announced};
use evenkeel::agentx::session::{Action, Event, Session};
use evenkeel::agentx::tree::Tree;
use evenkeel::agentx::{Oid, Pdu, Value};
use libfuzzer_sys::fuzz_target;

// PDUs one after the other, each with a byte of seconds since the last one in front.
fuzz_target!(|data: &[u8]| {
    let subtree = Oid::new(&[1, 3, 6, 1, 4, 1, 9586, 100, 5]);
    let value = |row: u32| (subtree.join(&[1, row]), Value::Gauge32(row));
    let tree = Tree::new(vec![subtree.join(&[1])], (1..20).map(value).collect());
    let mut out = Vec::new();
    let mut session =
        Session::new(subtree.clone(), "fuzz".to_owned(), vec![subtree.clone()], &mut out);
    let mut now = Instant::now();
    session.handle(now, Event::Connected, &mut out);
    let mut rest = data;
    while let [wait, tail @ ..] = rest {
        now += Duration::from_secs(u64::from(*wait) / 16);
        let length = announced(tail).and_then(Result::ok).unwrap_or(HEADER).min(tail.len());
        let (bytes, tail) = tail.split_at(length);
        rest = tail;
        if session.deadline().is_some_and(|deadline| deadline <= now) {
            session.handle(now, Event::Timeout, &mut out);
            assert!(session.deadline().is_none_or(|deadline| deadline > now));
        }
        match Pdu::read(bytes) {
            Ok(pdu) => {
                // Ranges that registrations may have aren't kept, nor is what is reserved.
                assert_eq!(Pdu::read(&pdu.write()).as_ref(), Ok(&pdu));
                session.handle(now, Event::Received(pdu), &mut out);
            }
            Err(fault) => session.handle(now, Event::Lost(fault.to_string()), &mut out),
        }
        for action in out.drain(..).collect::<Vec<_>>() {
            match action {
                Action::Answer(asked) => {
                    let binds = tree.answer(&asked.body);
                    let answer = session.answer(now, &asked, Some(binds));
                    assert_eq!(Pdu::read(&answer.write()), Ok(answer));
                }
                Action::Send(pdu) => assert_eq!(Pdu::read(&pdu.write()), Ok(pdu)),
                Action::Connect => session.handle(now, Event::Connected, &mut Vec::new()),
                _ => {}
            }
        }
    }
});
