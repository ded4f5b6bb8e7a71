"""Compaction of a journal in Redis: the script that drops a little of what nobody needs any more.

What goes and what stays is as in `sqlite_compaction.py`. A snapshot of some size has a node of its stream to itself,
and its memory is free at once; small records leave theirs only with the last of their node, so their bytes are not
taken off the account. Keys: `redis_store.py`.
"""

from __future__ import annotations

SCAN_ENTRIES = 300  # of a stream in one step: about a millisecond, in which Redis serves nobody else
NODE_BYTES = 4096  # Redis's stream-node-max-bytes: what is larger stands alone

COMPACT = """
local P = '{offhook}:'
local after_ms = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function next_call()
    local grown = redis.call('ZRANGE', P .. 'grown', 0, 0)[1]
    if grown then return grown, 'grown', 'before' end
    local over = redis.call('ZRANGE', P .. 'over', 0, 0, 'WITHSCORES')
    if over[1] and tonumber(over[2]) <= now - after_ms then return over[1], 'over', 'k:snapshot' end
end

local call, set, kept = next_call()
if not call then return 0 end
local key = P .. 'call:' .. call
local found = redis.call('HMGET', key, kept, 'compacted', 'k:snapshot')
local horizon, from = tonumber(found[1] or '-1'), tonumber(found[2] or '-1') + 1
-- A damaged field must not cost the snapshot that is needed: what is kept is there, or nothing goes.
local horizon_id = horizon .. '-1'
local there = horizon >= 0 and redis.call('XRANGE', P .. 'records:' .. call, horizon_id, horizon_id)[1]
if not there or from >= horizon then
    redis.call('ZREM', P .. set, call)
    return 1
end
local records, upto = P .. 'records:' .. call, (horizon - 1) .. '-9'
local entries = redis.call('XRANGE', records, from .. '-0', upto, 'COUNT', SCAN_ENTRIES)
local doomed, bytes = {}, 0
for _, entry in ipairs(entries) do
    local blob = entry[2][2]
    if blob:find('snapshot', 1, true) or blob:find('place', 1, true) then
        local good, record = pcall(cmsgpack.unpack, blob)
        if good and type(record) == 'table' and (record[3] == 'snapshot' or record[3] == 'place') then
            doomed[#doomed + 1] = entry[1]
            if #blob > NODE_BYTES then bytes = bytes + #blob end
        end
    end
end
local last = horizon - 1
if #entries == SCAN_ENTRIES then last = tonumber(entries[#entries][1]:match('^%d+')) end
if #doomed > 0 then
    redis.call('XDEL', records, unpack(doomed))
    redis.call('HINCRBY', key, 'dropped', #doomed)
    if bytes > 0 then
        redis.call('HINCRBY', key, 'bytes', -bytes)
        redis.call('DECRBY', P .. 'bytes', bytes)
    end
end
redis.call('HSET', key, 'compacted', last)
if last == horizon - 1 then redis.call('ZREM', P .. set, call) end
return 1
""".replace("SCAN_ENTRIES", str(SCAN_ENTRIES)).replace("NODE_BYTES", str(NODE_BYTES))
