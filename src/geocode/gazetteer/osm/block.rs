//! The elements of a block: nodes and ways with their tags. Relations are passed over.
//!
//! Everything is read where it lies in the block; what grows with it is the table of its strings alone.

use super::wire::{Damaged, Message, Packed, Value, zigzag};

/// Most strings of a block: a block has 8,000 elements by custom, and this many would fill memory at the format's limit.
const STRINGS_MAX: usize = 1 << 20;
/// Most tags of an element, and most nodes of a way: beyond all that there are, and little memory.
const TAGS_MAX: usize = 10_000;
const NODES_MAX: usize = 100_000;
/// Nanodegrees of a unit of coordinates, where a block does not say.
const GRANULARITY: i64 = 100;
/// Nanodegrees of a degree.
const NANODEGREES: f64 = 1e9;
/// Features of files that are read. Others say that the file cannot be understood without them.
const FEATURES: [&[u8]; 2] = [b"OsmSchema-V0.6", b"DenseNodes"];

/// Tags of an element: key and value.
pub(super) type Tags<'a> = [(&'a str, &'a str)];

/// Tags as they are gathered.
type TagList<'a> = Vec<(&'a str, &'a str)>;
/// Latitude and longitude in degrees; may lie outside their ranges.
type Degrees = (f64, f64);

/// An element with its tags.
#[derive(Debug)]
pub(super) enum Element<'a> {
    /// A point.
    Node {
        /// Its id.
        id: i64,
        /// Latitude and longitude in degrees; may lie outside their ranges.
        degrees: Degrees,
        /// Its tags.
        tags: &'a Tags<'a>,
    },
    /// A line or outline.
    Way {
        /// Its id.
        id: i64,
        /// The ids of its nodes.
        nodes: &'a [i64],
        /// Its tags.
        tags: &'a Tags<'a>,
    },
}

/// Whether the file needs nothing that is not read here; `block` is the file's header.
pub(super) fn check_header(block: &[u8]) -> Result<(), Damaged> {
    let mut header = Message(block);
    while let Some((field, value)) = header.next()? {
        if field == 4 && !FEATURES.contains(&value.bytes()?) {
            return Err(Damaged("it needs a feature that is not read here, such as a history of versions"));
        }
    }
    Ok(())
}

/// A block of elements.
#[derive(Debug)]
pub(super) struct Block<'a> {
    strings: Vec<&'a str>,
    bytes: &'a [u8],
    granularity: i64,
    offsets: (i64, i64),
}

impl<'a> Block<'a> {
    /// The block in these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Damaged> {
        let mut block = Self { strings: Vec::new(), bytes, granularity: GRANULARITY, offsets: (0, 0) };
        let mut message = Message(bytes);
        while let Some((field, value)) = message.next()? {
            match field {
                1 => block.strings = strings(value.bytes()?)?,
                17 => block.granularity = value.number()?.cast_signed(),
                19 => block.offsets.0 = value.number()?.cast_signed(),
                20 => block.offsets.1 = value.number()?.cast_signed(),
                _ => {}
            }
        }
        Ok(block)
    }

    /// Shows every node and way to `each`, in their order. Damage that is found on the way becomes an error by `damaged`.
    pub(super) fn elements<E>(
        &self,
        damaged: &dyn Fn(Damaged) -> E,
        each: &mut dyn FnMut(Element<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut message = Message(self.bytes);
        while let Some((field, value)) = message.next().map_err(damaged)? {
            if field != 2 {
                continue;
            }
            let mut group = Message(value.bytes().map_err(damaged)?);
            while let Some((field, value)) = group.next().map_err(damaged)? {
                match field {
                    1 => {
                        let (id, degrees, tags) = self.node(value).map_err(damaged)?;
                        each(Element::Node { id, degrees, tags: &tags })?;
                    }
                    2 => self.dense(value, damaged, each)?,
                    3 => {
                        let (id, nodes, tags) = self.way(value).map_err(damaged)?;
                        each(Element::Way { id, nodes: &nodes, tags: &tags })?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Shows the dense nodes of a group to `each`.
    fn dense<E>(
        &self,
        value: Value<'_>,
        damaged: &dyn Fn(Damaged) -> E,
        each: &mut dyn FnMut(Element<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut dense = Dense::new(value).map_err(damaged)?;
        let mut tags: TagList<'_> = Vec::new();
        while let Some((id, degrees)) = dense.next(self, &mut tags).map_err(damaged)? {
            each(Element::Node { id, degrees, tags: &tags })?;
        }
        Ok(())
    }

    /// A node that stands alone: id, position and tags.
    fn node(&self, value: Value<'_>) -> Result<(i64, Degrees, TagList<'a>), Damaged> {
        let (mut id, mut lat, mut lng, mut keys, mut values) = (0, 0, 0, Packed(&[]), Packed(&[]));
        let mut message = Message(value.bytes()?);
        while let Some((field, value)) = message.next()? {
            match field {
                1 => id = zigzag(value.number()?),
                2 => keys = Packed(value.bytes()?),
                3 => values = Packed(value.bytes()?),
                8 => lat = zigzag(value.number()?),
                9 => lng = zigzag(value.number()?),
                _ => {}
            }
        }
        Ok((id, self.degrees(lat, lng)?, self.tags(keys, values)?))
    }

    /// A way: id, nodes and tags. One without tags is a part of something else, and has no nodes here.
    fn way(&self, value: Value<'_>) -> Result<(i64, Vec<i64>, TagList<'a>), Damaged> {
        let (mut id, mut refs, mut keys, mut values) = (0, Packed(&[]), Packed(&[]), Packed(&[]));
        let mut message = Message(value.bytes()?);
        while let Some((field, value)) = message.next()? {
            match field {
                1 => id = value.number()?.cast_signed(),
                2 => keys = Packed(value.bytes()?),
                3 => values = Packed(value.bytes()?),
                8 => refs = Packed(value.bytes()?),
                _ => {}
            }
        }
        let tags = self.tags(keys, values)?;
        let (mut nodes, mut node) = (Vec::new(), 0);
        while !tags.is_empty()
            && let Some(node) = refs.next_difference(&mut node)?
        {
            if nodes.len() == NODES_MAX {
                return Err(Damaged("a way has more nodes than any real one"));
            }
            nodes.push(node);
        }
        Ok((id, nodes, tags))
    }

    fn tags(&self, mut keys: Packed<'_>, mut values: Packed<'_>) -> Result<TagList<'a>, Damaged> {
        let mut tags = Vec::new();
        while let Some(key) = keys.next()? {
            let value = values.next()?.ok_or(Damaged("a key has no value"))?;
            self.push_tag(&mut tags, key, value)?;
        }
        Ok(tags)
    }

    fn push_tag(&self, tags: &mut TagList<'a>, key: u64, value: u64) -> Result<(), Damaged> {
        if tags.len() == TAGS_MAX {
            return Err(Damaged("an element has more tags than any real one"));
        }
        tags.push((self.string(key)?, self.string(value)?));
        Ok(())
    }

    fn string(&self, number: u64) -> Result<&'a str, Damaged> {
        let string = usize::try_from(number).ok().and_then(|number| self.strings.get(number));
        string.copied().ok_or(Damaged("a tag names a string that is not there"))
    }

    /// Degrees of units of the block.
    #[expect(clippy::cast_precision_loss, reason = "nanodegrees of the globe have 38 bits")]
    fn degrees(&self, lat: i64, lng: i64) -> Result<Degrees, Damaged> {
        let degrees = |units: i64, offset: i64| {
            let nanodegrees = units.checked_mul(self.granularity).and_then(|sum| sum.checked_add(offset));
            nanodegrees.map(|sum| sum as f64 / NANODEGREES).ok_or(Damaged("a coordinate beyond 64 bits"))
        };
        Ok((degrees(lat, self.offsets.0)?, degrees(lng, self.offsets.1)?))
    }
}

/// Dense nodes: columns of ids, latitudes, longitudes and tags, written as differences.
struct Dense<'b> {
    ids: Packed<'b>,
    lats: Packed<'b>,
    lngs: Packed<'b>,
    /// Keys and values in turn, and a zero behind those of each node; empty where no node has any.
    tags: Packed<'b>,
    has_tags: bool,
    sums: [i64; 3],
}

impl<'b> Dense<'b> {
    fn new(value: Value<'b>) -> Result<Self, Damaged> {
        let none = Packed(&[]);
        let mut dense = Self { ids: none, lats: none, lngs: none, tags: none, has_tags: false, sums: [0; 3] };
        let mut message = Message(value.bytes()?);
        while let Some((field, value)) = message.next()? {
            match field {
                1 => dense.ids = Packed(value.bytes()?),
                8 => dense.lats = Packed(value.bytes()?),
                9 => dense.lngs = Packed(value.bytes()?),
                10 => dense.tags = Packed(value.bytes()?),
                _ => {}
            }
        }
        dense.has_tags = !dense.tags.0.is_empty();
        Ok(dense)
    }

    /// The next node's id and position; its tags go into `tags`.
    fn next<'a>(&mut self, block: &Block<'a>, tags: &mut TagList<'a>) -> Result<Option<(i64, Degrees)>, Damaged> {
        let [id, lat, lng] = &mut self.sums;
        let Some(id) = self.ids.next_difference(id)? else { return Ok(None) };
        let lat = self.lats.next_difference(lat)?.ok_or(Damaged("a node has no latitude"))?;
        let lng = self.lngs.next_difference(lng)?.ok_or(Damaged("a node has no longitude"))?;
        tags.clear();
        while self.has_tags {
            match self.tags.next()?.ok_or(Damaged("the tags of a node have no end"))? {
                0 => break,
                key => {
                    let value = self.tags.next()?.ok_or(Damaged("a key has no value"))?;
                    block.push_tag(tags, key, value)?;
                }
            }
        }
        Ok(Some((id, block.degrees(lat, lng)?)))
    }
}

/// The strings of a block; what is no UTF-8 is empty, and so names nothing.
fn strings(table: &[u8]) -> Result<Vec<&str>, Damaged> {
    let mut strings = Vec::new();
    let mut message = Message(table);
    while let Some((field, value)) = message.next()? {
        if field == 1 {
            if strings.len() == STRINGS_MAX {
                return Err(Damaged("it has more strings than any real block"));
            }
            strings.push(std::str::from_utf8(value.bytes()?).unwrap_or_default());
        }
    }
    Ok(strings)
}
