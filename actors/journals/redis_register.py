"""The register of acts of a cluster, in the journal's Redis: a call that another node adopts repeats nothing. Rules:
`register.py`.

One script begins an act: it compares the order's epoch with the journal's own key of the call, so an older owner is
refused from the moment at which the journal was fenced, with no gap in between. Key, in the journal's slot:

    {offhook}:acts:CALL  hash  KEY -> packed act; "" -> the newest epoch that ordered; dropped with the call's records
"""

from __future__ import annotations

from typing import Any

import msgpack
from redis import RedisError
from redis.asyncio import Redis

from ..contracts.errors import JournalAway
from ..contracts.orders import Order, Outcome
from .redis_store import connections
from .register import GRACE_MS, KEEP_MS, Begun, outcome_of, state_of

CONNECTIONS_MAX = 4

# An act: [action, grant, epoch, token, holder, tries, doubt, begun_ms, until_ms, state, result, number]
_BEGIN = """
local P = '{offhook}:'
local call, key, epoch, grant, action, token, holder, time_ms, keep_ms = unpack(ARGV)
local acts = P .. 'acts:' .. call
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local packed = redis.call('HGET', acts, key)
local act = packed and cmsgpack.unpack(packed)
local state = act and act[10]
if act and state ~= 'begun' and (state == 'ok' or act[2] == grant) then return {'done', state, act[11]} end
local newest = redis.call('HGET', acts, '') or ''
local journaled = redis.call('HGET', P .. 'call:' .. call, 'epoch') or ''
if journaled > newest then newest = journaled end
if epoch < newest then return {'fenced', newest} end
if act and state == 'begun' and act[4] == token then return {'go', act[7], act[6]} end
if act and state == 'begun' and act[5] ~= holder and now < act[9] then return {'wait', act[9] - now} end
local tries, doubt, number = 1, 0, redis.call('HLEN', acts)
if act then
    tries, number = act[6] + 1, act[12]
    if state ~= 'failed' and state ~= 'withdrawn' then doubt = 1 end
end
act = {action, grant, epoch, token, holder, tries, doubt, now, now + time_ms, 'begun', '', number}
redis.call('HSET', acts, key, cmsgpack.pack(act), '', epoch)
redis.call('PEXPIRE', acts, keep_ms)
return {'go', doubt, tries}
"""

_FINISH = """
local acts = '{offhook}:acts:' .. ARGV[1]
local packed = redis.call('HGET', acts, ARGV[2])
local act = packed and cmsgpack.unpack(packed)
if not act or act[4] ~= ARGV[3] then return 0 end
if act[10] ~= 'begun' then return act[10] == ARGV[4] and 1 or 0 end
act[10], act[11] = ARGV[4], ARGV[5]
redis.call('HSET', acts, ARGV[2], cmsgpack.pack(act))
return 1
"""


class RedisRegister:
    """See `register.Register`.

    Args:
        url: the journal's.
        holder: this node's name.
    """

    def __init__(self, url: str, holder: str) -> None:
        self._redis = Redis(connection_pool=connections(url, CONNECTIONS_MAX, tries=2))
        self._holder = holder
        self._closed = False

    async def begin(self, order: Order, token: str, time_ms: int) -> Begun:
        """See `Register`."""
        answer = await self._run(
            _BEGIN,
            *(order.call, order.key, f"{order.epoch:019d}", order.grant, order.action, token, self._holder),
            *(str(time_ms + GRACE_MS), str(KEEP_MS)),
        )
        match answer:
            case [b"done", state, result]:
                return Begun(outcome=outcome_of(state.decode(), result.decode(errors="replace")))
            case [b"fenced", newest]:
                return Begun(newer_epoch=int(newest))
            case [b"wait", wait_ms]:
                return Begun(wait_ms=int(wait_ms))
            case [_, doubt, tries]:
                return Begun(in_doubt=bool(doubt), tries=int(tries))
        raise JournalAway(f"the register of acts: Redis answered {answer!r:.100}")

    async def finish(self, order: Order, token: str, outcome: Outcome) -> bool:
        """See `Register`."""
        return bool(await self._run(_FINISH, order.call, order.key, token, state_of(outcome), outcome.result))

    async def acts(self, call: str) -> list[tuple[str, str, int]]:
        """See `Register`."""
        found = await self._guarded("HGETALL", f"{{offhook}}:acts:{call}")
        acts = [(key.decode(), msgpack.unpackb(packed, raw=True)) for key, packed in found.items() if key]
        acts.sort(key=lambda pair: int(pair[1][11]))
        return [(act[0].decode(), key, int(act[5])) for key, act in acts]

    async def close(self) -> None:
        """See `Register`."""
        self._closed = True
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _run(self, script: str, *values: str) -> Any:
        return await self._guarded("EVAL", script, 1, f"{{offhook}}:acts:{values[0]}", *values)

    async def _guarded(self, *command: str | int) -> Any:
        if self._closed:
            raise JournalAway("the register of acts is closed")
        try:
            return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            raise JournalAway(f"the register of acts, Redis: {error}") from error
