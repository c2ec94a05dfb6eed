//! What every command works with: where built things are kept, who is shown what happens, and
//! whether the user has interrupted it.

use exitlab_base::artifact::Cache;

use crate::signals::Interrupt;
use crate::ui::Ui;

/// The surroundings of a command. Its parts are borrowed one by one.
pub struct Context {
    /// Built kernels and images.
    pub cache: Cache,
    /// The display.
    pub ui: Ui,
    /// Ctrl-C.
    pub interrupt: Interrupt,
}

impl Context {
    /// For work that goes on beside other work and shows nothing of its own.
    pub fn silent(cache: &Cache, interrupt: &Interrupt) -> Context {
        Context {
            cache: cache.clone(),
            ui: Ui::silent(),
            interrupt: interrupt.clone(),
        }
    }
}
