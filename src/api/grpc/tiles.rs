//! Tiles of `MapService`: the stream of tiles, and their signed addresses.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::api::convert::{parse_duration, timestamp};
use crate::api::etag::TileTag;
use crate::api::proto::waymark::v1 as pb;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::service::map::{TileId, tile_id};
use crate::service::{Error, Waymark};

/// Most tiles of a stream: four screens of 8 × 8.
const TILES_MAX: usize = 256;

/// Tiles on their way, each made when the client has room for it.
pub(super) type TileStream = BoxStream<'static, Result<pb::StreamTilesResponse, Status>>;

/// `StreamTiles`. Whatever is wrong with the request is told before the first tile.
pub(super) fn stream(
    waymark: &Arc<Waymark>,
    request: Request<pb::StreamTilesRequest>,
) -> Result<Response<TileStream>, Status> {
    let principal = caller::of(waymark, &request)?;
    let message = request.into_inner();
    let account = names::account("parent", &message.parent).map_err(Failure::from)?;
    let principal = waymark.within(&principal, &account);
    let tiles = parse_tiles(&message.tiles).map_err(Failure::from)?;
    waymark.check_tiles(&principal, &account, &message.filter).map_err(Failure)?;
    let course = Course { waymark: Arc::clone(waymark), principal, account, filter: message.filter };
    let course = Arc::new(course);
    Ok(Response::new(in_turn(tiles, move |tile| {
        let course = Arc::clone(&course);
        async move { course.tile(tile).await.map_err(|error| Failure(error).into()) }
    })))
}

/// What all tiles of a stream share.
struct Course {
    waymark: Arc<Waymark>,
    principal: Principal,
    account: AccountId,
    filter: String,
}

impl Course {
    async fn tile(&self, id: TileId) -> Result<pb::StreamTilesResponse, Error> {
        // The token may have ended since the tile before.
        let principal = self.waymark.present(&self.principal)?;
        let tile = self.waymark.tile(&principal, &self.account, id, &self.filter).await?;
        Ok(pb::StreamTilesResponse {
            tile: Some(coordinates(id)),
            etag: TileTag::of(&self.account, &tile.bytes).identity(),
            mvt: tile.bytes,
            revision: tile.revision.0,
        })
    }
}

/// What `make` makes of each item, in turn: an item is begun only once the one before was taken, so that nothing is
/// made for a client that is gone, and nothing follows an error.
fn in_turn<I, T, E, F>(items: Vec<I>, make: impl Fn(I) -> F + Send + 'static) -> BoxStream<'static, Result<T, E>>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let state = (items.into_iter(), make);
    stream::try_unfold(state, |(mut items, make)| async move {
        let Some(item) = items.next() else { return Ok(None) };
        let made = make(item).await?;
        Ok(Some((made, (items, make))))
    })
    .boxed()
}

fn parse_tiles(tiles: &[pb::TileCoordinates]) -> Result<Vec<TileId>, Invalid> {
    if !(1..=TILES_MAX).contains(&tiles.len()) {
        return Err(Invalid::new("tiles", format!("between 1 and {TILES_MAX} tiles, got {}", tiles.len())));
    }
    let parse = |(at, tile)| parse_tile(tile).map_err(|fault| Invalid::new(format!("tiles[{at}]"), fault.why));
    tiles.iter().enumerate().map(parse).collect()
}

fn parse_tile(tile: &pb::TileCoordinates) -> Result<TileId, Invalid> {
    let refuse = |_| Invalid::new("tile", format!("no coordinate is negative, got {}/{}/{}", tile.z, tile.x, tile.y));
    let z = u32::try_from(tile.z).map_err(refuse)?;
    let (x, y) = (u32::try_from(tile.x).map_err(refuse)?, u32::try_from(tile.y).map_err(refuse)?);
    // Far too deep is told as too deep.
    tile_id(u8::try_from(z).unwrap_or(u8::MAX), x, y)
}

fn coordinates(id: TileId) -> pb::TileCoordinates {
    let signed = |coordinate: u32| i32::try_from(coordinate).expect("coordinates are below 2^22");
    pb::TileCoordinates { z: i32::from(id.z()), x: signed(id.x()), y: signed(id.y()) }
}

/// `SignTileUrl`.
pub(super) fn sign(
    waymark: &Waymark,
    request: &Request<pb::SignTileUrlRequest>,
) -> Result<Response<pb::SignTileUrlResponse>, Status> {
    let principal = caller::of(waymark, request)?;
    let message = request.get_ref();
    let account = names::account("parent", &message.parent).map_err(Failure::from)?;
    let ttl = message.ttl.as_ref().map(|ttl| parse_duration("ttl", ttl)).transpose().map_err(Failure::from)?;
    let signed = waymark.sign_tiles(&principal, &account, &message.filter, ttl).map_err(Failure)?;
    let signature = signed.text;
    Ok(Response::new(pb::SignTileUrlResponse {
        tile_path: format!("/v1/accounts/{account}/tiles/{{z}}/{{x}}/{{y}}.mvt?signature={signature}"),
        tile_json_path: format!("/v1/accounts/{account}/tiles.json?signature={signature}"),
        expire_time: Some(timestamp(signed.ends_at)),
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn nothing_is_made_before_it_is_taken_or_after_an_error() {
        let made = Arc::new(AtomicUsize::default());
        let count = Arc::clone(&made);
        let mut tiles = in_turn(vec![1, 2, 3, 4], move |item| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { if item == 3 { Err("three") } else { Ok(item * 10) } }
        });
        assert_eq!(made.load(Ordering::Relaxed), 0);
        assert_eq!(tiles.next().await, Some(Ok(10)));
        assert_eq!(made.load(Ordering::Relaxed), 1, "a client that leaves now costs no more");
        assert_eq!(tiles.next().await, Some(Ok(20)));
        assert_eq!(tiles.next().await, Some(Err("three")));
        assert_eq!((tiles.next().await, made.load(Ordering::Relaxed)), (None, 3));
    }

    #[test]
    fn tiles_are_refused_by_their_place() {
        let tile = |z, x, y| pb::TileCoordinates { z, x, y };
        let field = |tiles: &[pb::TileCoordinates]| parse_tiles(tiles).err().map(|fault| fault.field);
        assert_eq!(field(&[]), Some("tiles".into()));
        assert_eq!(field(&vec![tile(0, 0, 0); TILES_MAX]), None);
        assert_eq!(field(&vec![tile(0, 0, 0); TILES_MAX + 1]), Some("tiles".into()));
        for bad in
            [tile(-1, 0, 0), tile(3, 8, 0), tile(3, 0, -1), tile(23, 0, 0), tile(256, 0, 0), tile(0, 0, i32::MAX)]
        {
            assert_eq!(field(&[tile(22, 0, 4_194_303), bad, bad]), Some("tiles[1]".into()), "{bad:?}");
        }
    }
}
