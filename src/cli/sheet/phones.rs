//! Phones in one cell: `mobile +3545451000 x12; work +3545451001`. Such a cell begins with a word, so no spreadsheet takes it
//! for a number or a formula.

use crate::api::proto::waymark::v1 as pb;

/// The kinds of lines, by their words.
const KINDS: [(&str, pb::PhoneKind); 4] = [
    ("mobile", pb::PhoneKind::Mobile),
    ("work", pb::PhoneKind::Work),
    ("home", pb::PhoneKind::Home),
    ("other", pb::PhoneKind::Other),
];

/// The word of a kind.
pub(in crate::cli) fn kind_word(kind: pb::PhoneKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("other", |(word, _)| word)
}

/// The kind of a word, in any case.
pub(in crate::cli) fn kind_of(word: &str) -> Option<pb::PhoneKind> {
    let word = word.trim().to_lowercase();
    KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
}

/// Phones as a cell holds them.
pub(in crate::cli) fn write(phones: &[pb::Phone]) -> String {
    let one = |phone: &pb::Phone| {
        let extension = if phone.extension.is_empty() { String::new() } else { format!(" x{}", phone.extension) };
        format!("{} {}{extension}", kind_word(phone.kind()), phone.number)
    };
    phones.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The phones that a cell holds. A number without a kind is another's; the server reads numbers and extensions.
pub(in crate::cli) fn read(cell: &str) -> Vec<pb::Phone> {
    let one = |part: &str| {
        let (word, rest) = part.split_once([' ', ':']).unwrap_or(("", part));
        let (kind, number) = kind_of(word).map_or((pb::PhoneKind::Other, part), |kind| (kind, rest));
        pb::Phone { number: number.trim().to_owned(), kind: kind.into(), extension: String::new() }
    };
    cell.split(';').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_written_and_read() {
        let phone = |number: &str, kind: pb::PhoneKind, extension: &str| pb::Phone {
            number: number.into(),
            kind: kind.into(),
            extension: extension.into(),
        };
        let phones = [
            phone("+3545451000", pb::PhoneKind::Mobile, "12"),
            phone("+3545451001", pb::PhoneKind::Work, ""),
            phone("+3545451002", pb::PhoneKind::Unspecified, ""),
        ];
        let cell = write(&phones);
        assert_eq!(cell, "mobile +3545451000 x12; work +3545451001; other +3545451002");
        let read_back = read(&cell);
        assert_eq!(read_back[0], phone("+3545451000 x12", pb::PhoneKind::Mobile, ""));
        assert_eq!(read_back[1], phones[1]);
        assert_eq!(
            read("Work: 545 1000;; 545 1001 "),
            [phone("545 1000", pb::PhoneKind::Work, ""), phone("545 1001", pb::PhoneKind::Other, ""),]
        );
        assert!(read(" ; ").is_empty());
    }
}
