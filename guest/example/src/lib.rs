//! A filter module of one's own, as an example: flags what is shouted. Copy the folder and put your own in.
//!
//! ```text
//! cargo build --release --target wasm32-unknown-unknown --package tamis-example-filter
//! tamis check --side-module target/wasm32-unknown-unknown/release/tamis_example_filter.wasm messages.txt
//! ```

use tamis_guest::sdk::{Answer, Filter};
use tamis_guest::{Action, Message, export_filter};

/// Flags texts in capitals.
#[derive(Debug)]
pub struct Shouting {
    /// How many letters a text has at least before it can be shouted.
    letters_min: usize,
}

impl Filter for Shouting {
    fn new(settings: &str) -> Option<Shouting> {
        let letters_min = if settings.is_empty() { 20 } else { settings.parse().ok()? };
        Some(Shouting { letters_min })
    }

    fn judge(&mut self, message: &Message<'_>, answer: &mut Answer<'_>) {
        let text = String::from_utf8_lossy(message.text);
        let upper = text.chars().filter(|c| c.is_uppercase()).count();
        let lower = text.chars().filter(|c| c.is_lowercase()).count();
        if upper + lower >= self.letters_min && upper > 9 * lower {
            answer.report(0..message.text.len(), 0, Action::Flag);
        }
    }
}

export_filter!(Shouting, name: "shouting", reasons: ["written in capitals"]);

#[cfg(test)]
mod tests {
    //! Tested like any code, without a sandbox.

    use tamis_guest::sdk::judge;

    use super::*;

    #[test]
    fn capitals_are_shouted() {
        let action = |text| judge::<Shouting>("", &Message::body(text)).map(|verdict| verdict.action);
        assert_eq!(action("BUY NOW WHILE IT LASTS, CALL ME!!!"), Some(Action::Flag));
        assert_eq!(action("I saw NASA launch a rocket today"), Some(Action::Allow));
        assert_eq!(action("OK, SEE YOU"), Some(Action::Allow));
        assert!(judge::<Shouting>("many", &Message::body("")).is_none());
    }
}
