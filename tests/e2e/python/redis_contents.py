"""All that a Redis holds, as bytes: every key of whatever type, and its files."""

import redis_server

# By type of key: how all of it is read.
READ = {
    "string": ["GET"],
    "hash": ["HGETALL"],
    "list": ["LRANGE", "0", "-1"],
    "set": ["SMEMBERS"],
    "zset": ["ZRANGE", "0", "-1", "WITHSCORES"],
    "stream": ["XRANGE", "-", "+"],
}


def contents(redis):
    """What stands under each key of all databases, by the key; waymark compresses none of it."""
    found = {}
    # Databases are told by `INFO` where there is anything in them; waymark uses the first one alone.
    databases = [line for line in redis.ask("INFO", "keyspace").splitlines() if line.startswith("db")]
    assert [line.partition(":")[0] for line in databases] in ([], ["db0"]), databases
    for key in _ask(redis, "KEYS", "*"):
        (kind,) = _ask(redis, "TYPE", key)
        if kind == b"none":
            continue  # Its time was over meanwhile.
        command, *rest = READ[kind.decode()]
        found[key] = b"\0".join(_ask(redis, command, key, *rest))
    return found


def everything(redis):
    """The same as one text of bytes, keys among them."""
    return b"\0".join(part for pair in contents(redis).items() for part in pair)


def files(redis):
    """What stands in each file of its directory, by the file's path there."""
    paths = [path for path in redis.directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(redis.directory)): path.read_bytes() for path in paths}


def _ask(redis, *command):
    """All texts of an answer, however deep in it."""
    return list(redis_server.ask(redis.port, *command, reads=_texts))


def _texts(answer):
    line = answer.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    assert kind != b"-", line
    if kind == b"*":
        return [text for _ in range(max(int(rest), 0)) for text in _texts(answer)]
    if kind == b"$":
        return [] if rest == b"-1" else [answer.read(int(rest) + 2)[:-2]]
    return [rest]
