//! What the supervisor and a role say to each other, over an AF_UNIX SOCK_SEQPACKET pair.
//!
//! A plan travels in a memfd (JSON, secrets revealed), listening sockets as SCM_RIGHTS. The
//! supervisor holds a [`Leash`] per role; the role holds a [`Control`]: it takes the first
//! instruction with [`Control::wait`], before it has a reactor or gives up privileges, and the
//! following ones with [`Control::listen`].

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::kernel::channel::{self, Channel};
use crate::kernel::ready::when_readable;
use crate::plan::route::{Route, Rule};
use crate::plan::secret;

/// The environment variable with the number of the role's end of the channel.
pub const CONTROL: &str = "EVENKEEL_CONTROL";

/// From the supervisor to a role. `Start` and `Reload` carry the role's slice of the Plan in a
/// memfd, and for the stream role its listening sockets in the order of
/// [`StreamPlan::listeners`](crate::plan::StreamPlan::listeners).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    Start,
    Reload,
    /// End gracefully: sessions finish first.
    Quit,
    /// End at once, in an orderly way.
    Stop,
    /// Open log files anew.
    Reopen,
}

/// From a role to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It runs by the plan of the last `Start` or `Reload`.
    Ready,
    /// It can't; the old plan, if there was one, runs on.
    Failed { message: String },
    /// The role itself got SIGHUP (somebody used its pid): please reload.
    WantReload,
    /// The role is about to hold these too: what has to be removed should it die.
    Claiming(Vec<Held>),
    /// It no longer holds these.
    Released(Vec<Held>),
    /// All that the role holds now, after a report that didn't get through.
    Holding(Vec<Held>),
    /// The same for what isn't an address.
    Possessing(Difference<Possession>),
}

/// What has changed of what a role holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference<T> {
    More(Vec<T>),
    Gone(Vec<T>),
    All(Vec<T>),
}

/// What a role has changed on the host, besides addresses, and nobody else would change back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Possession {
    Route(Route),
    Rule(Rule),
    /// An interface that it made.
    Device(String),
    /// What stood in a file of /proc/sys.
    Setting {
        path: String,
        before: String,
    },
    /// An nftables table, with its family: `ip keepalived`.
    Table(String),
}

/// A virtual address on an interface, by the interface's number: its name may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    pub index: u32,
    pub address: IpAddr,
    pub prefix: u8,
}

/// What the vrrp role is told to run: its slice of the Plan, and at the start what a predecessor
/// that died just now has left on the interfaces. The role takes that over or removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession<P> {
    pub plan: P,
    /// Nobody has run this role since the daemon began.
    pub first: bool,
    pub held: Vec<Held>,
    pub possessions: Vec<Possession>,
}

/// An [`Order`] as it reaches the role, with what came along.
#[derive(Debug)]
pub enum Instruction<P> {
    Start(Assignment<P>),
    Reload(Assignment<P>),
    Quit,
    Stop,
    Reopen,
}

/// What to run.
#[derive(Debug)]
pub struct Assignment<P> {
    pub plan: P,
    /// In the order of the plan's listeners.
    pub listeners: Vec<OwnedFd>,
}

/// The supervisor's end.
#[derive(Debug)]
pub struct Leash {
    channel: AsyncFd<Channel>,
}

impl Leash {
    /// Needs a running tokio reactor. The second end is for the role: see
    /// [`Channel::keep_over_exec`].
    pub fn new() -> io::Result<(Leash, Channel)> {
        let (ours, theirs) = Channel::pair()?;
        Ok((Leash::over(ours)?, theirs))
    }

    /// This end. Needs a running tokio reactor.
    pub fn over(channel: Channel) -> io::Result<Leash> {
        Ok(Leash { channel: when_readable(channel)? })
    }

    /// `Start` or `Reload` with its plan and listening sockets.
    pub fn assign<P: Serialize>(
        &self,
        order: &Order,
        plan: &P,
        listeners: &[BorrowedFd],
    ) -> io::Result<()> {
        let json = secret::reveal(|| serde_json::to_vec(plan))?;
        let plan = channel::memory_file("evenkeel-plan", &json)?;
        for chunk in listeners.chunks(channel::MOST_DESCRIPTORS) {
            send(self.channel.get_ref(), MORE, &[], chunk, PATIENCE)?;
        }
        let order = serde_json::to_vec(order)?;
        send(self.channel.get_ref(), INLINE, &order, &[plan.as_fd()], PATIENCE)
    }

    /// An order that carries nothing.
    pub fn order(&self, order: &Order) -> io::Result<()> {
        let order = serde_json::to_vec(order)?;
        send(self.channel.get_ref(), INLINE, &order, &[], PATIENCE)
    }

    /// The next report; `None`: the role has gone. May be cancelled.
    pub async fn report(&self) -> io::Result<Option<Report>> {
        let message = self.channel.async_io(Interest::READABLE, Channel::receive).await?;
        let Some((message, descriptors)) = message else { return Ok(None) };
        let json = match message.first() {
            Some(&IN_FILE) => match descriptors.into_iter().next() {
                Some(file) => channel::read_memory_file(file)?,
                None => return Err(garbled()),
            },
            _ => message[1..].to_vec(),
        };
        Ok(Some(serde_json::from_slice(&json)?))
    }
}

/// The role's end.
#[derive(Clone, Debug)]
pub struct Control {
    channel: Arc<Channel>,
}

impl Control {
    /// This end.
    pub fn over(channel: Channel) -> Control {
        Control { channel: Arc::new(channel) }
    }

    /// The end that the supervisor has left in the environment variable [`CONTROL`]; call it once.
    pub fn inherit() -> io::Result<Control> {
        let number = std::env::var(CONTROL).ok().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{CONTROL} names no descriptor"))
        })?;
        Ok(Control::over(Channel::inherit(number)?))
    }

    /// Blocks until the next instruction; `None`: the supervisor has gone.
    pub fn wait<P: DeserializeOwned>(&self) -> io::Result<Option<Instruction<P>>> {
        let mut listeners = Vec::new();
        loop {
            match self.channel.receive() {
                Ok(Some(message)) => {
                    if let Some(instruction) = read(message, &mut listeners)? {
                        return Ok(Some(instruction));
                    }
                }
                Ok(None) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.channel.wait_readable()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The following instructions, in a tokio reactor.
    pub fn listen(&self) -> io::Result<Instructions> {
        Ok(Instructions {
            channel: when_readable(self.channel.try_clone()?)?,
            listeners: Vec::new(),
        })
    }

    /// Tells the supervisor; never blocks. `WouldBlock`: the supervisor doesn't read, so say it
    /// again later.
    pub fn report(&self, report: &Report) -> io::Result<()> {
        let json = serde_json::to_vec(report)?;
        if json.len() < channel::LONGEST {
            return send(&self.channel, INLINE, &json, &[], Duration::ZERO);
        }
        let file = channel::memory_file("evenkeel-report", &json)?;
        send(&self.channel, IN_FILE, &[], &[file.as_fd()], Duration::ZERO)
    }
}

/// What the supervisor says after the first instruction.
#[derive(Debug)]
pub struct Instructions {
    channel: AsyncFd<Channel>,
    /// Sockets of an instruction whose end is still to come.
    listeners: Vec<OwnedFd>,
}

impl Instructions {
    /// The next one; `None`: the supervisor has gone, and the role has to end in an orderly way.
    /// May be cancelled (`select!`) without loss.
    pub async fn next<P: DeserializeOwned>(&mut self) -> io::Result<Option<Instruction<P>>> {
        loop {
            match self.channel.async_io(Interest::READABLE, Channel::receive).await? {
                Some(message) => {
                    if let Some(instruction) = read(message, &mut self.listeners)? {
                        return Ok(Some(instruction));
                    }
                }
                None => return Ok(None),
            }
        }
    }
}

/// First byte of a message: descriptors that belong to the order to come.
const MORE: u8 = b'+';
/// First byte of a message: JSON follows.
const INLINE: u8 = b'{';
/// First byte of a message: the JSON is in the file that came along.
const IN_FILE: u8 = b'@';

/// How long an order may wait for a role that is slow to read.
const PATIENCE: Duration = Duration::from_secs(2);

fn send(
    channel: &Channel,
    kind: u8,
    json: &[u8],
    descriptors: &[BorrowedFd],
    patience: Duration,
) -> io::Result<()> {
    let mut message = vec![kind];
    message.extend_from_slice(json);
    loop {
        match channel.send(&message, descriptors) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !patience.is_zero() => {
                channel.wait_writable(patience)?;
            }
            result => return result,
        }
    }
}

/// `None`: more has to come.
fn read<P: DeserializeOwned>(
    (message, mut descriptors): (Vec<u8>, Vec<OwnedFd>),
    listeners: &mut Vec<OwnedFd>,
) -> io::Result<Option<Instruction<P>>> {
    if message.first() == Some(&MORE) {
        listeners.append(&mut descriptors);
        return Ok(None);
    }
    let mut assignment = || -> io::Result<Assignment<P>> {
        let plan = descriptors.pop().ok_or_else(garbled)?;
        let plan = serde_json::from_slice(&channel::read_memory_file(plan)?)?;
        Ok(Assignment { plan, listeners: std::mem::take(listeners) })
    };
    Ok(Some(match serde_json::from_slice(&message[1..])? {
        Order::Start => Instruction::Start(assignment()?),
        Order::Reload => Instruction::Reload(assignment()?),
        Order::Quit => Instruction::Quit,
        Order::Stop => Instruction::Stop,
        Order::Reopen => Instruction::Reopen,
    }))
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message without the descriptor it needs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Secret;

    fn in_reactor<T>(run: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(run)
    }

    #[test]
    fn plans_secrets_and_many_sockets_reach_the_role() {
        in_reactor(async {
            let (leash, theirs) = Leash::new().unwrap();
            let control = Control { channel: Arc::new(theirs) };
            let sockets: Vec<_> =
                (0..600).map(|n| channel::memory_file("s", &[n as u8]).unwrap()).collect();
            let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
            let plan = vec![Secret::new("1111")];
            leash.assign(&Order::Start, &plan, &borrowed).unwrap();
            leash.order(&Order::Reopen).unwrap();

            let Instruction::Start(assignment) = control.wait::<Vec<Secret>>().unwrap().unwrap()
            else {
                panic!()
            };
            assert_eq!(assignment.plan, plan);
            assert_eq!(assignment.listeners.len(), 600);
            for (n, socket) in assignment.listeners.into_iter().enumerate() {
                assert_eq!(channel::read_memory_file(socket).unwrap(), [n as u8]);
            }
            let mut instructions = control.listen().unwrap();
            let next = instructions.next::<Vec<Secret>>().await.unwrap();
            assert!(matches!(next, Some(Instruction::Reopen)));
            drop(leash);
            assert!(instructions.next::<Vec<Secret>>().await.unwrap().is_none());
        });
    }

    #[test]
    fn reports_of_any_size_reach_the_supervisor() {
        in_reactor(async {
            let (leash, theirs) = Leash::new().unwrap();
            let control = Control { channel: Arc::new(theirs) };
            let held = Held { index: 2, address: [192, 0, 2, 1].into(), prefix: 32 };
            let reports = [Report::Ready, Report::Holding(vec![held; 4_000])];
            for report in &reports {
                control.report(report).unwrap();
                assert_eq!(leash.report().await.unwrap().as_ref(), Some(report));
            }
            drop(control);
            assert_eq!(leash.report().await.unwrap(), None);
        });
    }
}
