//! The TileJSON 3.0.0 document of an account's tiles.

use serde_json::{Map, Value, json};

use super::Admitted;
use crate::api::percent::encoded;
use crate::service::map::{FieldKind, LAT_MAX, LAYERS, LayerFields, ZOOM_MAX};

/// Where the tiles are, seen from the document: the server need not know by which name it is reached.
const TILE_TEMPLATE: &str = "tiles/{z}/{x}/{y}.mvt";

/// The document. It names the tiles with the filter, or with the signature that it was itself asked for with.
pub(super) fn tile_json(admitted: &Admitted, attributions: &[String]) -> Value {
    json!({
        "tilejson": "3.0.0",
        "name": format!("waymark sites of {}", admitted.account),
        "scheme": "xyz",
        "tiles": [template(admitted)],
        "minzoom": 0,
        "maxzoom": ZOOM_MAX,
        // The world, wherever the sites are now: libraries ask for no tile outside, and sites move.
        "bounds": [-180.0, -LAT_MAX, 180.0, LAT_MAX],
        "center": [0.0, 0.0, 0],
        "attribution": attributions.join(" | "),
        "vector_layers": LAYERS.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn template(admitted: &Admitted) -> String {
    match &admitted.signature {
        Some(signature) => format!("{TILE_TEMPLATE}?signature={signature}"),
        None if admitted.filter.is_empty() => TILE_TEMPLATE.to_owned(),
        None => format!("{TILE_TEMPLATE}?filter={}", encoded(&admitted.filter)),
    }
}

fn layer(layer: &LayerFields) -> Value {
    let kind = |kind| match kind {
        FieldKind::Text => "String",
        FieldKind::Number => "Number",
        FieldKind::Truth => "Boolean",
    };
    let fields: Map<String, Value> =
        layer.fields.iter().map(|(name, of)| ((*name).to_owned(), kind(*of).into())).collect();
    json!({
        "id": layer.name,
        "description": layer.description,
        "minzoom": 0,
        "maxzoom": ZOOM_MAX,
        "fields": fields,
    })
}
