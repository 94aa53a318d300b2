//! The gist of a site's record: what filters ask of it beside its status and its note.

use super::attention::Attention;
use super::card::Card;
use super::location::Source;
use super::site::Site;
use super::sketch::SiteSketch;

/// The gist of one record.
#[derive(Debug, Clone)]
pub struct Gist {
    /// Where its position is from; nothing where it has none.
    pub source: Option<Source>,
    /// What needs attention, as far as the record itself knows: not whether its spot is crowded.
    pub attention: Attention,
    /// Its texts.
    pub card: Card,
}

impl Gist {
    /// That of a site. Cost: its texts but the note are folded, some microseconds.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let sketch = SiteSketch::from(site);
        let source = sketch.stack.placement.map(|placement| placement.source);
        Self { source, attention: Attention::of(&sketch), card: Card::of(&sketch) }
    }
}
