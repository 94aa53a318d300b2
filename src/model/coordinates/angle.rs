//! Two angles as numbers: decimal degrees, or degrees, minutes and seconds, with signs or hemispheres.

use super::position;
use crate::model::Invalid;
use crate::model::geo::LatLng;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    /// A number, without the sign that may stand before it.
    Number(Number),
    Mark(Unit),
    Hemisphere(Axis, f64),
    Label(Axis),
    Separator,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Number {
    value: f64,
    sign: Option<f64>,
    has_fraction: bool,
}

/// What a mark behind a number says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Degrees,
    Minutes,
    Seconds,
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
    let mut tokens: Vec<Token> = Vec::new();
    let (mut rest, mut is_adjacent) = (text.trim_start(), false);
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '0'..='9' | '.' | '+' | '-' | '\u{2212}' | '\u{2013}' => number(rest)?,
            ',' | ';' | '/' => (Token::Separator, 1),
            '°' | 'º' | '˚' => (Token::Mark(Unit::Degrees), first.len_utf8()),
            '\'' | '′' | '’' | '‘' => (Token::Mark(Unit::Minutes), first.len_utf8()),
            '"' | '″' | '”' | '“' => (Token::Mark(Unit::Seconds), first.len_utf8()),
            _ => word(rest, tokens.last().filter(|_| is_adjacent))?,
        };
        // Two marks of minutes in a row are one of seconds.
        let minutes = Token::Mark(Unit::Minutes);
        match tokens.last_mut() {
            Some(last) if *last == minutes && token == minutes => *last = Token::Mark(Unit::Seconds),
            _ => tokens.push(token),
        }
        let behind = &rest[length..];
        rest = behind.trim_start();
        is_adjacent = rest.len() == behind.len();
    }
    Some(tokens)
}

fn number(text: &str) -> Option<(Token, usize)> {
    let (sign, unsigned) = match text.chars().next()? {
        '+' => (Some(1.0), &text[1..]),
        '-' => (Some(-1.0), &text[1..]),
        minus @ ('\u{2212}' | '\u{2013}') => (Some(-1.0), &text[minus.len_utf8()..]),
        _ => (None, text),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let digits = &unsigned[..end];
    let value: f64 = digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    let number = Number { value, sign, has_fraction: digits.contains('.') };
    Some((Token::Number(number), text.len() - unsigned.len() + end))
}

/// A label, a hemisphere, or `d`, `m` and `s` right behind numbers; `before` is what stands right before the word.
fn word(text: &str, before: Option<&Token>) -> Option<(Token, usize)> {
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let word = text[..end].to_lowercase();
    if let Some((label, axis)) = LABELS.iter().find(|(label, _)| *label == word) {
        let behind = text[label.len()..].trim_start();
        let colon = usize::from(behind.starts_with([':', '=']));
        return Some((Token::Label(*axis), text.len() - behind.len() + colon));
    }
    let is_behind_number = matches!(before, Some(Token::Number(_)));
    let unit = match word.chars().next()? {
        'd' => Some(Unit::Degrees),
        'm' => Some(Unit::Minutes),
        's' => Some(Unit::Seconds),
        _ => None,
    };
    // `sN`, as in `47.76sN`, is a mark and a hemisphere.
    if let Some(unit) = unit.filter(|_| is_behind_number && word != "s" && word.chars().count() <= 2) {
        return Some((Token::Mark(unit), 1));
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
    let count = |wanted: &dyn Fn(&Token) -> bool| tokens.iter().filter(|token| wanted(token)).count();
    let numbers = count(&|token| matches!(token, Token::Number(_)));
    let hemispheres = count(&|token| matches!(token, Token::Hemisphere(..)));
    let named = count(&|token| matches!(token, Token::Mark(Unit::Degrees) | Token::Label(_)));
    let fractions = count(&|token| matches!(token, Token::Number(number) if number.has_fraction));
    // Whole numbers are a house and a postcode, and with the winds streets of a grid: `350 S 400 W`.
    let is_sexagesimal = numbers == 6 && hemispheres == 2;
    if numbers < 2 || !(fractions > 0 || named > 0 || is_sexagesimal) {
        return None;
    }
    let (first, second) = tokens.split_at(split_at(tokens, numbers)?);
    (is_angle(first) && is_angle(second)).then_some((first, second))
}

/// Whether tokens may be one angle: there is a number, and marks begin with that of degrees.
fn is_angle(tokens: &[Token]) -> bool {
    let mark = tokens.iter().find_map(|token| if let Token::Mark(unit) = token { Some(*unit) } else { None });
    let has_number = tokens.iter().any(|token| matches!(token, Token::Number(_)));
    has_number && mark.is_none_or(|mark| mark == Unit::Degrees)
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
    if !separators.is_empty() {
        return if let [only] = separators[..] { Some(only) } else { None };
    }
    // A sign or a mark of degrees begins an angle.
    let begins = |at: &usize| {
        let is_degrees = tokens.get(at + 1) == Some(&Token::Mark(Unit::Degrees));
        is_degrees || matches!(tokens[*at], Token::Number(Number { sign: Some(_), .. }))
    };
    let starts = places(&|token| matches!(token, Token::Number(_)));
    let begun: Vec<usize> = starts.iter().skip(1).copied().filter(begins).collect();
    match begun[..] {
        [only] => Some(only),
        [] if numbers == 2 && !tokens.iter().any(|token| matches!(token, Token::Mark(_))) => Some(starts[1]),
        _ => None,
    }
}

/// One angle.
#[derive(Debug, Clone, Copy)]
struct Angle {
    degrees: f64,
    axis: Option<Axis>,
}

impl Angle {
    fn of(tokens: &[Token]) -> Result<Self, Invalid> {
        let (mut axis, mut hemisphere, mut parts) = (None, None, Vec::<Number>::new());
        for token in tokens {
            match token {
                Token::Number(number) => {
                    if parts.iter().any(|before| before.has_fraction) {
                        return Err(fault("only the last of degrees, minutes and seconds has a fraction"));
                    }
                    if !parts.is_empty() && (number.sign.is_some() || number.value >= 60.0) {
                        return Err(fault("minutes and seconds are in [0, 60)"));
                    }
                    parts.push(*number);
                }
                Token::Hemisphere(of, sign) => (axis, hemisphere) = (Some(*of), Some(*sign)),
                Token::Label(of) => axis = Some(*of),
                Token::Mark(_) | Token::Separator => {}
            }
        }
        if parts.len() > 3 {
            return Err(fault("degrees, minutes and seconds, and no more numbers"));
        }
        // Also of zero: -0° 7' is south or west.
        let sign = parts.first().and_then(|degrees| degrees.sign);
        if sign.is_some() && hemisphere.is_some() {
            return Err(fault("a sign or a hemisphere, not both"));
        }
        let value = |at: usize| parts.get(at).map_or(0.0, |number| number.value);
        let size = value(0) + value(1) / 60.0 + value(2) / 3600.0;
        Ok(Self { degrees: hemisphere.or(sign).unwrap_or(1.0) * size, axis })
    }
}
