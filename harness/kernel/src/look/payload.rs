//! The compressed kernel in a bzImage, unpacked by the program that packs it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use exitlab_model::hindrance::Hindrance;

use super::unfit::Unfit;

/// No kernel is larger when it is unpacked, bytes.
const LARGEST: u64 = 512 << 20;

/// A way of packing.
struct Packing {
    /// What a payload begins with.
    magic: &'static [u8],
    /// The program that unpacks standard input to standard output, with its options.
    program: &'static [&'static str],
    /// Whether the length of the unpacked kernel follows, 4 bytes that are not the
    /// program's (`scripts/Makefile.lib`, `size_append`).
    size_follows: bool,
}

const PACKINGS: [Packing; 6] = [
    Packing {
        magic: b"\x1f\x8b",
        program: &["gzip", "-dc"],
        size_follows: false,
    },
    Packing {
        magic: b"BZh",
        program: &["bzip2", "-dc"],
        size_follows: true,
    },
    Packing {
        magic: b"\xfd7zXZ\0",
        program: &["xz", "-dc"],
        size_follows: true,
    },
    Packing {
        magic: b"\x5d\0\0",
        program: &["xz", "-dc", "--format=lzma"],
        size_follows: true,
    },
    Packing {
        magic: b"\x02\x21\x4c\x18",
        program: &["lz4", "-dc"],
        size_follows: true,
    },
    Packing {
        magic: b"\x28\xb5\x2f\xfd",
        program: &["zstd", "-dc"],
        size_follows: true,
    },
];

/// The kernel in a payload; none where this machine lacks what unpacks it, or the packing is
/// none of these.
pub fn unpacked(payload: Option<&[u8]>) -> Result<Option<Vec<u8>>, Unfit> {
    let Some(payload) = payload else {
        return Ok(None);
    };
    let Some(packing) = PACKINGS.iter().find(|p| payload.starts_with(p.magic)) else {
        return Ok(None);
    };
    let program = packing.program[0];
    let (packed, size) = match payload.split_last_chunk::<4>() {
        Some((packed, size)) if packing.size_follows => (packed, u32::from_le_bytes(*size)),
        Some((_, size)) => (payload, u32::from_le_bytes(*size)),
        None => (payload, 0),
    };
    let broken = |why: String| {
        let seen = format!("the kernel in it, packed with {program}, cannot be unpacked: {why}");
        Unfit::new(Hindrance::Damaged, seen)
    };
    let kernel = match filtered(packing.program, packed, LARGEST) {
        Ok(kernel) => kernel,
        Err(Failed::Absent) => return Ok(None),
        Err(Failed::Said(words)) => return Err(broken(words)),
    };
    if kernel.len() as u64 != u64::from(size) || !kernel.starts_with(b"\x7fELF") {
        let why = format!("{} bytes come out, and not its {size}", kernel.len());
        return Err(broken(why));
    }
    Ok(Some(kernel))
}

/// Why a filter gave nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The program is not here, or cannot be run.
    Absent,
    /// Its last words.
    Said(String),
}

/// What a program makes of some bytes: at most `most`.
pub(crate) fn filtered(program: &[&str], input: &[u8], most: u64) -> Result<Vec<u8>, Failed> {
    let (name, options) = program.split_first().ok_or(Failed::Absent)?;
    let mut child = Command::new(name)
        .args(options)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| Failed::Absent)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut output = Vec::new();
    let mut words = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that has seen enough reads no further.
            let _ = stdin.map(|mut pipe| pipe.write_all(input));
        });
        let words = &mut words;
        scope.spawn(move || stderr.map(|pipe| pipe.take(4096).read_to_end(words)));
        let _ = stdout.map(|pipe| pipe.take(most + 1).read_to_end(&mut output));
    });
    // Every pipe is closed: it ends, if it has not.
    let status = child.wait().map_err(|_| Failed::Absent)?;
    if output.len() as u64 > most {
        return Err(Failed::Said(format!("more than {most} bytes come out")));
    }
    if !status.success() {
        let words = String::from_utf8_lossy(&words);
        let first = words.lines().map(str::trim).find(|line| !line.is_empty());
        return Err(Failed::Said(first.unwrap_or("it fails").to_owned()));
    }
    Ok(output)
}
