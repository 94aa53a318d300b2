"""Reads vector tiles by the fields of `vector_tile.proto` 2.1, written down here once more: no code of the server is in it."""

import math

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from stubs import pb

_FIELD = descriptor_pb2.FieldDescriptorProto
_VALUE = [
    ("string_value", 1, _FIELD.TYPE_STRING),
    ("float_value", 2, _FIELD.TYPE_FLOAT),
    ("double_value", 3, _FIELD.TYPE_DOUBLE),
    ("int_value", 4, _FIELD.TYPE_INT64),
    ("uint_value", 5, _FIELD.TYPE_UINT64),
    ("sint_value", 6, _FIELD.TYPE_SINT64),
    ("bool_value", 7, _FIELD.TYPE_BOOL),
]


def _tile_class():
    file = descriptor_pb2.FileDescriptorProto(name="mvt.proto", package="mvt", syntax="proto2")

    def add(message, fields):
        made = file.message_type.add(name=message)
        for name, number, kind, is_list in fields:
            label = _FIELD.LABEL_REPEATED if is_list else _FIELD.LABEL_OPTIONAL
            of_type = {"type": _FIELD.TYPE_MESSAGE, "type_name": f".mvt.{kind}"} if isinstance(kind, str) else {"type": kind}
            field = made.field.add(name=name, number=number, label=label, **of_type)
            field.options.packed = is_list and kind == _FIELD.TYPE_UINT32

    add("Value", [(*field, False) for field in _VALUE])
    add(
        "Feature",
        [
            ("id", 1, _FIELD.TYPE_UINT64, False),
            ("tags", 2, _FIELD.TYPE_UINT32, True),
            ("type", 3, _FIELD.TYPE_INT32, False),
            ("geometry", 4, _FIELD.TYPE_UINT32, True),
        ],
    )
    add(
        "Layer",
        [
            ("version", 15, _FIELD.TYPE_UINT32, False),
            ("name", 1, _FIELD.TYPE_STRING, False),
            ("features", 2, "Feature", True),
            ("keys", 3, _FIELD.TYPE_STRING, True),
            ("values", 4, "Value", True),
            ("extent", 5, _FIELD.TYPE_UINT32, False),
        ],
    )
    add("Tile", [("layers", 3, "Layer", True)])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("mvt.Tile"))


Tile = _tile_class()


def layers(body):
    """Layer -> the properties of its features."""
    found = {}
    for layer in Tile.FromString(body).layers:
        values = [getattr(value, value.ListFields()[0][0].name) for value in layer.values]
        found[layer.name] = [
            {layer.keys[key]: values[value] for key, value in zip(feature.tags[::2], feature.tags[1::2])}
            for feature in layer.features
        ]
    return found


def symbols(body):
    """Symbol -> its properties: clusters and areas by their ids, a pin as `p-{site}`."""
    found = layers(body)
    assert set(found) <= {"pins", "clusters", "areas"}, sorted(found)
    told = {f"p-{pin['id']}": pin for pin in found.get("pins", [])}
    told |= {group["id"]: group for name in ("clusters", "areas") for group in found.get(name, [])}
    assert len(told) == sum(map(len, found.values())), "each symbol once"
    return told


def _word(enum, value):
    """The value as tiles write it: SITE_STATUS_ONLINE is `online`."""
    prefix = {pb.SiteStatus: "SITE_STATUS_", pb.FixSource: "FIX_SOURCE_", pb.Granularity: "GRANULARITY_"}[enum]
    return enum.Name(value).removeprefix(prefix).lower()


def _site(name):
    return name.rpartition("/")[2]


def _tally(tally):
    told = {"count": tally.total, "approximate": tally.approximate}
    for status in ("online", "offline", "unknown", "maintenance"):
        told[status] = getattr(tally, status)
        if part := getattr(tally, f"{status}_approximate"):
            told[f"{status}_approximate"] = part
    return told | {"worst_status": _word(pb.SiteStatus, tally.worst_status)}


def _optional(message, *fields):
    return {field: getattr(message, field) for field in fields if message.HasField(field)}


def symbols_of(answer):
    """Symbol -> the properties that tiles have to show, of the symbols that QueryViewport answered with."""
    told = {}
    for pin in answer.pins:
        told[f"p-{_site(pin.name)}"] = {
            "id": _site(pin.name),
            "name": pin.display_name,
            "status": _word(pb.SiteStatus, pin.status),
            "source": _word(pb.FixSource, pin.source),
            "confirmed": pin.source in (pb.FIX_SOURCE_ADDRESS, pb.FIX_SOURCE_PIN),
            "granularity": _word(pb.Granularity, pin.granularity),
        } | _optional(pin, "accuracy_m")
    for cluster in answer.clusters:
        low, high = cluster.bounds.low, cluster.bounds.high
        box = {"west": low.lng, "south": low.lat, "east": high.lng, "north": high.lat}
        alike = {"id": cluster.id, "stack": cluster.stack} | _optional(cluster, "expansion_zoom")
        told[cluster.id] = alike | box | _tally(cluster.tally)
    for area in answer.areas:
        alike = {"id": area.id, "granularity": _word(pb.Granularity, area.granularity)} | _optional(area, "radius_m")
        lone = {"site": _site(area.site.name), "name": area.site.display_name} if area.HasField("site") else {}
        told[area.id] = alike | lone | {"extent_m": math.floor(area.extent_m + 0.5)} | _tally(area.tally)
    return told


def counts(body):
    """Symbol -> how many sites it stands for: clusters and areas by their ids, a pin as `p-{site}`."""
    return {id: properties.get("count", 1) for id, properties in symbols(body).items()}
