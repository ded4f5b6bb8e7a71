"""The scripts by which the journal is written in Redis: append with fencing, and retention. Keys: `redis_store.py`.

Redis runs a script from end to end before it does anything else, so between the comparison of an epoch and the records
that depend on it nobody else's command can come.
"""

from __future__ import annotations

RECORD_BYTES = 12  # of memory that Redis takes beside the packed record itself, measured with a usual event

APPEND = """
local P = '{offhook}:'
local units, bytes_max = cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local total = tonumber(redis.call('GET', P .. 'bytes') or '0')
local lines, DROPPED = {}, {snapshot = true, place = true}

local function line_of(call)
    local line = lines[call]
    if not line then
        local found = redis.call('HMGET', P .. 'call:' .. call, 'epoch', 'seq', 'number', 'compacted')
        line = {epoch = found[1] or '', seq = tonumber(found[2] or '-1'), number = found[3],
                compacted = tonumber(found[4] or '-1')}
        lines[call] = line
    end
    return line
end

local function find(call, seq)
    local id = seq .. '-1'
    local entry = redis.call('XRANGE', P .. 'records:' .. call, id, id)[1]
    if entry then return entry[2][2] end
    return redis.call('HGET', P .. 'late:' .. call, seq)
end

-- What a unit would change: {calls in order, call -> change}; or a fault. Changes nothing.
local function check(unit)
    local order, changes, bytes = {}, {}, 0
    local function change_of(call, epoch)
        local line, change = line_of(call), changes[call]
        if not change then
            change = {epoch = line.epoch, seq = line.seq, fresh = {}, there = {}, kinds = {}, bytes = 0}
            changes[call] = change
            order[#order + 1] = call
        end
        if epoch < change.epoch then return nil, {'fenced', call, change.epoch} end
        change.epoch = epoch
        return change
    end
    if unit[1] ~= '' then
        local _, fault = change_of(unit[1], unit[2])
        if fault then return fault end
    end
    for _, record in ipairs(unit[3]) do
        local call, epoch, seq, kind, blob = unpack(record)
        local change, fault = change_of(call, epoch)
        if fault then return fault end
        local there = seq <= change.seq and (change.there[seq] or find(call, seq))
        if not there and seq <= line_of(call).compacted and DROPPED[kind] then there = blob end
        if there and there ~= blob then return {'other', call, tostring(seq)} end
        if not there then
            change.there[seq] = blob
            change.fresh[#change.fresh + 1] = {seq, blob, seq > change.seq}
            change.bytes = change.bytes + #blob + RECORD_BYTES
            bytes = bytes + #blob + RECORD_BYTES
            change.seq = math.max(change.seq, seq)
            change.kinds[kind] = math.max(change.kinds[kind] or -1, seq)
        end
    end
    if bytes > 0 and total + bytes > bytes_max then return {'full'} end
    return nil, order, changes
end

local function write(call, change)
    local line, key = line_of(call), P .. 'call:' .. call
    for _, record in ipairs(change.fresh) do
        if record[3] then
            redis.call('XADD', P .. 'records:' .. call, record[1] .. '-1', 'r', record[2])
        else
            redis.call('HSET', P .. 'late:' .. call, record[1], record[2])
        end
    end
    local set = {'epoch', change.epoch, 'seq', change.seq}
    if not line.number then
        line.number = redis.call('INCR', P .. 'number')
        redis.call('ZADD', P .. 'calls', line.number, call)
        for _, value in ipairs({'number', line.number, 'begun', string.format('%.0f', now)}) do
            set[#set + 1] = value
        end
    end
    for kind, seq in pairs(change.kinds) do
        local newest = redis.call('HGET', key, 'k:' .. kind)
        if seq > tonumber(newest or '-1') then
            if kind == 'snapshot' and newest then
                for _, value in ipairs({'before', newest}) do set[#set + 1] = value end
                redis.call('ZADD', P .. 'grown', now, call)
            end
            set[#set + 1] = 'k:' .. kind
            set[#set + 1] = seq
        end
    end
    if change.kinds['end'] then
        set[#set + 1] = 'ended'
        set[#set + 1] = 1
        redis.call('ZADD', P .. 'ended', line.number, call)
        redis.call('ZADD', P .. 'over', now, call)
    end
    redis.call('HSET', key, unpack(set))
    if change.bytes > 0 then
        redis.call('HINCRBY', key, 'bytes', change.bytes)
        total = redis.call('INCRBY', P .. 'bytes', change.bytes)
    end
    line.epoch, line.seq = change.epoch, change.seq
end

local function store(unit)
    local fault, order, changes = check(unit)
    if fault then return fault end
    for _, call in ipairs(order) do write(call, changes[call]) end
    if unit[1] == '' then return {'ok'} end
    return {'ok', line_of(unit[1]).epoch, line_of(unit[1]).seq}
end

local answers, full = {}, false
for number, unit in ipairs(units) do
    local good, answer = true, {'full'}
    if not full then good, answer = pcall(store, unit) end
    if not good then
        local text = type(answer) == 'table' and answer.err or tostring(answer)
        -- Somebody else wrote to this call's keys; any other error is the store's and concerns all.
        if not (text:find('WRONGTYPE', 1, true) or text:find('equal or smaller', 1, true)) then
            return redis.error_reply(text)
        end
        answer = {'damaged', text}
    end
    full = answer[1] == 'full'
    answers[number] = answer
end
return answers
""".replace("RECORD_BYTES", str(RECORD_BYTES))

# What is removed goes first: a full Redis refuses every command that could grow, until a script has shrunk something.
PRUNE = """
local P = '{offhook}:'
local keep_ms, calls_max, bytes_max, most = unpack(ARGV)
local time, doomed = redis.call('TIME'), {}
local old = time[1] * 1000 + math.floor(time[2] / 1000) - keep_ms
for _, call in ipairs(redis.call('ZRANGE', P .. 'calls', 0, most - 1)) do
    if tonumber(redis.call('HGET', P .. 'call:' .. call, 'begun') or '0') >= old then break end
    doomed[#doomed + 1] = call
end
if #doomed == 0 then
    local over = redis.call('ZCARD', P .. 'calls') - calls_max
    if tonumber(redis.call('GET', P .. 'bytes') or '0') > tonumber(bytes_max) then over = tonumber(most) end
    if over > 0 then doomed = redis.call('ZRANGE', P .. 'ended', 0, math.min(over, most) - 1) end
end
for _, call in ipairs(doomed) do
    local bytes = redis.call('HGET', P .. 'call:' .. call, 'bytes')
    redis.call('UNLINK', P .. 'records:' .. call, P .. 'late:' .. call, P .. 'call:' .. call, P .. 'acts:' .. call)
    redis.call('ZREM', P .. 'calls', call)
    for _, set in ipairs({'ended', 'grown', 'over'}) do redis.call('ZREM', P .. set, call) end
    redis.call('DECRBY', P .. 'bytes', bytes or 0)
end
return #doomed
"""
