//! Paths as text: file names are bytes that anybody may have chosen.

use std::fmt::Write as _;
use std::path::Path;

/// The path for people and JSON: valid text as it is, every other byte and every control character as `\xNN`.
///
/// A name can therefore neither break a line of a table nor steer the terminal.
#[must_use]
pub fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                let mut bytes = [0; 4];
                escape(character.encode_utf8(&mut bytes).as_bytes(), &mut text);
            } else {
                text.push(character);
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

/// The path as one word of a shell command; `$'…'` when it holds what plain quotes cannot show.
#[must_use]
pub fn shell_quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(byte);
    match path.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Some(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => {
            let mut quoted = String::from("$'");
            for byte in bytes {
                match byte {
                    b'\'' | b'\\' => {
                        quoted.push('\\');
                        quoted.push(char::from(*byte));
                    }
                    b' '..=b'~' => quoted.push(char::from(*byte)),
                    _ => escape(&[*byte], &mut quoted),
                }
            }
            quoted.push('\'');
            quoted
        }
    }
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(path_text(Path::new("src/größe.rs")), "src/größe.rs");
        assert_eq!(path_text(Path::new("a\n\u{1b}[31m")), r"a\x0a\x1b[31m");
    }

    #[cfg(unix)]
    #[test]
    fn other_bytes_are_escaped() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9/x"));
        assert_eq!(path_text(path), r"caf\xe9/x");
        assert_eq!(shell_quoted(path), r"$'caf\xe9/x'");
    }

    #[test]
    fn quotes_only_where_the_shell_needs_them() {
        for (path, quoted) in [
            ("/srv/tree", "/srv/tree"),
            ("my tree", "'my tree'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("a\nb'", r"$'a\x0ab\''"),
        ] {
            assert_eq!(shell_quoted(Path::new(path)), quoted);
        }
    }
}
