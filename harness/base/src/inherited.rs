//! What a process inherits from whoever starts it, and must not depend on: dispositions of
//! signals, blocked signals, and the soft limit on open files.
//!
//! Call [`settle`] first thing in `main`, before there is a second thread.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are asked for if the hard limit allows: a matrix with many cells at a time
/// needs some hundred. Not more, although the limit may be a billion: children inherit it, and
/// some of them (`fakeroot`) close every file that they might have.
const FILES: u64 = 65_536;

/// Files of a runtime: its poll, its wake-up, its signals; and of what a command opens first.
const OWN_FILES: usize = 16;

/// Whether SIGHUP was ignored when the process began.
static HANGUP_IGNORED: AtomicBool = AtomicBool::new(false);

/// Makes this process what it would be if an ordinary shell had started it:
///
/// - SIGCHLD has its default action. Where the parent ignores it, as some CI runners do, the
///   kernel reaps our children itself, and `wait` says that there were none (`wait(2)`).
/// - No signal is blocked.
/// - A write beyond the limit on file sizes is an error (EFBIG), not a death by SIGXFSZ
///   without a word. Children keep the default: an emulator must not go on without its log.
/// - The soft limit on open files is raised to the hard one, up to 65,536.
///
/// SIGPIPE is ignored by Rust's start-up code, and has its default action in children.
pub fn settle() {
    HANGUP_IGNORED.store(signals::is_ignored(libc::SIGHUP), Ordering::Relaxed);
    signals::settle();
    raise_files();
}

/// Succeeds if so many more files can be opened as a runtime takes for itself, which panics
/// where it gets none.
pub fn require_files() -> std::io::Result<()> {
    // A pipe is two files, and needs no path: `/dev/null` may be missing.
    let pipes = (0..OWN_FILES / 2).map(|_| std::io::pipe());
    pipes.collect::<Result<Vec<_>, _>>().map(drop)
}

/// Whether SIGHUP was ignored when the process began: `nohup` asks for that.
pub fn hangup_is_ignored() -> bool {
    HANGUP_IGNORED.load(Ordering::Relaxed)
}

/// Limits of this process that a run may meet; none is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Files that it may have open at a time (`ulimit -n`).
    pub files: Option<u64>,
    /// The size of a file that it may write, MiB (`ulimit -f`).
    pub file_mib: Option<u64>,
    /// Memory that it may map, MiB (`ulimit -v`).
    pub memory_mib: Option<u64>,
}

impl Limits {
    /// Those of this process, which its children inherit.
    pub fn of_this() -> Limits {
        let soft = |resource| getrlimit(resource).current;
        Limits {
            files: soft(Resource::Nofile),
            file_mib: soft(Resource::Fsize).map(|bytes| bytes >> 20),
            memory_mib: soft(Resource::As).map(|bytes| bytes >> 20),
        }
    }
}

fn raise_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |hard| hard.min(FILES));
    if current.is_some_and(|soft| soft < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum,
        };
        // Whoever is refused goes on with what there is; what then fails says why.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

#[expect(
    unsafe_code,
    reason = "actions of signals have no safe interface in std or rustix"
)]
mod signals {
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Does nothing: with a handler, the system call that met the limit returns its error.
    extern "C" fn nothing(_: libc::c_int) {}

    /// See [`super::settle`].
    pub fn settle() {
        act(libc::SIGCHLD, libc::SIG_DFL);
        act(
            libc::SIGXFSZ,
            nothing as extern "C" fn(libc::c_int) as usize,
        );
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initializes the set that `sigprocmask` reads.
        unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        }
    }

    fn act(signal: libc::c_int, handler: libc::sighandler_t) {
        // SAFETY: all zeros are a `sigaction` without flags and with an empty mask; the handler
        // is an action's constant or a function that lives as long as the program and does
        // nothing.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = handler;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }

    /// Whether a signal is ignored now.
    pub fn is_ignored(signal: libc::c_int) -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: `sigaction` with no new action fills in the present one, or fails and leaves
        // zeros, which are a valid action.
        unsafe {
            libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
            action.assume_init().sa_sigaction == libc::SIG_IGN
        }
    }
}
