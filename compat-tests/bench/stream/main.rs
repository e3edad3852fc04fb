//! `make bench BENCH=stream`: what proxying costs in Evenkeel, nginx and haproxy, side by side in
//! one run.
//!
//! All are on loopback, rounds interleaved so that a busy moment of the machine hits all of them.
//! CPU time and memory are those of the proxy's own worker processes; medians over the rounds, and
//! the ratio to nginx of the same round with its spread. `BENCH_ROUNDS` (5) and `BENCH_SECONDS` (1
//! per figure) set how long it takes, `BENCH_CELLS=short` runs only the rows with that in their
//! name. A figure is a line in [`figures::FIGURES`]; read that next.

mod ends;
mod figures;
mod proxy;
mod tls;
mod udp;

use figures::{FIGURES, Figure};
use proxy::{Program, Proxy};

const PROGRAMS: [Program; 3] = [Program::Nginx, Program::Evenkeel, Program::Haproxy];

/// By row and program, what each round gave.
type Results = Vec<[Vec<f64>; PROGRAMS.len()]>;

fn main() {
    // One process has both ends of every session but the proxy's.
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (_, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    nix::sys::resource::setrlimit(limit, hard, hard).unwrap();
    ends::serve();
    let cells = std::env::var("BENCH_CELLS").unwrap_or_default();
    let wanted = |figure: &&Figure| figure.rows.iter().any(|row| row.contains(&cells));
    let figures: Vec<&Figure> = FIGURES.iter().filter(wanted).collect();
    let mut results: Vec<Results> =
        figures.iter().map(|figure| vec![Default::default(); figure.rows.len()]).collect();
    let rounds = ends::number("BENCH_ROUNDS", 5);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (figure, rows) in figures.iter().zip(&mut results) {
            for (at, program) in PROGRAMS.into_iter().enumerate() {
                let Some(proxy) = Proxy::start(program, figure.job) else {
                    eprintln!("{program:?}: not installed");
                    continue;
                };
                for (row, number) in
                    rows.iter_mut().zip((figure.measure)(&proxy).into_iter().flatten())
                {
                    row[at].push(number);
                }
            }
        }
    }
    println!("| | nginx | evenkeel | of nginx | haproxy | of nginx |\n|---|---|---|---|---|---|");
    for (figure, rows) in figures.iter().zip(results) {
        for (name, row) in figure.rows.iter().zip(rows) {
            print_row(name, &row);
        }
    }
}

fn print_row(name: &str, [nginx, others @ ..]: &[Vec<f64>; PROGRAMS.len()]) {
    print!("| {name} | {} |", median(nginx).map_or("-".to_owned(), |it| format!("{it:.2}")));
    for own in others {
        let ratios: Vec<f64> = own.iter().zip(nginx).map(|(own, of)| own / of).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        match (median(own), median(&ratios)) {
            (Some(value), Some(ratio)) => {
                print!(" {value:.2} | {ratio:.2} ({least:.2} to {most:.2}) |");
            }
            _ => print!(" - | - |"),
        }
    }
    println!();
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
