//! What people write short in the names of streets: the words that a short form may stand for.
//!
//! One short form may stand for several words, `st` for `Street` and for `Saint`: the name is then known by several keys.
//! Whole words are never each other, so that Place Royale is not Plaza Royale. Knows nothing of the index.

use super::fold;

/// Words with their short forms, folded. Single letters are no short forms but for directions: most are names.
const WORDS: &[(&str, &[&str])] = &[
    // English.
    ("street", &["st", "str"]),
    ("saint", &["st"]),
    ("avenue", &["ave", "av"]),
    ("road", &["rd"]),
    ("drive", &["dr"]),
    ("doctor", &["dr"]),
    ("lane", &["ln"]),
    ("court", &["ct", "crt"]),
    ("place", &["pl"]),
    ("square", &["sq", "squ"]),
    ("boulevard", &["blvd", "bd", "boul", "bvd", "blv"]),
    ("highway", &["hwy"]),
    ("parkway", &["pkwy", "pky"]),
    ("terrace", &["ter", "terr"]),
    ("circle", &["cir"]),
    ("crescent", &["cres", "cr"]),
    ("close", &["cl"]),
    ("gardens", &["gdns"]),
    ("grove", &["gr", "gro"]),
    ("expressway", &["expy"]),
    ("freeway", &["fwy"]),
    ("trail", &["trl"]),
    ("way", &["wy"]),
    ("mount", &["mt"]),
    ("fort", &["ft"]),
    // German, Dutch and the north.
    ("strasse", &["str"]),
    ("straat", &["str"]),
    ("sankt", &["st", "skt"]),
    ("doktor", &["dr"]),
    ("platz", &["pl"]),
    ("plaats", &["pl"]),
    ("plads", &["pl"]),
    ("plass", &["pl"]),
    // French, Spanish, Portuguese, Italian, Romanian.
    ("docteur", &["dr"]),
    ("chemin", &["ch", "che"]),
    ("route", &["rte"]),
    ("impasse", &["imp"]),
    ("allee", &["all"]),
    ("faubourg", &["fbg", "fg"]),
    ("avenida", &["av", "avda", "avd"]),
    ("calle", &["cl"]),
    ("carretera", &["ctra", "crta"]),
    ("paseo", &["pso"]),
    ("plaza", &["pl", "pza"]),
    ("travessa", &["tv", "trav"]),
    ("praca", &["pca"]),
    ("piazza", &["pza", "pzza"]),
    ("viale", &["vle"]),
    ("corso", &["cso"]),
    ("largo", &["lgo"]),
    ("strada", &["str"]),
    // Slavic.
    ("ulica", &["ul"]),
    ("ulitsa", &["ul"]),
    ("улица", &["ул"]),
    ("проспект", &["пр", "просп"]),
    ("aleja", &["al"]),
    ("aleje", &["al"]),
    ("plac", &["pl"]),
    ("namesti", &["nam"]),
];

/// Directions with their short forms, folded; a single letter is one only beside a street word.
const DIRECTIONS: &[(&str, &str)] = &[
    ("north", "n"),
    ("south", "s"),
    ("east", "e"),
    ("west", "w"),
    ("northeast", "ne"),
    ("northwest", "nw"),
    ("southeast", "se"),
    ("southwest", "sw"),
];

/// Endings of one long word with their short form, folded.
const ENDINGS: &[(&str, &str)] = &[("strasse", "str"), ("straat", "str")];
/// Fewest letters before an ending: shorter ones are words of their own.
const STEM_CHARS_MIN: usize = 4;
/// Most keys of one name: two short forms with as many meanings as any has.
const KEYS_MAX: usize = 16;

/// The keys of a street whose short words are written out, in every way that they may be; none where it has no such words.
pub(super) fn alike_keys<W: AsRef<str>>(words: &[W]) -> Vec<String> {
    let is_street = |word: &str| WORDS.iter().any(|(whole, short)| *whole == word || short.contains(&word));
    let is_direction = |word: &str| DIRECTIONS.iter().any(|(whole, short)| *whole == word || *short == word);
    let has_street = words.iter().any(|word| is_street(word.as_ref()));
    // In `Avenue E` the letter is the name.
    let has_name = words.iter().any(|word| !is_street(word.as_ref()) && !is_direction(word.as_ref()));
    let mut names: Vec<Vec<String>> = vec![Vec::new()];
    let mut is_short = false;
    for word in words.iter().map(AsRef::as_ref) {
        let mut meanings = written_out(word);
        let direction = DIRECTIONS.iter().find(|(_, short)| *short == word).map(|(whole, _)| (*whole).to_owned());
        meanings.extend(direction.filter(|_| word.len() > 1 || (has_street && has_name)));
        is_short |= !meanings.is_empty();
        if meanings.is_empty() {
            meanings.push(word.to_owned());
        }
        let longer =
            |name: Vec<String>| meanings.iter().map(move |word| [name.as_slice(), std::slice::from_ref(word)].concat());
        names = names.into_iter().flat_map(longer).take(KEYS_MAX).collect();
    }
    if is_short { names.iter().map(|name| fold::join(name)).collect() } else { Vec::new() }
}

/// Whether a word is a known short form of another, both folded.
pub(in crate::geocode) fn is_short_for(short: &str, whole: &str) -> bool {
    DIRECTIONS.contains(&(whole, short)) || written_out(short).iter().any(|word| word == whole)
}

/// The words that a short form may stand for; none where it is no short form.
fn written_out(short: &str) -> Vec<String> {
    let mut words: Vec<String> =
        WORDS.iter().filter(|(_, forms)| forms.contains(&short)).map(|(whole, _)| (*whole).to_owned()).collect();
    for (whole, ending) in ENDINGS {
        let stem = short.strip_suffix(ending).filter(|stem| stem.chars().count() >= STEM_CHARS_MIN);
        words.extend(stem.map(|stem| format!("{stem}{whole}")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys by which a street is found.
    fn keys(name: &str) -> Vec<String> {
        let words = fold::words(name);
        alike_keys(&words).into_iter().chain([fold::join(&words)]).collect()
    }

    fn is_alike(one: &str, other: &str) -> bool {
        keys(one).iter().any(|key| keys(other).contains(key))
    }

    #[test]
    fn short_and_long_forms_are_alike() {
        for (one, other) in [
            ("Main St", "Main Street"),
            ("N. Main St.", "North Main Street"),
            ("Saint John Rd", "St John Road"),
            ("Hauptstr.", "Hauptstraße"),
            ("Kerkstr.", "Kerkstraat"),
            ("Bd Saint-Michel", "Boulevard St Michel"),
            ("Av. de Mayo", "Avenida de Mayo"),
            ("ul. Długa", "Ulica Długa"),
            ("5th Ave SW", "5th Avenue Southwest"),
            ("Pl. Royale", "Place Royale"),
        ] {
            assert!(is_alike(one, other), "{one} and {other}: {:?}", keys(one));
        }
        assert_eq!(alike_keys(&["laugavegur"]), [] as [String; 0]);
        assert_eq!(alike_keys(&["st"; 30]).len(), KEYS_MAX);
    }

    #[test]
    fn other_words_and_letters_are_other_streets() {
        for (one, other) in [
            ("Main Street", "Main Road"),
            ("Place Royale", "Plaza Royale"),
            ("Kennedyplatz", "Kennedyplads"),
            ("Piazza Roma", "Place Roma"),
            ("John Street", "John Saint"),
            ("Strada Mare", "Straße Mare"),
            ("Avenue E", "Avenue East"),
            ("Calle N", "Calle North"),
            ("E 5", "East 5"),
            ("Rue Mayor", "R Mayor"),
        ] {
            assert!(!is_alike(one, other), "{one} and {other}: {:?}", keys(one));
        }
    }
}
