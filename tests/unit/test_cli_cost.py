"""`offhook cost`: a table that sums up."""

from __future__ import annotations

from io import StringIO

from offhook.cluster.capacity_keeper import cost_row
from offhook.cluster.operations import Cost
from offhook.policies.fleet.cost import Accounts, Prices, Usage, bill
from offhook.serve.cli.cli_cost import _shown
from rich.console import Console


def test_the_table_has_a_row_for_each_version_and_tenant_and_one_for_all() -> None:
    accounts = Accounts()
    prices = Prices(carrier_minute_cents=2.0, cpu_hour_cents=0.0, memory_gib_hour_cents=0.0)
    accounts.add("v1", "acme", bill(Usage(talk_s=60, carrier_s=60), prices))
    accounts.add("v2", "", bill(Usage(talk_s=120, carrier_s=120), prices))
    rows = (cost_row(account, version, tenant) for version, tenant, account in accounts.rows())
    body = Cost(rows=tuple(rows), total=cost_row(accounts.of()))
    console = Console(file=StringIO(), width=160)
    console.print(_shown(body))
    lines = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert ["v1", "acme", "1", "1.0", "2.000", "2.00", "2.000"] in lines
    assert ["v2", "-", "1", "2.0", "2.000", "4.00", "4.000"] in lines
    assert ["all", "-", "2", "3.0", "2.000", "6.00", "6.000"] in lines
