//! Percent-encoding, stricter than the crate: a malformed escape is an error.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the characters that RFC 3986 never gives a meaning.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// As [`encode`], but keeps `/`.
pub(super) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, RESERVED_IN_PATH).to_string()
}

/// Decodes `text`, which the error calls `part`.
pub(super) fn decode(part: &str, text: &str) -> Result<String, String> {
    let well_formed = text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut is_hex = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        is_hex() && is_hex()
    });
    if !well_formed {
        return Err(format!(
            "{part} has a `%` without two hexadecimal digits; write a `%` itself as %25"
        ));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(format!("{part} is not UTF-8 after percent-decoding")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_survives() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        assert_eq!(decode("x", &encode(&all)), Ok(all.clone()));
        assert_eq!(decode("x", &encode_path(&all)), Ok(all));
        assert_eq!(encode("a-Z.0_~/@"), "a-Z.0_~%2F%40");
        assert_eq!(encode_path("/a b"), "/a%20b");
    }

    #[test]
    fn escapes_are_checked() {
        for bad in ["%", "%4", "a%zz", "%%41", "%4g", "%41%"] {
            assert_eq!(
                decode("the password", bad),
                Err(
                    "the password has a `%` without two hexadecimal digits; write a `%` itself as %25"
                        .to_owned()
                ),
                "{bad}"
            );
        }
        assert_eq!(
            decode("the password", "%ff"),
            Err("the password is not UTF-8 after percent-decoding".to_owned())
        );
        assert_eq!(decode("x", "%E2%82%ac"), Ok("€".to_owned()));
    }
}
