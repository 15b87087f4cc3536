//! The bearer token that clients must send.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::model::settings::HTTP_TOKEN;
use crate::system::bounded::read_text;

/// The length of a token, in characters. A shorter one could be guessed.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=1024;

/// A token. It is never shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// The token in `file`, else the one in the variable, whose value is `variable`. `None` if neither is
    /// set.
    ///
    /// # Errors
    ///
    /// A phrase that says what is wrong with the file or the variable.
    pub(crate) fn find(
        file: Option<&Path>,
        variable: Option<OsString>,
    ) -> Result<Option<Self>, String> {
        if let Some(file) = file {
            let text = read_text(file, *LENGTH.end() as u64 + 2);
            let text =
                text.map_err(|error| format!("names a file that cannot be read: {error}"))?;
            let token = Self::parse(text.trim_end_matches(['\r', '\n']));
            return token.map(Some).map_err(|wrong| format!("names a file whose content {wrong}"));
        }
        let Some(variable) = variable else { return Ok(None) };
        let token = Self::parse(variable.to_str().unwrap_or_default());
        token.map(Some).map_err(|wrong| format!("is not set, and {HTTP_TOKEN} {wrong}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        if LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(text.to_owned()));
        }
        let (least, most) = (LENGTH.start(), LENGTH.end());
        Err(format!(
            "must be one line of {least} to {most} visible ASCII characters, such as the output of \
             `openssl rand -hex 32`"
        ))
    }

    /// Whether the value of the header `Authorization` has this token. Takes the same time for every
    /// token of the same length.
    pub(super) fn is_in(&self, authorization: &[u8]) -> bool {
        let Some((scheme, token)) = authorization.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(token.ct_eq(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn only_the_whole_token_is_accepted() {
        let token = Token::parse(TOKEN).expect("it is a token");
        for right in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef"] {
            assert!(token.is_in(right.as_bytes()), "{right}");
        }
        for wrong in [
            "",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcdef0",
            "Bearer  0123456789abcdef",
            "Basic 0123456789abcdef",
            TOKEN,
        ] {
            assert!(!token.is_in(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn the_file_wins_over_the_variable_and_what_is_wrong_is_said() {
        let file = tempfile::NamedTempFile::new_in(crate::testing::scratch())
            .expect("there is a folder for it");
        let find = |content: &str, variable: Option<&str>| {
            std::fs::write(file.path(), content).expect("it can be written");
            Token::find(Some(file.path()), variable.map(Into::into))
        };
        let found = find("0123456789abcdef\n", Some("fedcba9876543210")).expect("it is a token");
        assert!(found.is_some_and(|token| token.is_in(b"Bearer 0123456789abcdef")));
        let long = "x".repeat(2_000);
        for wrong in ["", "short", "0123456789 abcdef", "0123456789abcdef\nmore", &long] {
            let error = find(wrong, None).expect_err(wrong);
            assert!(error.starts_with("names a file "), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "it shows the content: {error}");
        }
        let error = Token::find(None, Some("short".into())).expect_err("it is too short");
        assert!(error.contains(HTTP_TOKEN) && !error.contains("short"), "{error}");
        assert!(Token::find(None, None).expect("nothing is set").is_none());
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::parse(TOKEN).expect("it is a token");
        assert_eq!(format!("{token:?}"), "Token");
    }
}
