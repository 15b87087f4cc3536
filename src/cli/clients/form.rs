//! Edits a file of either form. The mark at its beginning and its line ends stay. Pure.

use serde_json::{Map, Value};

use super::{Form, Place, json, toml};

const MARK: char = '\u{feff}';

type Edited = Result<String, String>;

/// The entry, and nothing of the rest. An error says what is wrong with the file, and quotes nothing of it.
pub(super) fn entry(
    place: &Place,
    name: &str,
    text: &str,
) -> Result<Option<Map<String, Value>>, String> {
    let text = text.trim_start_matches(MARK);
    match place.form {
        Form::Json => json::entry(text, place.servers, name),
        Form::Toml => toml::entry(text, place.servers, name),
    }
}

/// Sets these fields of the entry, which is created if there is none.
pub(super) fn set(place: &Place, name: &str, text: &str, fields: &Map<String, Value>) -> Edited {
    edited(text, |text| match place.form {
        Form::Json => json::set(text, place.servers, name, fields),
        Form::Toml => toml::set(text, place.servers, name, fields),
    })
}

/// Removes a field of the entry.
pub(super) fn remove_field(place: &Place, name: &str, text: &str, field: &str) -> Edited {
    edited(text, |text| match place.form {
        Form::Json => json::remove(text, &[place.servers, name, field]),
        Form::Toml => toml::remove(text, &[place.servers, name, field]),
    })
}

/// Removes the entry.
pub(super) fn remove(place: &Place, name: &str, text: &str) -> Edited {
    edited(text, |text| match place.form {
        Form::Json => json::remove(text, &[place.servers, name]),
        Form::Toml => toml::remove(text, &[place.servers, name]),
    })
}

fn edited(text: &str, edit: impl FnOnce(&str) -> Edited) -> Edited {
    let (mark, plain) = match text.strip_prefix(MARK) {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let ends = plain.matches("\r\n").count();
    let after = if ends > 0 && ends == plain.matches('\n').count() {
        edit(&plain.replace("\r\n", "\n"))?.replace('\n', "\r\n")
    } else {
        edit(plain)?
    };
    Ok(format!("{mark}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mark_and_the_line_ends_stay() {
        let place = |form| Place { file: "f".into(), form, servers: "s" };
        let fields = json!({"command": "c"}).as_object().expect("an object").clone();
        for (form, before) in [
            (Form::Json, "\u{feff}{\r\n  \"a\": 1 // b\r\n}\r\n"),
            (Form::Toml, "\u{feff}# a\r\na = 1\r\n\r\n[s.other]\r\ncommand = 'x'\r\n"),
        ] {
            let place = place(form);
            let after = set(&place, "n", before, &fields).expect("it can be edited");
            assert_eq!(after.matches("\r\n").count(), after.matches('\n').count(), "{after:?}");
            assert!(after.starts_with('\u{feff}') && after.contains("\"c\""), "{after:?}");
            assert_eq!(entry(&place, "n", &after), Ok(Some(fields.clone())));
            let gone = remove(&place, "n", &after).expect("it can be edited");
            assert_eq!(entry(&place, "n", &gone), Ok(None));
            assert_eq!(set(&place, "n", &gone, &fields), Ok(after));
        }
    }
}
