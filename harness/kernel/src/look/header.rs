//! The header of a bzImage (Documentation/arch/x86/boot.rst), and what it says of the rest.

use exitlab_model::hindrance::Hindrance;

use super::Unfit;

/// `loadflags`: the kernel proper is loaded at 1 MiB, as every kernel of today.
const LOADED_HIGH: u8 = 1;
/// `xloadflags`: there is a 64-bit entry.
const KERNEL_64: u16 = 1;
/// The protocol that has the place of the payload, and the checksum: 2.08, Linux 2.6.26.
const WITH_CHECKSUM: u16 = 0x208;
/// The protocol that has `xloadflags`: 2.12, Linux 3.8.
const WITH_FLAGS: u16 = 0x20c;
/// From this release on, an image may have no checksum (`arch/x86/boot/tools/build.c` went
/// with Linux 6.16).
const NO_CHECKSUM: (u32, u32) = (6, 15);
/// Data directory of a PE image in which a signature is, from the beginning of its header
/// (PE format, "Optional Header Data Directories": the certificate table).
const PE_CERTIFICATES: usize = 24 + 112 + 4 * 8;

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `6.12.117`
    pub release: String,
    protocol: u16,
    flags: u16,
    /// Length of boot sector and setup code, bytes.
    setup: usize,
    /// Length of all that the image holds, without signatures behind it, bytes.
    length: usize,
    /// Where the compressed kernel is in the file, bytes.
    payload: (usize, usize),
}

impl Header {
    /// Reads the header of an image that has its mark.
    pub fn of(image: &[u8]) -> Result<Header, Unfit> {
        let cut = || {
            let seen = format!(
                "it has {} bytes, and ends within its setup code",
                image.len()
            );
            Unfit::new(Hindrance::Truncated, seen)
        };
        let short = |at| u16_at(image, at).ok_or_else(cut);
        let long = |at| u32_at(image, at).ok_or_else(cut);
        // 0 stands for 4 (boot.rst, `setup_sects`).
        let sectors = match *image.get(0x1f1).ok_or_else(cut)? {
            0 => 4,
            sectors => usize::from(sectors),
        };
        let setup = (sectors + 1) * 512;
        let (offset, length) = (long(0x248)? as usize, long(0x24c)? as usize);
        if image.len() < setup {
            return Err(cut());
        }
        if image[0x211] & LOADED_HIGH == 0 {
            let seen = "it is a zImage, which no kernel of today is";
            return Err(Unfit::new(Hindrance::NoKernel, seen));
        }
        let version = usize::from(short(0x20e)?);
        Ok(Header {
            release: release(&image[..setup], version).ok_or_else(|| {
                let seen = "its header tells no release: it is damaged, or no Linux kernel";
                Unfit::new(Hindrance::Damaged, seen)
            })?,
            protocol: short(0x206)?,
            flags: short(0x236)?,
            setup,
            length: (long(0x1f4)? as usize)
                .saturating_mul(16)
                .saturating_add(setup),
            payload: (setup.saturating_add(offset), length),
        })
    }

    /// Fails if the file ends before what the header announces (`syssize`, in units of 16).
    pub fn require_whole(&self, image: &[u8]) -> Result<(), Unfit> {
        if image.len() >= self.length {
            return Ok(());
        }
        let seen = format!(
            "it has {} bytes, and its header says {}",
            image.len(),
            self.length
        );
        Err(Unfit::new(Hindrance::Truncated, seen))
    }

    /// Fails if the image is not as it was built, by its checksum (boot.rst, "The Image
    /// Checksum"): over all of it, the CRC-32 is 0. A signature changes the header, and an
    /// image of a new kernel has none: then nothing is said.
    pub fn require_as_built(&self, image: &[u8]) -> Result<(), Unfit> {
        let told = self.protocol >= WITH_CHECKSUM && self.is_before(NO_CHECKSUM);
        if !told || is_signed(image) || crc32(&image[..self.length]) == 0 {
            return Ok(());
        }
        let seen = "its checksum is wrong: bytes of it changed after it was built";
        Err(Unfit::new(Hindrance::Damaged, seen))
    }

    /// Fails of a kernel on which the agent, a program of 64 bits, cannot run.
    pub fn require_64_bits(&self) -> Result<(), Unfit> {
        if self.protocol < WITH_FLAGS || self.flags & KERNEL_64 != 0 {
            return Ok(());
        }
        let seen = format!("Linux {} in it is a kernel of 32 bits", self.release);
        Err(Unfit::new(Hindrance::WrongMachine, seen))
    }

    /// The compressed kernel, if the header tells where it is.
    pub fn payload<'a>(&self, image: &'a [u8]) -> Option<&'a [u8]> {
        let (from, length) = self.payload;
        let told = self.protocol >= WITH_CHECKSUM && length > 0;
        told.then(|| image.get(from..from.checked_add(length)?))
            .flatten()
    }

    fn is_before(&self, other: (u32, u32)) -> bool {
        let mut numbers = self.release.split(['.', '-', '+']).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < other,
            _ => false,
        }
    }
}

/// `6.12.117 (user@host) #1 SMP …`
fn release(setup: &[u8], pointer: usize) -> Option<String> {
    let text = setup.get(pointer.checked_add(0x200)?..)?;
    let end = text.iter().position(|byte| *byte == 0 || *byte == b' ')?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    // No release is longer (`__NEW_UTS_LEN`), and all begin with a number.
    let is_one = release.len() <= 64
        && release.starts_with(|c: char| c.is_ascii_digit())
        && release.chars().all(|c| c.is_ascii_graphic());
    (pointer != 0 && is_one).then(|| release.to_owned())
}

/// Whether a certificate is attached, as those of distributions are for Secure Boot.
fn is_signed(image: &[u8]) -> bool {
    let pe = u32_at(image, 0x3c).unwrap_or(0) as usize;
    let is_pe = image.starts_with(b"MZ")
        && pe
            .checked_add(4)
            .is_some_and(|end| image.get(pe..end) == Some(b"PE\0\0"));
    is_pe && u32_at(image, pe + PE_CERTIFICATES).is_some_and(|place| place != 0)
}

fn u16_at(image: &[u8], at: usize) -> Option<u16> {
    let bytes = image.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(image: &[u8], at: usize) -> Option<u32> {
    let bytes = image.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// CRC-32 with polynomial 0x04C11DB7, reflected, beginning with all ones and not inverted at
/// the end, as `arch/x86/boot/tools/build.c` makes it.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |rest, _| {
            rest >> 1 ^ if rest & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    bytes.iter().fold(!0, |crc, byte| {
        crc >> 8 ^ table[(crc as u8 ^ byte) as usize]
    })
}
