//! What a process keeps in memory: as little as what it does now takes.

use std::fs;

/// Threads share one pool of memory: a daemon's do little, and a pool each costs more than waiting
/// for each other does. To be called before there is a second thread.
pub fn share_memory_between_threads() {
    // SAFETY: mallopt(3) takes two numbers; there is no other thread that could be allocating.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives memory back that isn't needed any more: what reading a config took is much more than what
/// a daemon keeps of it, and most of the program's code runs only then.
pub fn give_back_memory() {
    let untouched = fs::read_to_string("/proc/self/smaps").map(|text| untouched_parts(&text));
    for (start, length) in untouched.unwrap_or_default() {
        let part = std::ptr::with_exposed_provenance_mut::<libc::c_void>(start);
        // SAFETY: these bytes are a file's, mapped so that nobody can write to them; the kernel has
        // just said that no page of them differs from the file. MADV_DONTNEED takes them out of
        // this process; whoever reads one, or runs code in it, gets the same bytes again from the
        // page cache. Pages that are locked (`no_swap`) stay: the call fails for them.
        unsafe { libc::madvise(part, length, libc::MADV_DONTNEED) };
    }
    // SAFETY: malloc_trim(3) takes a number and may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Of what proc_pid_smaps(5) shows: where a file is mapped (program, libraries) that this process
/// can't write to and never has, as address and length.
fn untouched_parts(smaps: &str) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut lines = smaps.lines().peekable();
    while let Some(line) = lines.next() {
        // 5581de8f6000-5581de9f2000 r-xp 00002000 fd:00 2097207    /usr/sbin/keepalived
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [range, rights, _, _, _, path, ..] = words[..] else {
            continue;
        };
        let bounds = range.split_once('-').and_then(|(start, end)| {
            Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
        });
        let Some((start, end)) = bounds.filter(|_| path.starts_with('/')) else { continue };
        // Pages of its own that a mapping has, whether they are in memory or swapped out.
        let mut own = [None; 2];
        while let Some(line) = lines.next_if(|line| line.contains(" kB")) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words[..] {
                ["Anonymous:", number, _] => own[0] = number.parse().ok(),
                ["Swap:", number, _] => own[1] = number.parse().ok(),
                _ => {}
            }
        }
        if ["r-xp", "r--p"].contains(&rights) && own == [Some(0_u64); 2] {
            parts.push((start, end.saturating_sub(start)));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_has_written_to_is_let_go() {
        let entry = |range: &str, rights: &str, path: &str, anonymous: u32, swap: u32| {
            format!(
                "{range} {rights} 00002000 fd:00 2097207   {path}\nSize: 8 kB\nAnonymous: \
                 {anonymous} kB\nSwap: {swap} kB\nSwapPss: 0 kB\nTHPeligible: 0\nVmFlags: rd mr\n"
            )
        };
        let smaps = [
            entry("1000-3000", "r-xp", "/usr/sbin/keepalived", 0, 0),
            entry("3000-4000", "r--p", "/usr/sbin/keepalived", 0, 0),
            entry("4000-5000", "r--p", "/usr/sbin/keepalived", 4, 0),
            entry("5000-6000", "r--p", "/usr/sbin/keepalived", 0, 4),
            entry("6000-7000", "rw-p", "/usr/sbin/keepalived", 0, 0),
            entry("7000-8000", "r-xp", "[vdso]", 0, 0),
            entry("8000-9000", "r--s", "/dev/shm/x", 0, 0),
        ];
        assert_eq!(untouched_parts(&smaps.concat()), [(0x1000, 0x2000), (0x3000, 0x1000)]);
        assert_eq!(untouched_parts("a000-b000 r-xp 0 fd:00 7 /lib/x\nSize: 4 kB\n"), []);
    }

    #[test]
    fn the_program_runs_on_after_its_code_was_let_go() {
        let before = include_str!("memory.rs").len();
        for _ in 0..3 {
            give_back_memory();
            assert_eq!(fs::read_to_string("src/kernel/memory.rs").unwrap().len(), before);
        }
    }
}
