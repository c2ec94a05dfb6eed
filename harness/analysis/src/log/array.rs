//! The array of NumPy's that the file holds, compressed (numpy.lib.format, version 1.0). A row
//! has the same fields for every exit; what they mean is in `docs/results.md`.

use std::io::{Read, Result as IoResult, Write};

use flate2::{Compression, GzBuilder};

use super::Row;
use exitlab_model::log::{Cause, LoggedExit, ToldBy};

/// Bytes of a row.
pub const ROW: usize = 67;

/// How NumPy calls the fields and their types.
const FIELDS: [(&str, &str); 11] = [
    ("time", "<u8"),
    ("duration", "<u8"),
    ("vcpu", "<u2"),
    ("detail", "|u1"),
    ("reason", "<u4"),
    ("rip", "<u8"),
    ("info", "<u8"),
    ("vector", "<u4"),
    ("key", "<u8"),
    ("sub", "<u8"),
    ("value", "<u8"),
];

/// What an array begins with: its magic and its version.
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";

/// The header ends at a multiple of this.
const ALIGNED: usize = 64;

/// A duration that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Compression: as good as it gets for little time.
const LEVEL: u32 = 6;

/// What stands before the number of rows, and after it.
fn around() -> (String, &'static str) {
    let fields = FIELDS.map(|(name, kind)| format!("('{name}', '{kind}')"));
    let fields = fields.join(", ");
    let before = format!("{{'descr': [{fields}], 'fortran_order': False, 'shape': (");
    (before, ",), }")
}

/// The header of an array of so many rows.
fn header(rows: u64) -> Vec<u8> {
    let (before, after) = around();
    let mut words = format!("{before}{rows}{after}");
    let begin = MAGIC.len() + 2;
    let whole = (begin + words.len() + 1).next_multiple_of(ALIGNED);
    while begin + words.len() + 1 < whole {
        words.push(' ');
    }
    words.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend((words.len() as u16).to_le_bytes());
    header.extend(words.as_bytes());
    header
}

/// Writes `count` rows. Equal rows are equal bytes: there is no time in it.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(out: &mut dyn Write, count: u64, rows: impl Iterator<Item = Row>) -> IoResult<()> {
    let gzip = GzBuilder::new().mtime(0);
    let mut gzip = gzip.write(out, Compression::new(LEVEL));
    gzip.write_all(&header(count))?;
    for row in rows {
        gzip.write_all(&bytes(&row))?;
    }
    gzip.finish()?.flush()
}

/// Reads the header: how many rows follow; none if it is not that of a log.
///
/// # Errors
/// If `from` cannot be read.
pub fn rows(from: &mut impl Read) -> IoResult<Option<u64>> {
    let mut begin = [0; MAGIC.len() + 2];
    from.read_exact(&mut begin)?;
    let (magic, length) = begin.split_at(MAGIC.len());
    if magic != MAGIC {
        return Ok(None);
    }
    let length = u16::from_le_bytes([length[0], length[1]]);
    let mut words = vec![0; length.into()];
    from.read_exact(&mut words)?;
    let (before, after) = around();
    let words = std::str::from_utf8(&words).ok();
    let number = words.and_then(|words| {
        let words = words.trim_end();
        words.strip_prefix(&before)?.strip_suffix(after)
    });
    Ok(number.and_then(|number| number.parse().ok()))
}

fn bytes(row: &Row) -> [u8; ROW] {
    let Row { vcpu, exit } = row;
    let LoggedExit {
        time_ns,
        duration_ns,
        cause,
        value,
    } = exit;
    let mut bytes = [0; ROW];
    let mut rest = bytes.as_mut_slice();
    let mut put = |field: &[u8]| {
        let (place, after) = std::mem::take(&mut rest).split_at_mut(field.len());
        place.copy_from_slice(field);
        rest = after;
    };
    put(&time_ns.to_le_bytes());
    put(&duration_ns.unwrap_or(UNKNOWN).to_le_bytes());
    put(&vcpu.to_le_bytes());
    put(&[cause.told as u8]);
    put(&cause.reason.to_le_bytes());
    put(&cause.rip.to_le_bytes());
    put(&cause.info.to_le_bytes());
    put(&cause.vector.to_le_bytes());
    put(&cause.key.to_le_bytes());
    put(&cause.sub.to_le_bytes());
    put(&value.to_le_bytes());
    bytes
}

/// The row of these bytes; none if a number in them stands for nothing.
pub fn row(bytes: &[u8; ROW]) -> Option<Row> {
    let mut rest = bytes.as_slice();
    let mut number = |length: usize| {
        let (field, after) = rest.split_at_checked(length)?;
        rest = after;
        let mut whole = [0; 8];
        whole.get_mut(..length)?.copy_from_slice(field);
        Some(u64::from_le_bytes(whole))
    };
    let time_ns = number(8)?;
    let duration = number(8)?;
    let vcpu = number(2)? as u16;
    let told = ToldBy::of(number(1)? as u8)?;
    let cause = Cause {
        told,
        reason: number(4)? as u32,
        rip: number(8)?,
        info: number(8)?,
        vector: number(4)? as u32,
        key: number(8)?,
        sub: number(8)?,
    };
    let exit = LoggedExit {
        time_ns,
        duration_ns: Some(duration).filter(|duration| *duration != UNKNOWN),
        cause,
        value: number(8)?,
    };
    Some(Row { vcpu, exit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpys() {
        let header = header(7272);
        assert_eq!(header.len() % ALIGNED, 0);
        let text = String::from_utf8_lossy(&header[10..]);
        insta::assert_snapshot!(text.trim_end(), @"{'descr': [('time', '<u8'), ('duration', '<u8'), ('vcpu', '<u2'), ('detail', '|u1'), ('reason', '<u4'), ('rip', '<u8'), ('info', '<u8'), ('vector', '<u4'), ('key', '<u8'), ('sub', '<u8'), ('value', '<u8')], 'fortran_order': False, 'shape': (7272,), }");
        assert_eq!(rows(&mut header.as_slice()).unwrap(), Some(7272));
        let sizes = FIELDS.map(|(_, kind)| kind[2..].parse::<usize>().unwrap());
        assert_eq!(sizes.iter().sum::<usize>(), ROW);
    }
}
