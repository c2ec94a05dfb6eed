//! What users hand over for a kernel, as bytes. For the fuzzer, and for the tests that replay
//! its seeds.

use crate::{image, patch};

/// A patch: which files it touches, and what `patch` says of those that do not fit.
pub fn patch(data: &[u8]) {
    patch::any_text(&String::from_utf8_lossy(data));
}

/// The beginning of an image.
pub fn image(data: &[u8]) {
    let _ = image::release(data);
}

#[cfg(test)]
mod tests {
    use exitlab_fixtures::fuzz::replay;

    #[test]
    fn no_patch_and_no_image_panics() {
        replay("patch", super::patch);
        replay("image", super::image);
    }
}
