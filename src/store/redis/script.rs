//! What runs inside Redis, each script as one step: nothing comes between its reads and its writes.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// Writes a batch, if every record is as expected and the partition is the one that the writer knows.
///
/// Keys: the partition's head, its revisions, its stream, then records and index of each mutation.
/// Arguments: generation, tag, account, entries that the stream keeps, the entry's text, then of each mutation: what is expected
/// (`*` anything, `+` what is there stays, `-` nothing, otherwise a revision), id, value (empty takes the record away).
///
/// Whatever may fail is tried before anything is written, the stream's entry first: Redis takes nothing back.
///
/// Answers `{sequence, revision}`; `{-1, number}` with the mutation that is not as expected; `{-2}` in another generation.
const COMMIT_TEXT: &str = "#!lua
local head = redis.call('HMGET', KEYS[1], 'generation', 'sequence', 'tag')
if head[1] ~= ARGV[1] then return {-2} end
local count = (#KEYS - 3) / 2
for i = 1, count do
  local records, index = KEYS[2 + i * 2], KEYS[3 + i * 2]
  local expect, id = ARGV[3 + i * 3], ARGV[4 + i * 3]
  redis.call('ZSCORE', index, id)
  if expect == '-' or expect == '*' or expect == '+' then
    if redis.call('HEXISTS', records, id) == 1 and expect == '-' then return {-1, i} end
  else
    local value = redis.call('HGET', records, id)
    if not value or #value < 8 or struct.unpack('>I8', value) ~= tonumber(expect) then return {-1, i} end
  end
end
local sequence = tonumber(head[2]) + 1
local revision = tonumber(redis.call('HGET', KEYS[2], ARGV[3]) or '0') + 1
local at = string.format('%.0f-0', sequence)
local told = string.format('%.0f', revision)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], at, 'p', head[3], 't', ARGV[2], 'a', ARGV[3], 'r', told, 'm', ARGV[5])
redis.call('HSET', KEYS[2], ARGV[3], told)
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
/// descends, how many. Answers ids and values; an id without a value where another program took it away.
const PAGE_TEXT: &str = "#!lua flags=no-writes
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return redis.error_reply('FOREIGN it was emptied, or holds the data of another deployment') end
local ids
if ARGV[4] == '1' then
  ids = redis.call('ZRANGE', KEYS[3], ARGV[3], ARGV[2], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[5])
else
  ids = redis.call('ZRANGE', KEYS[3], ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, ARGV[5])
end
if #ids == 0 then return {} end
return {ids, redis.call('HMGET', KEYS[2], unpack(ids))}
";

/// [`COMMIT_TEXT`].
pub(super) static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(COMMIT_TEXT));
/// [`BEGIN_TEXT`].
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| Script::new(BEGIN_TEXT));
/// [`HEAD_TEXT`].
pub(super) static HEAD: LazyLock<Script> = LazyLock::new(|| Script::new(HEAD_TEXT));
/// [`PAGE_TEXT`].
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(PAGE_TEXT));

/// All of them, for a connection that is new.
pub(super) const TEXTS: [&str; 4] = [COMMIT_TEXT, BEGIN_TEXT, HEAD_TEXT, PAGE_TEXT];

/// The call of a script, by its digest; its number of keys and the keys are to follow.
pub(super) fn call(script: &Script) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash());
    call
}
