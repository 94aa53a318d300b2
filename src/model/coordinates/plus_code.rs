//! Open Location Codes, also called plus codes: pairs of base-20 digits, latitude and longitude in turn, then a grid.
//!
//! Source: the Open Location Code specification, version 1.0 (Google, Apache-2.0).

use crate::model::geo::LatLng;

/// The digits, in their order.
const DIGITS: &str = "23456789CFGHJMPQRVWX";
/// Digits before the `+` of a whole code.
const BEFORE_PLUS: usize = 8;
/// Most digits that are left out.
const MISSING_MAX: usize = 4;
/// Digits that come in pairs; those behind name a cell of a grid of 4 columns and 5 rows each.
const PAIRED: usize = 10;
/// Most digits that are looked at: some three millimetres.
const DIGITS_MAX: usize = 15;

/// A code: its digits as numbers, the first ones perhaps missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlusCode {
    /// How many leading digits are missing: 0, 2, 4 or 6.
    missing: usize,
    digits: Vec<u8>,
}

/// Degrees, in the order of a code: its south-western corner and its size.
#[derive(Debug, Clone, Copy)]
struct Cell {
    lat: f64,
    lng: f64,
    height: f64,
    width: f64,
}

/// The code that a text begins with, and the words behind it; `None` for another text.
pub(super) fn parse(text: &str) -> Option<(PlusCode, String)> {
    let end = text.find([' ', ',']).unwrap_or(text.len());
    let code = PlusCode::parse(&text[..end])?;
    Some((code, text[end..].trim_start_matches([' ', ',']).to_owned()))
}

impl PlusCode {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let (before, behind) = text.split_once('+')?;
        let digit = |letter: char| DIGITS.find(letter).and_then(|at| u8::try_from(at).ok());
        let is_even = before.len() % 2 == 0 && (2..=BEFORE_PLUS).contains(&before.len());
        let significant = before.trim_end_matches('0');
        let is_padded = significant.len() < before.len();
        // Padding stands for the digits of a large area: a whole code, in whole pairs, with nothing behind.
        let is_whole = before.len() == BEFORE_PLUS && significant.len() >= 2 && significant.len() % 2 == 0;
        if !is_even || (is_padded && !(is_whole && behind.is_empty())) || behind.len() == 1 {
            return None;
        }
        // A code without anything behind is one only if it is padded.
        if behind.is_empty() && !is_padded {
            return None;
        }
        let digits: Vec<u8> = significant.chars().chain(behind.chars()).map(digit).collect::<Option<_>>()?;
        let missing = BEFORE_PLUS - before.len();
        // With six digits missing a code is found again every five kilometres: it is a house number more often.
        if missing > MISSING_MAX {
            return None;
        }
        // Latitudes end at 90°, which is the ninth of twenty digits; longitudes at 180°, the eighteenth.
        let is_on_earth = missing > 0 || (digits[0] < 9 && digits[1] < 18);
        (is_on_earth && digits.len() + missing <= DIGITS_MAX).then_some(Self { missing, digits })
    }

    /// Whether its cell is as small as a house.
    pub(super) fn is_a_door(&self) -> bool {
        self.digits.len() + self.missing >= PAIRED
    }

    /// The middle of its cell, where the code is whole.
    pub(super) fn position(&self) -> Option<LatLng> {
        (self.missing == 0).then(|| middle(cell(&self.digits)))
    }

    /// The middle of the cell of this code that is nearest to a reference.
    pub(super) fn nearest(&self, reference: LatLng) -> LatLng {
        let mut digits = digits_of(reference);
        digits.truncate(self.missing);
        digits.extend_from_slice(&self.digits);
        let found = cell(&digits);
        // The missing digits repeat every so many degrees: the neighbour may be nearer than the reference's own.
        let step = 400.0 / 20_f64.powi(i32::try_from(self.missing / 2).unwrap_or_default());
        let nearer = |at: f64, reference: f64| {
            let off = at - reference;
            if off > step / 2.0 {
                at - step
            } else if off < -step / 2.0 {
                at + step
            } else {
                at
            }
        };
        let at = middle(found);
        let (lat, lng) = (nearer(at.lat(), reference.lat()), nearer(at.lng(), reference.lng()));
        // Beyond a pole there is none.
        let lat = if (-90.0..=90.0).contains(&lat) { lat } else { at.lat() };
        LatLng::new(lat, wrapped(lng)).unwrap_or(at)
    }
}

/// A longitude in [-180, 180).
fn wrapped(lng: f64) -> f64 {
    (lng + 180.0).rem_euclid(360.0) - 180.0
}

fn middle(cell: Cell) -> LatLng {
    let (lat, lng) = (cell.lat + cell.height / 2.0, cell.lng + cell.width / 2.0);
    LatLng::new(lat.min(90.0), wrapped(lng)).unwrap_or(LatLng::ORIGIN)
}

/// The cell of a whole code.
fn cell(digits: &[u8]) -> Cell {
    let mut cell = Cell { lat: -90.0, lng: -180.0, height: 400.0, width: 400.0 };
    for pair in digits[..digits.len().min(PAIRED)].chunks(2) {
        (cell.height, cell.width) = (cell.height / 20.0, cell.width / 20.0);
        cell.lat += f64::from(pair[0]) * cell.height;
        cell.lng += f64::from(pair.get(1).copied().unwrap_or_default()) * cell.width;
    }
    for digit in digits.iter().skip(PAIRED) {
        (cell.height, cell.width) = (cell.height / 5.0, cell.width / 4.0);
        cell.lat += f64::from(digit / 4) * cell.height;
        cell.lng += f64::from(digit % 4) * cell.width;
    }
    cell
}

/// The paired digits of a position's code.
fn digits_of(position: LatLng) -> Vec<u8> {
    let (mut lat, mut lng) = ((position.lat() + 90.0).min(180.0 - 1e-9), wrapped(position.lng()) + 180.0);
    let mut digits = Vec::with_capacity(PAIRED);
    let mut step = 20.0;
    while digits.len() < PAIRED {
        for rest in [&mut lat, &mut lng] {
            let digit = (*rest / step).floor();
            *rest -= digit * step;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a base-20 digit")]
            digits.push(digit as u8);
        }
        step /= 20.0;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_short_code_is_found_again_from_nearby(
            lat in -88.0..88.0_f64,
            lng in -180.0..180.0_f64,
            kept in prop::sample::select(vec![4_usize, 6]),
            off in (-0.45..0.45_f64, -0.45..0.45_f64),
        ) {
            let position = LatLng::new(lat, lng).unwrap();
            let whole = PlusCode { missing: 0, digits: digits_of(position) };
            let middle = whole.position().unwrap();
            prop_assert!((middle.lat() - lat).abs() <= 0.000_063 && middle.distance_m(position) < 12.0);
            let missing = BEFORE_PLUS - kept;
            let short = PlusCode { missing, digits: whole.digits[missing..].to_vec() };
            let step = 400.0 / 20_f64.powi(i32::try_from(missing / 2).unwrap());
            let reference = LatLng::new((middle.lat() + off.0 * step).clamp(-89.9, 89.9), wrapped(middle.lng() + off.1 * step));
            let found = short.nearest(reference.unwrap());
            prop_assert!(found.distance_m(middle) < 1.0, "{found:?} instead of {middle:?}");
        }
    }
}
