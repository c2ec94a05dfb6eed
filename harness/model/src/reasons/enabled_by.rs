//! What decides whether an exit reason can happen in a VM: the grammar of `enabled_by`.

use std::str::FromStr;

/// Bits of the VMX execution-control words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Controls {
    /// Pin-based controls.
    pub pin: u32,
    /// Primary processor-based controls.
    pub primary: u32,
    /// Secondary processor-based controls.
    pub secondary: u32,
    /// Tertiary processor-based controls.
    pub tertiary: u64,
}

/// What decides whether a reason can happen in a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnabledBy {
    /// No control that KVM ever sets.
    Never,
    /// Unconditional, or decided by bitmaps that KVM always uses.
    Always,
    /// VMX: any one of the controls.
    Any(Controls),
    /// VMX: all of the controls together.
    All(Controls),
    /// VMX: controls that KVM sets only while it needs them.
    Toggled(Controls),
    /// VMX: the exception bitmap, or NMI exiting.
    Exceptions,
    /// VMX: the CR0 and CR4 masks, or CR3 and CR8 load and store exiting.
    ControlRegisters,
    /// SVM: a bit of the intercept vectors.
    Intercept(u8),
    /// SVM: a bit of the intercept vectors that KVM sets only while it needs it.
    ToggledIntercept(u8),
    /// SVM: nested paging.
    NestedPaging,
    /// SVM: the virtual interrupt controller.
    Avic,
    /// SVM: encrypted guest state.
    SevEs,
}

/// Bits in the six intercept vectors of a VMCB.
const INTERCEPTS: u8 = 6 * 32;

pub(super) fn enabled_by_from_text<'de, D: serde::Deserializer<'de>>(
    text: D,
) -> Result<EnabledBy, D::Error> {
    let text: String = serde::Deserialize::deserialize(text)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl FromStr for EnabledBy {
    type Err = String;

    fn from_str(text: &str) -> Result<EnabledBy, String> {
        match text {
            "always" => return Ok(EnabledBy::Always),
            "never" => return Ok(EnabledBy::Never),
            "special:exceptions" => return Ok(EnabledBy::Exceptions),
            "special:control-registers" => return Ok(EnabledBy::ControlRegisters),
            "special:nested-paging" => return Ok(EnabledBy::NestedPaging),
            "special:avic" => return Ok(EnabledBy::Avic),
            "special:sev-es" => return Ok(EnabledBy::SevEs),
            _ => {}
        }
        let (toggled, bits) = match text.strip_prefix("toggled ") {
            Some(bits) => (true, bits),
            None => (false, text),
        };
        if let Some(bit) = bits.strip_prefix("intercept:") {
            let bit = intercept(bit).ok_or_else(|| format!("`{bits}` is no intercept"))?;
            return Ok(if toggled {
                EnabledBy::ToggledIntercept(bit)
            } else {
                EnabledBy::Intercept(bit)
            });
        }
        if toggled {
            return Ok(EnabledBy::Toggled(bits.parse()?));
        }
        match text.split_once(' ') {
            Some(("all", bits)) => Ok(EnabledBy::All(bits.parse()?)),
            _ => Ok(EnabledBy::Any(text.parse()?)),
        }
    }
}

fn intercept(bit: &str) -> Option<u8> {
    bit.parse().ok().filter(|bit| *bit < INTERCEPTS)
}

impl FromStr for Controls {
    type Err = String;

    fn from_str(text: &str) -> Result<Controls, String> {
        let mut controls = Controls::default();
        for item in text.split(' ') {
            controls
                .add(item)
                .ok_or_else(|| format!("`{item}` is no control bit"))?;
        }
        Ok(controls)
    }
}

impl Controls {
    fn add(&mut self, item: &str) -> Option<()> {
        let (word, bit) = item.split_once(':')?;
        let bit: u32 = bit.parse().ok()?;
        match word {
            "pin" => self.pin |= 1u32.checked_shl(bit)?,
            "primary" => self.primary |= 1u32.checked_shl(bit)?,
            "secondary" => self.secondary |= 1u32.checked_shl(bit)?,
            "tertiary" => self.tertiary |= 1u64.checked_shl(bit)?,
            _ => return None,
        }
        Some(())
    }
}
