"""Cost: what a call costs, from what it used and a table of prices; and the price per minute of policies and tenants.

Belongs here: prices with their units, the bill of a call with every line of it, and the sums. Not here: measuring what
was used (`actors/`), refusing what is too dear (`gate/limit_rules.py`, which has the call's budget). Money is in cents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from ..core.errors import CallerFault
from ..core.units import Section

MINUTE_S = 60.0
HOUR_S = 3_600.0
GIB = float(1 << 30)


class Prices(Section):
    """What things cost. The defaults are round list prices of general clouds and carriers; put your own in.

    A file may write `carrier_minute: 0.85 cents`, or `carrier_minute_cents: 0.85`.
    """

    cpu_hour_cents: float = Field(4.0, ge=0)  # one core
    memory_gib_hour_cents: float = Field(0.5, ge=0)
    recognizer_minute_cents: float = Field(0.0, ge=0)  # audio sent to it; 0 = it runs on the cores that are paid above
    synthesizer_minute_cents: float = Field(0.0, ge=0)  # audio made by it
    model_second_cents: float = Field(0.0, ge=0)  # of a language model, where agents use one
    carrier_minute_cents: float = Field(0.85, ge=0)
    call_cents: float = Field(0.0, ge=0)  # once a call
    node_hour_cents: float = Field(10.0, ge=0)  # a node of the fleet, idle or not: what capacity really costs


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. `memory_byte_s`: bytes (PSS) times the seconds for which they were held."""

    talk_s: float = 0.0  # from answer to end
    cpu_s: float = 0.0
    memory_byte_s: float = 0.0
    recognizer_s: float = 0.0
    synthesizer_s: float = 0.0
    model_s: float = 0.0
    carrier_s: float = 0.0
    tool_cents: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0.0:
                raise CallerFault(f"a call cannot have used {getattr(self, name)} of {name}; 0 or more")

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


# What is billed: line -> (field of Usage, how many of its units make a priced unit, the priced unit, field of Prices).
TARIFF: dict[str, tuple[str, float, str, str]] = {
    "cpu": ("cpu_s", HOUR_S, "core hours", "cpu_hour_cents"),
    "memory": ("memory_byte_s", HOUR_S * GIB, "GiB hours", "memory_gib_hour_cents"),
    "recognizer": ("recognizer_s", MINUTE_S, "minutes", "recognizer_minute_cents"),
    "synthesizer": ("synthesizer_s", MINUTE_S, "minutes", "synthesizer_minute_cents"),
    "model": ("model_s", 1.0, "seconds", "model_second_cents"),
    "carrier": ("carrier_s", MINUTE_S, "minutes", "carrier_minute_cents"),
    "tools": ("tool_cents", 1.0, "cents", ""),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill: so many priced units, and what they cost."""

    name: str
    amount: float
    unit: str
    cents: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What one call cost."""

    items: tuple[Item, ...]
    talk_s: float

    @property
    def cents(self) -> float:
        """All of it."""
        return sum(item.cents for item in self.items)


def bill(usage: Usage, prices: Prices) -> Bill:
    """What this usage costs; lines that came to nothing are left out."""
    items = [Item("call", 1.0, "calls", prices.call_cents)]
    for name, (used, per_unit, unit, price) in TARIFF.items():
        amount = getattr(usage, used) / per_unit
        items.append(Item(name, amount, unit, amount * (getattr(prices, price) if price else 1.0)))
    return Bill(tuple(item for item in items if item.cents > 0.0), usage.talk_s)


@dataclass(slots=True)
class Account:
    """Calls of one kind, summed up."""

    calls: int = 0
    talk_s: float = 0.0
    cents: float = 0.0
    items: dict[str, float] = field(default_factory=dict)  # line -> cents

    @property
    def cents_per_minute(self) -> float:
        """Of talk; nothing where nobody has talked."""
        return self.cents / self.talk_s * MINUTE_S if self.talk_s > 0.0 else 0.0


class Accounts:
    """Accounts by policy version and tenant."""

    def __init__(self) -> None:
        self._by: dict[tuple[str, str], Account] = {}

    def add(self, version: str, tenant: str, bill: Bill) -> None:
        """One more call."""
        account = self._by.setdefault((version, tenant), Account())
        account.calls += 1
        account.talk_s += bill.talk_s
        account.cents += bill.cents
        for item in bill.items:
            account.items[item.name] = account.items.get(item.name, 0.0) + item.cents

    def of(self, version: str | None = None, tenant: str | None = None) -> Account:
        """The sum over one policy version, one tenant, both, or all; None = any."""
        total = Account()
        for (each_version, each_tenant), account in self._by.items():
            if version in (None, each_version) and tenant in (None, each_tenant):
                total.calls += account.calls
                total.talk_s += account.talk_s
                total.cents += account.cents
                for name, cents in account.items.items():
                    total.items[name] = total.items.get(name, 0.0) + cents
        return total

    def rows(self) -> list[tuple[str, str, Account]]:
        """Policy version, tenant and their account, the dearest minute first."""
        rows = sorted(self._by.items(), key=lambda entry: (-entry[1].cents_per_minute, entry[0]))
        return [(version, tenant, account) for (version, tenant), account in rows]


SPEAKING_SHARE = 0.5  # of a call's time in which its synthesizer makes audio; its recognizer hears all of it


def fleet_cents(node_s: float, talk_s: float, calls: int, prices: Prices) -> float:
    """What a fleet costs: its nodes, used or not, instead of cores and memory; carrier and engines by the minute.

    `node_s`: seconds of nodes; `talk_s`: seconds of `calls` calls.
    """
    usage = Usage(talk_s=talk_s, carrier_s=talk_s, recognizer_s=talk_s, synthesizer_s=talk_s * SPEAKING_SHARE)
    by_the_minute = bill(usage, prices.model_copy(update={"call_cents": 0.0})).cents
    return node_s / HOUR_S * prices.node_hour_cents + by_the_minute + calls * prices.call_cents
