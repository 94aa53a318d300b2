//! What people write short in the names of streets: forms of a word that count as one.
//!
//! Which of them stands for the others does not matter, as long as sources and questions agree. So `st` may be both
//! `Street` and `Saint`, and nothing has to find out which. Knows nothing of the index.

use super::fold;

/// Words that count as the first of their row, folded.
const WORDS: &[&[&str]] = &[
    // English.
    &["street", "st", "str", "saint", "sankt", "strasse", "straat", "strada"],
    &["avenue", "ave", "av", "avenida", "avda", "avd"],
    &["road", "rd"],
    &["drive", "dr", "doctor", "doktor", "docteur"],
    &["lane", "ln"],
    &["court", "ct", "crt"],
    &["place", "pl", "plaza", "platz", "piazza", "plac", "pza", "pzza", "plaats", "plads", "plass"],
    &["square", "sq", "squ"],
    &["boulevard", "blvd", "bd", "boul", "bvd", "blv"],
    &["highway", "hwy"],
    &["parkway", "pkwy", "pky"],
    &["terrace", "ter", "terr"],
    &["circle", "cir"],
    &["crescent", "cres", "cr"],
    &["close", "cl"],
    &["gardens", "gdns"],
    &["grove", "gr", "gro"],
    &["expressway", "expy"],
    &["freeway", "fwy"],
    &["trail", "trl"],
    &["way", "wy"],
    &["mount", "mt"],
    &["fort", "ft"],
    // Where it is.
    &["north", "n"],
    &["south", "s"],
    &["east", "e"],
    &["west", "w"],
    &["northeast", "ne"],
    &["northwest", "nw"],
    &["southeast", "se"],
    &["southwest", "sw"],
    // French, Spanish, Portuguese, Italian.
    &["chemin", "ch", "che"],
    &["route", "rte"],
    &["rue", "r", "rua"],
    &["impasse", "imp"],
    &["allee", "all"],
    &["faubourg", "fbg", "fg"],
    &["calle", "c", "cl"],
    &["carretera", "ctra", "crta"],
    &["paseo", "p", "pso"],
    &["travessa", "tv", "trav"],
    &["praca", "pca"],
    &["viale", "vle"],
    &["corso", "cso"],
    &["largo", "lgo"],
    // Slavic.
    &["ulica", "ul", "ulitsa"],
    &["улица", "ул"],
    &["проспект", "пр", "просп"],
    &["aleja", "al", "aleje"],
    &["namesti", "nam"],
];

/// Endings of one long word that count as the first of their row, folded.
const ENDINGS: &[(&str, &[&str])] = &[("strasse", &["str", "straat"])];
/// Fewest letters before an ending: shorter ones are words of their own.
const STEM_CHARS_MIN: usize = 4;

/// The key of a street whose words are written out alike; `None` where that is the key as written.
pub(super) fn street_key<W: AsRef<str>>(words: &[W]) -> Option<String> {
    let alike: Vec<String> = words.iter().map(|word| written_out(word.as_ref())).collect();
    let is_other = alike.iter().zip(words).any(|(alike, word)| alike != word.as_ref());
    is_other.then(|| fold::join(&alike))
}

/// A word as all of its forms are written.
fn written_out(word: &str) -> String {
    if let Some(row) = WORDS.iter().find(|row| row.contains(&word)) {
        return row[0].to_owned();
    }
    for (whole, short) in ENDINGS {
        let stem = short.iter().find_map(|short| word.strip_suffix(short));
        if let Some(stem) = stem.filter(|stem| stem.chars().count() >= STEM_CHARS_MIN) {
            return format!("{stem}{whole}");
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key by which a street is found beside its own.
    fn alike(name: &str) -> String {
        let words = fold::words(name);
        street_key(&words).unwrap_or_else(|| fold::join(&words))
    }

    #[test]
    fn short_and_long_forms_are_one() {
        for (one, other) in [
            ("Main St", "Main Street"),
            ("N. Main St.", "North Main Street"),
            ("Saint John Rd", "St John Road"),
            ("Hauptstr.", "Hauptstraße"),
            ("Kerkstr.", "Kerkstraat"),
            ("Bd Saint-Michel", "Boulevard St Michel"),
            ("Av. de Mayo", "Avenida de Mayo"),
            ("C/ Mayor", "Calle Mayor"),
            ("ul. Długa", "Ulica Długa"),
            ("5th Ave SW", "5th Avenue Southwest"),
        ] {
            assert_eq!(alike(one), alike(other), "{one} and {other}");
        }
        assert_ne!(alike("Main Street"), alike("Main Road"));
        assert_eq!(street_key(&["laugavegur"]), None);
    }
}
