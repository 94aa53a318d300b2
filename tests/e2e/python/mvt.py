"""Reads vector tiles by the fields of `vector_tile.proto` 2.1, written down here once more: no code of the server is in it."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

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


def counts(body):
    """Symbol -> how many sites it stands for: clusters and areas by their ids, a pin as `p-{site}`."""
    found = layers(body)
    assert set(found) <= {"pins", "clusters", "areas"}, sorted(found)
    pins = {f"p-{pin['id']}": 1 for pin in found.get("pins", [])}
    groups = {group["id"]: group["count"] for name in ("clusters", "areas") for group in found.get(name, [])}
    assert len(pins) + len(groups) == sum(map(len, found.values())), "each symbol once"
    return pins | groups
