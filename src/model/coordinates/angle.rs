//! Two angles as numbers: decimal degrees, or degrees, minutes and seconds, with signs or hemispheres.

use super::position;
use crate::model::Invalid;
use crate::model::geo::LatLng;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    Number {
        value: f64,
        is_signed: bool,
        has_fraction: bool,
    },
    /// A mark of degrees, minutes or seconds.
    Mark,
    Hemisphere(Axis, f64),
    Label(Axis),
    Separator,
}

/// Which of the two an angle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Lat,
    Lng,
}

/// The words before a number that say which angle it is.
const LABELS: [(&str, Axis); 6] = [
    ("latitude", Axis::Lat),
    ("lat", Axis::Lat),
    ("longitude", Axis::Lng),
    ("long", Axis::Lng),
    ("lng", Axis::Lng),
    ("lon", Axis::Lng),
];

/// The position of a text of two angles; `None` for another text.
pub(super) fn parse(text: &str) -> Result<Option<LatLng>, Invalid> {
    let Some(tokens) = tokens(&with_points(text)) else { return Ok(None) };
    let Some((first, second)) = halves(&tokens) else { return Ok(None) };
    let (first, second) = (Angle::of(first)?, Angle::of(second)?);
    let (lat, lng) = match (first.axis, second.axis) {
        (Some(Axis::Lng), Some(Axis::Lat)) => (second.degrees, first.degrees),
        (Some(Axis::Lat), Some(Axis::Lng)) | (None, None) => (first.degrees, second.degrees),
        _ => return Err(fault("one latitude (N, S) and one longitude (E, W)")),
    };
    position(lat, lng).map(Some)
}

fn fault(why: &str) -> Invalid {
    Invalid::new("address_line", why)
}

/// The text with decimal points where it has decimal commas.
fn with_points(text: &str) -> String {
    let is_comma = |(at, _): &(usize, &str)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        digit(text[..*at].chars().next_back()) && digit(text[at + 1..].chars().next())
    };
    let commas: Vec<usize> = text.match_indices(',').filter(is_comma).map(|(at, _)| at).collect();
    // One within each number; where they part the numbers there is one alone.
    if text.contains('.') || commas.len() != 2 {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    commas.into_iter().for_each(|at| text.replace_range(at..=at, "."));
    text
}

/// The pieces of a text; `None` where something else is in it.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let text = text.trim_matches(['(', ')', '[', ']', ' ']);
    let text = text.strip_suffix('/').unwrap_or(text);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '0'..='9' | '.' | '+' | '-' | '\u{2212}' | '\u{2013}' => number(rest)?,
            ',' | ';' | '/' => (Token::Separator, 1),
            '°' | 'º' | '˚' | '\'' | '′' | '’' | '‘' | '"' | '″' | '”' | '“' => {
                (Token::Mark, first.len_utf8())
            }
            _ => word(rest, tokens.last())?,
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    // Two marks of minutes in a row are one of seconds.
    tokens.dedup_by(|a, b| (*a, *b) == (Token::Mark, Token::Mark));
    Some(tokens)
}

fn number(text: &str) -> Option<(Token, usize)> {
    let (sign, unsigned) = match text.chars().next()? {
        '+' => (1.0, &text[1..]),
        '-' => (-1.0, &text[1..]),
        minus @ ('\u{2212}' | '\u{2013}') => (-1.0, &text[minus.len_utf8()..]),
        _ => (1.0, text),
    };
    let is_signed = unsigned.len() < text.len();
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let digits = &unsigned[..end];
    let value: f64 = digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    let has_fraction = digits.contains('.');
    Some((Token::Number { value: sign * value, is_signed, has_fraction }, text.len() - unsigned.len() + end))
}

/// A label, a hemisphere, or `d`, `m` and `s` behind numbers.
fn word(text: &str, before: Option<&Token>) -> Option<(Token, usize)> {
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let word = text[..end].to_lowercase();
    if let Some((label, axis)) = LABELS.iter().find(|(label, _)| *label == word) {
        let behind = text[label.len()..].trim_start();
        let colon = usize::from(behind.starts_with([':', '=']));
        return Some((Token::Label(*axis), text.len() - behind.len() + colon));
    }
    let is_behind_number = matches!(before, Some(Token::Number { .. }));
    // `sN`, as in `47.76sN`, is a mark and a hemisphere.
    let letter = word.chars().next()?;
    if matches!(letter, 'd' | 'm' | 's') && is_behind_number && word != "s" && word.chars().count() <= 2 {
        return Some((Token::Mark, 1));
    }
    let hemisphere = match word.as_str() {
        "n" => Token::Hemisphere(Axis::Lat, 1.0),
        "s" => Token::Hemisphere(Axis::Lat, -1.0),
        "e" => Token::Hemisphere(Axis::Lng, 1.0),
        "w" => Token::Hemisphere(Axis::Lng, -1.0),
        _ => return None,
    };
    Some((hemisphere, 1))
}

/// The tokens of the first angle and of the second; `None` where there are not two.
fn halves(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    let is_number = |token: &&Token| matches!(token, Token::Number { .. });
    let numbers = tokens.iter().filter(is_number).count();
    let is_marked = tokens.iter().any(|token| !matches!(token, Token::Number { .. } | Token::Separator));
    let has_fraction = tokens.iter().any(|token| matches!(token, Token::Number { has_fraction: true, .. }));
    // Two bare whole numbers are a house and a postcode.
    if numbers < 2 || !(is_marked || has_fraction) {
        return None;
    }
    let at = split_at(tokens, numbers)?;
    let (first, second) = tokens.split_at(at);
    let trim = |half: &'_ [Token]| half.iter().any(|token| matches!(token, Token::Number { .. }));
    (trim(first) && trim(second)).then_some((first, second))
}

/// Where the second angle begins.
fn split_at(tokens: &[Token], numbers: usize) -> Option<usize> {
    let places = |wanted: &dyn Fn(&Token) -> bool| -> Vec<usize> {
        tokens.iter().enumerate().filter(|(_, token)| wanted(token)).map(|(at, _)| at).collect()
    };
    let labels = places(&|token| matches!(token, Token::Label(_)));
    if let [_, second] = labels[..] {
        return Some(second);
    }
    let hemispheres = places(&|token| matches!(token, Token::Hemisphere(..)));
    if let [first, second] = hemispheres[..] {
        // Before their numbers, or behind them.
        return Some(if first == 0 { second } else { first + 1 });
    }
    if !labels.is_empty() || !hemispheres.is_empty() {
        return None;
    }
    let separators = places(&|token| *token == Token::Separator);
    if let [only] = separators[..] {
        return Some(only);
    }
    let signed = places(&|token| matches!(token, Token::Number { .. }));
    (separators.is_empty() && numbers == 2).then(|| signed[1])
}

/// One angle.
#[derive(Debug, Clone, Copy)]
struct Angle {
    degrees: f64,
    axis: Option<Axis>,
}

impl Angle {
    fn of(tokens: &[Token]) -> Result<Self, Invalid> {
        let (mut axis, mut hemisphere, mut parts, mut is_signed) = (None, None, Vec::new(), false);
        for token in tokens {
            match token {
                Token::Number { value, is_signed: signed, has_fraction } => {
                    if parts.iter().any(|(_, fraction)| *fraction) {
                        return Err(fault("only the last of degrees, minutes and seconds has a fraction"));
                    }
                    if !parts.is_empty() && !(0.0..60.0).contains(value) {
                        return Err(fault("minutes and seconds are in [0, 60)"));
                    }
                    is_signed |= *signed && *value < 0.0;
                    parts.push((*value, *has_fraction));
                }
                Token::Hemisphere(of, sign) => (axis, hemisphere) = (Some(*of), Some(*sign)),
                Token::Label(of) => axis = Some(*of),
                Token::Mark | Token::Separator => {}
            }
        }
        if parts.len() > 3 {
            return Err(fault("degrees, minutes and seconds, and no more numbers"));
        }
        if is_signed && hemisphere.is_some() {
            return Err(fault("a sign or a hemisphere, not both"));
        }
        let value = |at: usize| parts.get(at).map_or(0.0, |(value, _)| value.abs());
        let size = value(0) + value(1) / 60.0 + value(2) / 3600.0;
        let sign = hemisphere.unwrap_or(if is_signed { -1.0 } else { 1.0 });
        Ok(Self { degrees: sign * size, axis })
    }
}
