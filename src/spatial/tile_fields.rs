//! What the layers of a tile hold, for those who describe tiles: each property that `mvt` writes, with its type.
//!
//! A test compares it with tiles.

/// Type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldKind {
    /// A text.
    Text,
    /// An integer or a floating-point number.
    Number,
    /// Yes or no.
    Truth,
}

/// A layer and its properties, which not all of its features have.
#[derive(Debug, Clone, Copy)]
pub struct LayerFields {
    /// The layer's name.
    pub name: &'static str,
    /// What it shows, for people.
    pub description: &'static str,
    /// Names and types.
    pub fields: &'static [(&'static str, FieldKind)],
}

use FieldKind::{Number, Text, Truth};

/// All layers, in the order of a tile.
pub const LAYERS: [LayerFields; 3] = [
    LayerFields {
        name: "pins",
        description: "single sites",
        fields: &[
            ("id", Text),
            ("name", Text),
            ("status", Text),
            ("source", Text),
            ("confirmed", Truth),
            ("granularity", Text),
            ("accuracy_m", Number),
        ],
    },
    LayerFields {
        name: "clusters",
        description: "several sites each",
        fields: &[
            ("id", Text),
            ("count", Number),
            ("unknown", Number),
            ("online", Number),
            ("offline", Number),
            ("maintenance", Number),
            ("approximate", Number),
            ("unknown_approximate", Number),
            ("online_approximate", Number),
            ("offline_approximate", Number),
            ("maintenance_approximate", Number),
            ("worst_status", Text),
            ("expansion_zoom", Number),
            ("stack", Truth),
            ("west", Number),
            ("south", Number),
            ("east", Number),
            ("north", Number),
        ],
    },
    LayerFields {
        name: "areas",
        description: "sites known too coarsely for a pin",
        fields: &[
            ("id", Text),
            ("count", Number),
            ("unknown", Number),
            ("online", Number),
            ("offline", Number),
            ("maintenance", Number),
            ("approximate", Number),
            ("unknown_approximate", Number),
            ("online_approximate", Number),
            ("offline_approximate", Number),
            ("maintenance_approximate", Number),
            ("worst_status", Text),
            ("radius_m", Number),
            ("extent_m", Number),
            ("granularity", Text),
            ("site", Text),
            ("name", Text),
        ],
    },
];
