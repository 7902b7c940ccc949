//! Panics of the program, or of the storm itself. An actor that panics is built anew and its task forgotten, so that nobody else would see
//! them. Those that are planned do without the hook.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// What was caught on this thread, while a storm is over it.
    static CAUGHT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Which panics there were meanwhile on this thread.
pub(crate) fn caught(storm: impl FnOnce()) -> Vec<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let noted =
                CAUGHT.try_with(|caught| caught.borrow_mut().as_mut().map(|caught| caught.push(format!("a panic: {panic}"))));
            if !matches!(noted, Ok(Some(()))) {
                before(panic);
            }
        }));
    });
    CAUGHT.set(Some(Vec::new()));
    // The hook has what it says.
    let _ = panic::catch_unwind(AssertUnwindSafe(storm));
    CAUGHT.take().unwrap_or_default()
}

/// A runtime goes. An actor that has not begun yet begins while actix drops it, and finds no timer any more: that is nobody's mistake.
pub(crate) fn unheard(end: impl FnOnce()) {
    let heard = CAUGHT.replace(Some(Vec::new()));
    let _ = panic::catch_unwind(AssertUnwindSafe(end));
    CAUGHT.set(heard);
}
