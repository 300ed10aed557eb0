//! Text from logs, made harmless for terminals and pages.

/// At most so many bytes of the text, with control and direction characters as escapes.
pub(crate) fn clean(text: &str, bytes_max: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars() {
        let start = cleaned.len();
        if c.is_control() || turns_direction(c) {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
        if cleaned.len() > bytes_max {
            cleaned.truncate(start);
            cleaned.push('…');
            break;
        }
    }
    cleaned
}

/// Characters that make text read other than it is written (Boucher and Anderson, "Trojan Source", 2021).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn text_is_cut_at_a_character_and_shows_what_is_hidden() {
        assert_eq!(clean("a\u{1b}[1m", 99), "a\\u{1b}[1m");
        assert_eq!(clean("ééé", 4), "éé…");
        assert_eq!(clean("\u{202e}x", 99), "\\u{202e}x");
        assert_eq!(clean("", 0), "");
    }
}
