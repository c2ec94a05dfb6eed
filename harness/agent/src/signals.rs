//! Numbers of the signals that SSH knows by name only (RFC 4254, 6.10).

use russh::Sig;

/// Linux's number on x86-64; 0 for a name that nobody knows.
pub fn number_of(signal: &Sig) -> u32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        // `USR2`, or as OpenSSH names its own: `BUS@openssh.com`.
        Sig::Custom(name) => match name.split('@').next().unwrap_or_default() {
            "TRAP" => 5,
            "BUS" => 7,
            "USR2" => 12,
            "STKFLT" => 16,
            "XCPU" => 24,
            "XFSZ" => 25,
            "VTALRM" => 26,
            "PROF" => 27,
            "IO" | "POLL" => 29,
            "PWR" => 30,
            "SYS" => 31,
            _ => 0,
        },
    }
}
