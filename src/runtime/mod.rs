//! The processes: shells that join the pure machines to the kernel layer.
//!
//! A supervisor starts one process per role and hands it its slice of the Plan. Each role is one
//! function, `run(control: Control) -> ExitCode`, that takes [`Instruction::Start`] by
//! [`Control::wait`], reports `Ready`, follows [`Control::listen`] and ends with success when it
//! was told to (or its own pid got TERM or QUIT), and with failure when it can't run. When the
//! channel ends, the supervisor is gone and the role ends in an orderly way by itself.
//!
//! [`handoff`] is what supervisor and roles say to each other, [`supervisor`] starts and keeps the
//! roles, [`stream`] is the role that proxies, [`vrrp`] the one that holds addresses; [`log`] is
//! where their lines go. Read [`handoff`] next.
//!
//! [`Instruction::Start`]: handoff::Instruction::Start
//! [`Control::wait`]: handoff::Control::wait
//! [`Control::listen`]: handoff::Control::listen

pub mod handoff;
pub mod log;
mod placing;
pub mod probe;
pub mod stream;
pub mod supervisor;
pub mod version;
pub mod vrrp;
