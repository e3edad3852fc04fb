//! The client: asks again and again, over a new connection each time, and says what it got.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::mpsc::Sender;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::record::{Observation, Seen, Served};
use super::topology::Client;

/// By which answers are recognised.
#[derive(Clone, Debug)]
pub(super) struct Faces {
    pub webs: Vec<String>,
    pub balancers: Vec<Ipv4Addr>,
}

/// Asks until the rehearsal ends. A slow answer doesn't hold up the next ask.
pub(super) async fn ask_on(client: Client, faces: Faces, observations: Sender<Observation>) {
    let mut ticks = interval(client.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let (faces, observations) = (faces.clone(), observations.clone());
        tokio::spawn(async move {
            let asked = timeout(client.timeout, ask(client.asks)).await;
            let answer = asked.ok().and_then(Result::ok).and_then(|text| faces.recognise(&text));
            let seen = Seen::Asked { answer };
            // The stage hears no more when it is done.
            let _ = observations.send(Observation { at: Instant::now(), seen });
        });
    }
}

async fn ask(server: SocketAddrV4) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {server}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(8192).read_to_string(&mut answer).await?;
    Ok(answer)
}

impl Faces {
    fn recognise(&self, answer: &str) -> Option<Served> {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let web = self.webs.iter().position(|name| name == body.trim_end())?;
        let asker = head.lines().find_map(|line| line.strip_prefix("X-Asked-By: "));
        let asker = asker.and_then(|address| address.parse::<Ipv4Addr>().ok());
        let via = self.balancers.iter().position(|balancer| Some(*balancer) == asker);
        Some(Served { web, via })
    }
}
