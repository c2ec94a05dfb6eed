//! What an event's `format` says of its data (Documentation/trace/events.rst, "Event formats").

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    offset: usize,
    size: usize,
}

impl Field {
    /// Its value, if the data reaches so far. Negative numbers are cut off at its size.
    pub fn of(self, data: &[u8]) -> Option<u64> {
        let end = self.offset.checked_add(self.size)?;
        let bytes = data.get(self.offset..end)?;
        let mut whole = [0; 8];
        whole.get_mut(..self.size)?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(whole))
    }
}

/// The format of one event.
#[derive(Debug)]
pub struct Format<'a>(pub &'a str);

impl Format<'_> {
    /// The number that its events begin with.
    pub fn id(&self) -> Option<u16> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix("ID:")?.trim().parse().ok())
    }

    /// The field of that name: `field:unsigned int exit_reason; offset:8; size:4; signed:0;`.
    pub fn field(&self, name: &str) -> Option<Field> {
        let lines = self.0.lines().map(str::trim);
        let mut fields = lines.filter_map(|line| line.strip_prefix("field:")?.split_once(';'));
        let named = |declared: &str| declared.split_whitespace().next_back() == Some(name);
        let (_, rest) = fields.find(|(declared, _)| named(declared))?;
        let value = |key: &str| {
            let mut parts = rest.split(';').map(str::trim);
            parts.find_map(|part| part.strip_prefix(key)?.trim().parse::<usize>().ok())
        };
        let field = Field {
            offset: value("offset:")?,
            size: value("size:")?,
        };
        (1..=8).contains(&field.size).then_some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Linux 6.12 prints it.
    pub const KVM_PIO: &str = "name: kvm_pio
ID: 1087
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:unsigned int rw;\toffset:8;\tsize:4;\tsigned:0;
\tfield:unsigned int port;\toffset:12;\tsize:4;\tsigned:0;

print fmt: \"pio_%s at 0x%x\", REC->rw ? \"write\" : \"read\", REC->port
";

    #[test]
    fn fields_are_where_the_kernel_says() {
        let format = Format(KVM_PIO);
        assert_eq!(format.id(), Some(1087));
        let data: Vec<u8> = (0..16).collect();
        let of = |name| format.field(name).and_then(|field| field.of(&data));
        assert_eq!(of("port"), Some(0x0f0e_0d0c));
        assert_eq!(of("common_type"), Some(0x0100));
        assert_eq!(of("val"), None);
        assert_eq!(format.field("port").unwrap().of(&data[..14]), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(ID: [0-9]{0,9}\n|\tfield:int a;\toffset:[0-9]{0,22};\tsize:[0-9]{0,22};\n|\\PC)*") {
            let format = Format(&text);
            let _ = format.id();
            if let Some(field) = format.field("a") {
                let _ = field.of(&[0; 32]);
            }
        }
    }
}
