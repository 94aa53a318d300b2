"""Requests that nobody should send: filled by their descriptors with names and values at their ends, then damaged as bytes."""

import struct

from google.protobuf import message_factory

# Texts that break parsers, and those that some field takes.
TEXTS = [
    "", "\0", "\"", "'", "\\", "(", "((((((((((((((((((((((((", "{", "*", "/", "../", "%", "%00", "-", "\r\n", " ", "\u202e", "\ufeff",
    "İßﬃ", "e\u0301\u0301", "\U0001f5fa\ufe0f", "\u3000", "x" * 257, "é" * 5_000, "-1", "NaN", "1e999", "0", "null",
    "99999999999999999999", "accounts/-", "accounts/acme/sites/", "tokens/0123456789abcdef", "wmk_", "wmi_x.y.z",
    "accounts/a/sites/00000000-0000-0000-0000-000000000000", "<script>alert(1)</script>", "' OR 1=1 --", "=cmd|' /C calc'!A0",
]  # fmt: skip
GOOD_TEXTS = [
    "x", "fw-1", "fw-2", "note", "display_name", "contact.email", "labels", "a@example.org", "+354 555 1234", "8.8.8.8", "::1",
    "2001:db8::1", "10.8.0.0/16", "IS", "Laugavegur 1, 101 Reykjavik", "64.1466, -21.9426", "9G8F+6X Zurich", "Par",
    "status = ONLINE AND labels.tier = gold", "location.placed = true", "NOT (a OR b)", "create_time desc", "zendesk",
    "location.fixes.pin", "0190b5a0-0000-7000-8000-000000000001", "17",
]  # fmt: skip
# Where a server would be asked: nowhere outside of this machine.
URLS = ["", "https://localhost", "https://127.0.0.1:1", "https://[::1]", "https://169.254.169.254/", "file:///etc/passwd", "x"]
WHOLE = [0, 1, -1, 2, 3, 17, 22, 23, 100, 1_000, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1]
DOUBLES = [
    0.0, -0.0, 1.0, 10.5, 45.0, 90.0, -90.0, 90.00000000000001, 180.0, -180.0, 360.0, 5e-324, 1.7e308, float("inf"),
    float("-inf"), float("nan"),
]  # fmt: skip
DEPTH_MAX = 5
# How deep messages and groups are put into each other: far beyond what decoders follow.
NESTING = [2, 20, 99, 101, 1_000, 10_000]
# Bytes of a request at most: beyond what most methods take.
REQUEST_BYTES_MAX = 80 * 1024
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5


class Maker:
    """Makes requests. `names` are resource names by the field that holds them, and `random` is where chance comes from."""

    def __init__(self, random, names):
        self.random, self.names = random, names

    def request(self, kind, base=None):
        """The bytes of a request of this kind, a good one as a rule begun with; damaged in one of two."""
        message = message_factory.GetMessageClass(kind)()
        if base is not None and self.random.random() < 0.6:
            message.CopyFrom(base)
            self._change(message)
        else:
            self._fill(message, 0)
        content = message.SerializeToString()
        # The damage may make another address of one.
        is_free = not any(field.name == "connection" for field in kind.fields if field.message_type)
        if is_free and self.random.random() < 0.5:
            content = self.damaged(content)
        return content[:REQUEST_BYTES_MAX]

    def _change(self, message):
        """Fills one field of a message anew, or one of a message within."""
        field = self.random.choice(message.DESCRIPTOR.fields) if message.DESCRIPTOR.fields else None
        if field is None:
            return
        inside = field.message_type and not field.is_repeated and message.HasField(field.name)
        if inside and self.random.random() < 0.7:
            self._change(getattr(message, field.name))
            return
        message.ClearField(field.name)
        self._put(message, field, 0)

    def _fill(self, message, depth):
        for field in message.DESCRIPTOR.fields:
            if (field.message_type and depth >= DEPTH_MAX) or self.random.random() < 0.35:
                continue
            self._put(message, field, depth)

    def _put(self, message, field, depth):
        if field.message_type and field.message_type.GetOptions().map_entry:
            entries, value = getattr(message, field.name), field.message_type.fields_by_name["value"]
            if not value.message_type:
                entries[self._value(field.message_type.fields_by_name["key"])] = self._value(value)
        elif field.is_repeated:
            items = getattr(message, field.name)
            for _ in range(self.random.choice([1, 1, 2, 3, 3, 120])):
                if field.message_type:
                    self._fill(items.add(), depth + 1)
                else:
                    items.append(self._value(field))
        elif field.message_type:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._fill(inner, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _value(self, field):
        if field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
            return self.random.choice(DOUBLES)
        if field.type == field.TYPE_BYTES:
            return self.random.choice([b"", bytes(33), b"\xff" * 32, bytes(5_000)])
        if field.type == field.TYPE_STRING:
            return self._text(field)
        if field.type == field.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type == field.TYPE_ENUM:
            numbers = [value.number for value in field.enum_type.values]
            return self.random.choice([*numbers, 99, -1])
        low, high = {
            field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
            field.CPPTYPE_UINT32: (0, 2**32 - 1),
            field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
            field.CPPTYPE_UINT64: (0, 2**64 - 1),
        }[field.cpp_type]
        return self.random.choice([number for number in WHOLE if low <= number <= high])

    def _text(self, field):
        if field.name == "base_url":
            return self.random.choice(URLS)
        named = self.names.get(field.name, [])
        if named and self.random.random() < 0.7:
            return self.random.choice(named)
        return self.random.choice(self.random.choice([TEXTS, GOOD_TEXTS]))

    def damaged(self, content):
        """The bytes with something wrong: a field of another kind, an unknown one, one too often or too deep, or a cut."""
        choice, fields = self.random.randrange(9), parsed(content)
        if choice == 0 or fields is None or not fields:
            return self._bytewise(content)
        at = self.random.randrange(len(fields))
        number, kind, value = fields[at]
        if choice == 1:
            fields.insert(at, (self.random.choice([1, 15, 1_000, 2**29 - 1]), VARINT, self.random.choice(WHOLE) % 2**64))
        elif choice == 2:
            fields[at] = (number, *self.random.choice([(VARINT, 2**64 - 1), (EIGHT, b"\xff" * 8), (BYTES, b"\xff"), (FOUR, b"\0" * 4)]))
        elif choice == 3:
            fields[at:at] = [fields[at]] * self.random.choice([1, 100, 3_000])
        elif choice == 4:
            return content + self._nested(number)
        elif choice == 5 and kind == BYTES:
            fields[at] = (number, kind, self.damaged(value) if parsed(value) else self._bytewise(value))
        elif choice == 6:
            fields[at] = (self.random.randrange(1, 20), kind, value)
        elif choice == 7:
            self.random.shuffle(fields)
        else:
            return content[: self.random.randrange(len(content) + 1)]
        return encoded(fields)

    def _nested(self, number):
        """A field within itself, or groups within each other, as often as a message has room for."""
        times = self.random.choice(NESTING)
        if self.random.random() < 0.5:
            return bytes([0x0B]) * times + bytes([0x0C]) * self.random.choice([0, times])
        content = b""
        while times and len(content) < REQUEST_BYTES_MAX // 2:
            content, times = encoded([(number, BYTES, content)]), times - 1
        return content

    def _bytewise(self, content):
        content = bytearray(content or b"\x0a")
        for _ in range(self.random.randrange(1, 5)):
            at = self.random.randrange(len(content))
            if self.random.random() < 0.5:
                content[at] = self.random.randrange(256)
            else:
                content[at:at] = self.random.choice([b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x07", b"\0", b"\xed\xa0\x80", b"\x02"])
        return bytes(content)


def parsed(content):
    """The fields of a message as (number, kind, value); `None` for what is none."""
    fields, at = [], 0
    while at < len(content):
        key, at = _varint(content, at)
        if key is None or not key >> 3:
            return None
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(content, at)
            if value is None:
                return None
        else:
            length = {EIGHT: 8, FOUR: 4}.get(kind)
            if kind == BYTES:
                length, at = _varint(content, at)
            if length is None or at + length > len(content):
                return None
            value, at = content[at : at + length], at + length
        fields.append((key >> 3, kind, value))
    return fields


def _varint(content, at):
    number = 0
    for shift in range(0, 64, 7):
        if at >= len(content):
            return None, at
        byte, at = content[at], at + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    return None, at


def encoded(fields):
    """Fields as they are sent."""
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if kind == VARINT:
            out += varint(value)
        else:
            out += (varint(len(value)) if kind == BYTES else b"") + value
    return bytes(out)


def varint(number):
    """A number as protobuf writes it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def double(number):
    """A fraction as protobuf writes it."""
    return struct.pack("<d", number)
