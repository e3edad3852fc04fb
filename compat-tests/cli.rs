//! The program from outside: three faces beside the real programs, what each says about bad input,
//! what `ps` and `killall` see, and how the supervisor keeps its roles. Needs root, and Debian's
//! keepalived, nginx and psmisc. Every test has its own network and `/run`.

mod bad_input;
mod cell;
mod early_signals;
mod examples;
mod faces;
mod mutated;
mod names;
mod supervisor;
