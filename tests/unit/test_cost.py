"""Cost: bills with every line, accounts by policy and tenant, and what a fleet costs."""

from __future__ import annotations

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.cost import GIB, TARIFF, Accounts, Prices, Usage, bill, fleet_cents
from pydantic import ValidationError

PRICES = Prices(
    cpu_hour_cents=3.6,
    memory_gib_hour_cents=0.36,
    recognizer_minute_cents=1.0,
    synthesizer_minute_cents=2.0,
    model_second_cents=0.1,
    carrier_minute_cents=0.9,
    call_cents=0.5,
    node_hour_cents=20.0,
)
CALL = Usage(
    talk_s=120, cpu_s=10, memory_byte_s=120 * GIB / 10, recognizer_s=120, synthesizer_s=30, model_s=2, carrier_s=126,
    tool_cents=3,
)  # fmt: skip


def test_a_bill_has_a_line_for_everything_that_cost() -> None:
    lines = {item.name: item.cents for item in bill(CALL, PRICES).items}
    assert lines == pytest.approx(
        {
            "call": 0.5,
            "cpu": 0.01,
            "memory": 0.0012,
            "recognizer": 2,
            "synthesizer": 1,
            "model": 0.2,
            "carrier": 1.89,
            "tools": 3,
        }
    )
    assert bill(CALL, PRICES).cents == pytest.approx(sum(lines.values()))
    assert bill(Usage(), Prices()).items == ()


def test_the_tariff_covers_every_usage_and_names_real_prices() -> None:
    assert {used for used, _, _, _ in TARIFF.values()} == set(Usage.__slots__) - {"talk_s"}
    assert {price for _, _, _, price in TARIFF.values() if price} <= set(Prices.model_fields)


def test_prices_are_read_with_their_unit() -> None:
    assert Prices.model_validate({"carrier_minute": "1.3 cents"}).carrier_minute_cents == 1.3
    with pytest.raises(ValidationError, match="has no unit"):
        Prices.model_validate({"carrier_minute": 1.3})


def test_what_cannot_have_been_used_is_refused() -> None:
    with pytest.raises(CallerFault, match="cpu_s"):
        Usage(cpu_s=-1)
    with pytest.raises(CallerFault, match="talk_s"):
        Usage(talk_s=float("nan"))


def test_accounts_add_up_by_policy_and_tenant() -> None:
    accounts = Accounts()
    for version, tenant in (("v1", "x"), ("v1", "y"), ("v2", "x"), ("v2", "x")):
        accounts.add(version, tenant, bill(CALL, PRICES))
    each = bill(CALL, PRICES).cents
    assert accounts.of().cents == pytest.approx(4 * each)
    assert accounts.of(version="v1").calls == 2
    assert accounts.of(tenant="x").calls == 3
    assert accounts.of("v2", "x").cents_per_minute == pytest.approx(each / 2)
    assert accounts.of("v3").cents_per_minute == 0.0
    assert [account.calls for _version, _tenant, account in accounts.rows()] == [1, 1, 2]


def test_a_fleet_pays_for_nodes_whether_they_are_used_or_not() -> None:
    idle = fleet_cents(3_600, 0, 0, PRICES)
    assert idle == 20.0
    assert fleet_cents(3_600, 60, 1, PRICES) == pytest.approx(20 + 0.9 + 1.0 + 2.0 / 2 + 0.5)
