//! The TileJSON 3.0.0 document of an account's tiles.

use serde_json::{Map, Value, json};

use super::Admitted;
use crate::api::percent::encoded;
use crate::service::map::{FieldKind, LAT_MAX, LAYERS, LayerFields, ZOOM_MAX};

/// Where the tiles are, seen from the document.
const TILE_TEMPLATE: &str = "tiles/{z}/{x}/{y}.mvt";

/// The document. It names the tiles with the filter, or with the signature that it was itself asked for with; in full behind
/// `base`, because map libraries take addresses as they stand: MapLibre's worker would look for others beside its own script. Where
/// there is no base they are relative to the document.
pub(super) fn tile_json(admitted: &Admitted, base: Option<&str>, attributions: &[String]) -> Value {
    json!({
        "tilejson": "3.0.0",
        "name": format!("waymark sites of {}", admitted.account),
        "scheme": "xyz",
        "tiles": [template(admitted, base)],
        "minzoom": 0,
        "maxzoom": ZOOM_MAX,
        // The world, wherever the sites are now: libraries ask for no tile outside, and sites move.
        "bounds": [-180.0, -LAT_MAX, 180.0, LAT_MAX],
        "center": [0.0, 0.0, 0],
        "attribution": attributions.join(" | "),
        "vector_layers": LAYERS.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn template(admitted: &Admitted, base: Option<&str>) -> String {
    let directory = base.map(|base| format!("{base}/v1/accounts/{}/", admitted.account)).unwrap_or_default();
    let query = match &admitted.signature {
        Some(signature) => format!("?signature={signature}"),
        None if admitted.filter.is_empty() => String::new(),
        None => format!("?filter={}", encoded(&admitted.filter)),
    };
    format!("{directory}{TILE_TEMPLATE}{query}")
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
