//! The keys of `capstan top`.

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// End.
    Quit,
    /// Stop or resume refreshing.
    Pause,
    /// Read the fleet now.
    Refresh,
    /// Show or hide the list of keys.
    Help,
}

/// The keys, for the help.
pub(super) const KEYS: [(&str, &str); 4] = [
    ("q", "quit (Esc and Ctrl-C too)"),
    ("p", "stop or resume refreshing"),
    ("r", "refresh now"),
    ("?", "show or hide this help"),
];

impl Key {
    /// Returns what an event asks for.
    pub(super) fn of(event: &Event) -> Option<Key> {
        let Event::Key(key) = event else { return None };
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code.as_char() {
            Some('c') if is_interrupt => Some(Key::Quit),
            Some('q') => Some(Key::Quit),
            Some('p' | ' ') => Some(Key::Pause),
            Some('r') => Some(Key::Refresh),
            Some('?' | 'h') => Some(Key::Help),
            Some(_) => None,
            None => (key.code == KeyCode::Esc).then_some(Key::Quit),
        }
    }
}
