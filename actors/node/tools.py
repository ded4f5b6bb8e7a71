"""Tools: what carries out authorized actions: what a tool offers, and the stock tools.

An order comes with its idempotency key, the same in every retry and after every takeover. Whether something may be done
was decided at the gate; tools do as they are told. When a tool is asked, and what follows where it gave no answer, is
`outbox.py`'s matter; what was begun and what came of it is written in a register (`journals/register.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core.errors import CallerFault, WorldFault
from offhook.policies.core.sayable import on_one_line

from ..contracts.orders import Order, Outcome

LIMIT_MS = 10_000  # of one act; a caller waits on the line meanwhile
LIMIT_MS_MAX = 120_000
RESULT_CHARS_MAX = 500  # of what is told to the agents
HUNG_MAX = 20  # acts of one blocking tool that were given up and hold a thread each; beyond it the tool is not asked


class NotKnown(WorldFault):
    """Whether an action happened cannot be told."""


Act = Callable[[Order], Outcome | Awaitable[Outcome]]
LookUp = Callable[[Order], Outcome | Awaitable[Outcome | None] | None]


@dataclass(frozen=True, slots=True)
class Tool:
    """Carries out one kind of action.

    Args:
        act: does it. An exception says that it may have happened; what surely did not is an Outcome with ok False.
        look_up: whether it happened: what came of it, or None where it did not. Raises where that cannot be told.
        idempotent: under the same key it is harmless to act again.
        limit_ms: of one act, and of one look-up.

    Plain functions run in a thread of their own, coroutine functions on the supervisor's loop.
    """

    act: Act
    look_up: LookUp | None = None
    idempotent: bool = False
    limit_ms: int = LIMIT_MS
    _threads: _Threads = field(default_factory=lambda: _Threads(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.limit_ms <= LIMIT_MS_MAX:
            raise CallerFault(f"a tool's limit_ms is 1 to {LIMIT_MS_MAX}, not {self.limit_ms}")

    async def carry_out(self, order: Order) -> Outcome:
        """Act once. Raises: NotKnown: within the limit there was no answer, or it failed; the message says which."""
        if self._threads.full:
            return Outcome(False, f"not carried out: {HUNG_MAX} acts of this tool hang")
        return _checked(await self._ask(self.act, order, "it was given up after"))

    async def find_out(self, order: Order) -> Outcome | None:
        """What came of an act; None = it did not happen. Raises: NotKnown."""
        if self.look_up is None:
            raise NotKnown("the tool cannot be asked whether it happened")
        found = await self._ask(self.look_up, order, "asked whether it happened, it did not answer within")
        return _checked(found) if found is not None else None

    async def _ask(self, function: Callable[[Order], Any], order: Order, late: str) -> Any:
        try:
            async with asyncio.timeout(self.limit_ms / 1_000):
                if inspect.iscoroutinefunction(function):
                    return await function(order)
                return await self._threads.run(function, order)
        except TimeoutError:
            raise NotKnown(f"{late} {self.limit_ms} ms") from None
        except NotKnown:
            raise
        except Exception as error:
            raise NotKnown(f"the tool failed: {type(error).__name__}") from error


class _Threads:
    """The threads of one blocking tool. One that hangs keeps its thread, and nobody else waits for it."""

    def __init__(self) -> None:
        self._held = 0
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """No further act is begun."""
        return self._held >= HUNG_MAX

    async def run(self, function: Callable[[Order], Any], order: Order) -> Any:
        if self.full:
            raise NotKnown(f"{HUNG_MAX} acts of this tool hang")
        with self._lock:
            self._held += 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def settle(outcome: Any, error: BaseException | None) -> None:
            if answer.done():
                return  # given up
            if error is None:
                answer.set_result(outcome)
            else:
                answer.set_exception(error)

        def work() -> None:
            outcome, fault = None, None
            try:
                outcome = function(order)
            except BaseException as error:
                fault = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            with self._lock:
                self._held -= 1
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, outcome, fault)

        # Not from a pool: a hung act would take its place there for ever. A daemon: it does not hold the process up.
        threading.Thread(target=work, name=f"tool-{order.action}", daemon=True).start()
        return await answer


def _checked(answer: Any) -> Outcome:
    """What a tool answered, as it may be written down. Raises: NotKnown: it does not say what came of the act."""
    if not isinstance(answer, Outcome):
        raise NotKnown(f"the tool answered with {type(answer).__name__}, not with an Outcome")
    if answer.ok.__class__ is not bool or answer.known.__class__ is not bool or (answer.ok and not answer.known):
        raise NotKnown("the tool's Outcome does not say whether it was done")
    if isinstance(answer.result, str):
        words = on_one_line(answer.result, RESULT_CHARS_MAX)
    else:
        words = f"the tool's words are no text, but {type(answer.result).__name__}"
    return Outcome(answer.ok, words, answer.known)


def unknown(why: str) -> Outcome:
    """The outcome of an act of which nobody knows whether it happened."""
    return Outcome(False, f"it is not known whether this happened ({why}); a person must confirm it", known=False)


def _reference(key: str) -> str:
    """A short reference that follows from the key, so that a repetition yields the same one."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def _moment(order: Order) -> str:
    """When the meeting of an order is, in the words of its arguments."""
    return " ".join(order.arguments[name] for name in ("day", "time", "when", "slot") if order.arguments.get(name))


async def book_meeting(order: Order) -> Outcome:
    """Stock calendar: takes any time that it is given."""
    when = _moment(order)
    if not when:
        return Outcome(False, "no time was given")
    return Outcome(True, f"booked for {when}, reference {_reference(order.key)}")


async def cancel_meeting(order: Order) -> Outcome:
    """Stock calendar: undoes `book_meeting`, and takes its arguments; of what is not booked nothing is there either."""
    when = _moment(order)
    if not when:
        return Outcome(False, "no time was given")
    return Outcome(True, f"the booking for {when} is cancelled, reference {_reference(order.key)}")


async def send_details(order: Order) -> Outcome:
    """Stock follow-up: notes that the details are to be sent."""
    target = order.arguments.get("to") or order.arguments.get("channel") or "the number that called"
    return Outcome(True, f"details go to {target}, reference {_reference(order.key)}")


# They keep no book outside of the register: to do them again is to say the same again.
STOCK: dict[str, Tool] = {
    "book_meeting": Tool(book_meeting, idempotent=True),
    "cancel_meeting": Tool(cancel_meeting, idempotent=True),
    "send_details": Tool(send_details, idempotent=True),
}
