"""Ranks what was sold by revenue: by product or by region, as `--by` says."""

from __future__ import annotations

import sys
from collections import defaultdict
from decimal import Decimal

from sales_run import SalesRun

from awsglue.utils import getResolvedOptions

FAIL_ONCE = "--fail-once"
ROWS = "--rows"


def main() -> None:
    """Writes the ranking and hands its first place on."""
    run = SalesRun()
    by = getResolvedOptions(sys.argv, ["by"])["by"]
    if FAIL_ONCE in sys.argv:
        fail_once(run, by)
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    for sale in run.read("sales"):
        revenue[sale[by]] += Decimal(sale["revenue"])
    rows = int(getResolvedOptions(sys.argv, ["rows"])["rows"]) if ROWS in sys.argv else len(revenue)
    ranking = sorted(revenue.items(), key=lambda place: (-place[1], place[0]))[:rows]
    run.write(f"report_{by}s", [{by: name, "revenue": str(amount)} for name, amount in ranking])
    best, amount = ranking[0]
    run.put(**{f"report__top_{by}": best, f"report__top_{by}_revenue": amount})
    print(f"best {by}: {best} with {amount:,.2f}")


def fail_once(run: SalesRun, by: str) -> None:
    """Fails the first attempt of the run, as a warehouse does that is locked; a retry finds the mark and goes on."""
    mark = run.folder / f".{by}s-attempted"
    if not mark.exists():
        mark.touch()
        sys.exit(f"the {by} table is locked, the next attempt will find it free")


main()
