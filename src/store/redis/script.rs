//! What runs inside Redis, each script as one step: nothing comes between its reads and its writes.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// Writes a batch, if every record is as expected and the partition is the one that the writer knows.
///
/// Keys: the partition's head, its revisions, its stream, then records and index of each mutation.
/// Arguments: generation, tag, account, entries that the stream keeps, the entry's text, then of each mutation: what is expected
/// (`*` anything, `+` what is there stays, `-` nothing, otherwise a revision), id, value (empty takes the record away).
///
/// Whatever may fail is tried before anything is written, the stream's entry first: Redis takes nothing back. An index that is gone is made
/// anew from the records before another one comes to it: with some of them it would hide the others. What it is made of is read before,
/// too: who may not read it writes nothing.
///
/// Answers `{sequence, revision}`; `{-1, number}` with the mutation that is not as expected; `{-2}` in another generation. `DAMAGED`
/// where numbers of ours are none any more, and `WRONGTYPE` where a key is something else: nothing is written then.
const COMMIT_TEXT: &str = "#!lua
local head = redis.call('HMGET', KEYS[1], 'generation', 'sequence', 'tag')
if head[1] ~= ARGV[1] then return {-2} end
local sequence = tonumber(head[2] or '')
local revision = tonumber(redis.call('HGET', KEYS[2], ARGV[3]) or '0')
for key, number in ipairs({sequence or -1, revision or -1}) do
  if number < 0 or number > 9007199254740991 or number ~= math.floor(number) or not head[3] then
    return redis.error_reply('DAMAGED ' .. KEYS[key] .. ' does not hold the numbers that waymark keeps there')
  end
end
local count = (#KEYS - 3) / 2
local gone = {}
for i = 1, count do
  local records, index = KEYS[2 + i * 2], KEYS[3 + i * 2]
  local expect, id = ARGV[3 + i * 3], ARGV[4 + i * 3]
  if not redis.call('ZSCORE', index, id) and not gone[index] and #redis.call('ZRANGE', index, 0, 0) == 0 then
    gone[index] = redis.call('HKEYS', records)
  end
  if expect == '-' or expect == '*' or expect == '+' then
    if redis.call('HEXISTS', records, id) == 1 and expect == '-' then return {-1, i} end
  else
    local value = redis.call('HGET', records, id)
    if not value or #value < 8 or struct.unpack('>I8', value) ~= tonumber(expect) then return {-1, i} end
  end
end
sequence, revision = sequence + 1, revision + 1
local at = string.format('%.0f-0', sequence)
local told = string.format('%.0f', revision)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], at, 'p', head[3], 't', ARGV[2], 'a', ARGV[3], 'r', told, 'm', ARGV[5])
redis.call('HSET', KEYS[2], ARGV[3], told)
for index, ids in pairs(gone) do
  for _, id in ipairs(ids) do redis.call('ZADD', index, 0, id) end
end
local stamp = struct.pack('>I8', revision)
for i = 1, count do
  local records, index = KEYS[2 + i * 2], KEYS[3 + i * 2]
  local expect, id, value = ARGV[3 + i * 3], ARGV[4 + i * 3], ARGV[5 + i * 3]
  if value == '' then
    redis.call('HDEL', records, id)
    redis.call('ZREM', index, id)
  elseif expect ~= '+' or redis.call('HEXISTS', records, id) == 0 then
    redis.call('HSET', records, id, stamp .. value)
    redis.call('ZADD', index, 0, id)
  end
end
redis.call('HSET', KEYS[1], 'sequence', string.format('%.0f', sequence), 'tag', ARGV[2])
return {sequence, revision}
";

/// Makes a partition where there is none.
///
/// Keys: the partition's head. Arguments: its generation.
const BEGIN_TEXT: &str = "#!lua
if redis.call('HEXISTS', KEYS[1], 'generation') == 0 then
  redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'sequence', '0', 'tag', '')
end
";

/// Where a partition stands. It says that it writes nothing: a Redis that takes no writes, for want of room or of replicas, answers
/// it all the same, and is followed.
///
/// Keys: the partition's head, its revisions. Answers generation, sequence, tag, then accounts and their revisions in turn;
/// nothing where there is no partition.
const HEAD_TEXT: &str = "#!lua flags=no-writes
local head = redis.call('HMGET', KEYS[1], 'generation', 'sequence', 'tag')
if not head[1] then return {} end
for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do head[#head + 1] = text end
return head
";

/// A page of records in the order of their ids.
///
/// Keys: the partition's head, records, index. Arguments: generation, where it begins and ends as `ZRANGE … BYLEX` says it, whether it
/// descends, how many, and where its caller knows records of up to a revision, that as eight bytes: those are answered with the eight
/// bytes of their own. Answers ids and values; an id without a value where another program took it away, and no values where it made
/// the records something else. `INDEX` where the ids are something else, or are gone while there are records.
///
/// Where some are known, values are read eight at a time: a few are copied within one buffer of Redis (16 KiB), a page of them in
/// megabytes of new ones, of which next to nothing is answered. Revisions are numbers below 2^53, which Lua's numbers hold exactly.
const PAGE_TEXT: &str = "#!lua flags=no-writes
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return redis.error_reply('FOREIGN it was emptied, or holds the data of another deployment') end
local ids
if ARGV[4] == '1' then
  ids = redis.pcall('ZRANGE', KEYS[3], ARGV[3], ARGV[2], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[5])
else
  ids = redis.pcall('ZRANGE', KEYS[3], ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, ARGV[5])
end
if ids.err then
  if not string.find(ids.err, 'WRONGTYPE', 1, true) then return ids end
  return redis.error_reply('INDEX ' .. KEYS[3] .. ' is not the sorted set of ids that waymark keeps there')
end
if #ids == 0 then
  if redis.pcall('HLEN', KEYS[2]) ~= 0 and #redis.call('ZRANGE', KEYS[3], 0, 0) == 0 then
    return redis.error_reply('INDEX ' .. KEYS[3] .. ' is gone, and the records are there')
  end
  return {}
end
local values, known, step = {}, nil, #ids
if ARGV[6] then known, step = struct.unpack('>I8', ARGV[6]), 8 end
for from = 1, #ids, step do
  local some = redis.pcall('HMGET', KEYS[2], unpack(ids, from, math.min(from + step - 1, #ids)))
  if some.err then
    if not string.find(some.err, 'WRONGTYPE', 1, true) then return some end
    values = {}
    break
  end
  if not known then
    values = some
    break
  end
  for at, value in ipairs(some) do
    if value and #value >= 8 and struct.unpack('>I8', value) <= known then value = string.sub(value, 1, 8) end
    values[from + at - 1] = value
  end
end
return {ids, values}
";

/// Records without the index of their ids, in no order.
///
/// Keys: the partition's head, records. Arguments: generation, how many records there may be, then ids. Answers the values of these
/// ids; without any, the ids of all records, and `INDEX` where there are more.
const RECORDS_TEXT: &str = "#!lua flags=no-writes
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return redis.error_reply('FOREIGN it was emptied, or holds the data of another deployment') end
if #ARGV > 2 then return redis.call('HMGET', KEYS[2], unpack(ARGV, 3)) end
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[2]) then
  return redis.error_reply('INDEX ' .. KEYS[2] .. ' has too many records to find some of them without the index of their ids')
end
return redis.call('HKEYS', KEYS[2])
";

/// Values by the names of their records, all as of one moment. No transaction would do: a Redis without room queues none, not even one
/// that only reads.
///
/// Keys: the partition's head, then of each value the hash that it is in. Arguments: its field there. Answers the generation, then the
/// values: nothing for none, and 1 where the key is something else.
const VALUES_TEXT: &str = "#!lua flags=no-writes
local found = {redis.call('HGET', KEYS[1], 'generation')}
for at = 2, #KEYS do
  local value = redis.pcall('HGET', KEYS[at], ARGV[at - 1])
  if type(value) == 'table' then
    if not string.find(value.err, 'WRONGTYPE', 1, true) then return value end
    value = 1
  end
  found[at] = value
end
return found
";

/// Takes the front of a stream away. Redis keeps what a taken entry held, in memory and in files, while an entry beside it stays: so those
/// that stay are written anew. It frees memory, and is let in where there is none.
///
/// Keys: the stream. Arguments: the first id that stays.
const CUT_TEXT: &str = "#!lua flags=allow-oom
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
local kept = redis.call('XRANGE', KEYS[1], '-', '+')
if #kept == 0 then return end
redis.call('UNLINK', KEYS[1])
for _, entry in ipairs(kept) do redis.call('XADD', KEYS[1], entry[1], unpack(entry[2])) end
";

/// [`COMMIT_TEXT`].
pub(super) static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(COMMIT_TEXT));
/// [`BEGIN_TEXT`].
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(BEGIN_TEXT));
/// [`HEAD_TEXT`].
pub(super) static HEAD: LazyLock<Script> = LazyLock::new(|| Script::new(HEAD_TEXT));
/// [`PAGE_TEXT`].
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(PAGE_TEXT));
/// [`RECORDS_TEXT`].
pub(super) static RECORDS: LazyLock<Script> = LazyLock::new(|| Script::new(RECORDS_TEXT));
/// [`VALUES_TEXT`].
pub(super) static VALUES: LazyLock<Script> = LazyLock::new(|| Script::new(VALUES_TEXT));

/// [`CUT_TEXT`].
pub(super) static CUT: LazyLock<Script> = LazyLock::new(|| Script::new(CUT_TEXT));

/// All of them, for a connection that is new.
pub(super) const TEXTS: [&str; 7] =
    [COMMIT_TEXT, BEGIN_TEXT, HEAD_TEXT, PAGE_TEXT, RECORDS_TEXT, VALUES_TEXT, CUT_TEXT];

/// The call of a script, by its digest; its number of keys and the keys are to follow.
pub(super) fn call(script: &Script) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash());
    call
}
