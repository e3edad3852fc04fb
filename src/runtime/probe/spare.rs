//! Descriptors kept for a bad day: starting a script takes some for a moment (`/dev/null` three
//! times, a pipe, one for the process), and checks and notify scripts have to run when this process
//! has no more to give. (keepalived's fork(2) needs none.)

use std::cell::RefCell;
use std::fs::File;
use std::io;

use crate::kernel::file::is_shortage;

/// Enough to start one while some others run.
const KEPT: usize = 12;

thread_local! {
    static SPARE: RefCell<Vec<File>> = const { RefCell::new(Vec::new()) };
}

/// Does it; once more with the spare ones given back, if there were none left.
pub(super) fn with_enough<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let done = match act() {
        Err(error) if is_shortage(&error) && give_back() => act(),
        done => done,
    };
    refill();
    done
}

fn give_back() -> bool {
    SPARE.with_borrow_mut(|spare| !std::mem::take(spare).is_empty())
}

fn refill() {
    SPARE.with_borrow_mut(|spare| {
        while spare.len() < KEPT {
            let Ok(file) = File::open("/dev/null") else { break };
            spare.push(file);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_want_of_descriptors_is_done_with_the_spare_ones() {
        let shortage = || io::Error::from_raw_os_error(libc::EMFILE);
        let held = || SPARE.with_borrow(Vec::len);
        assert!(with_enough(|| Err::<(), _>(shortage())).is_err(), "none are kept yet");
        assert_eq!(held(), KEPT);
        with_enough(|| if held() > 0 { Err(shortage()) } else { Ok(()) }).unwrap();
        assert_eq!(held(), KEPT);
        let other = || io::Error::from(io::ErrorKind::NotFound);
        with_enough(|| {
            assert_eq!(held(), KEPT, "they stay for other errors");
            Err::<(), _>(other())
        })
        .unwrap_err();
    }
}
