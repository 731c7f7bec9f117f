"""Writes the month's report."""

from __future__ import annotations

import sys
from decimal import Decimal

from sales_run import SalesRun

from awsglue.utils import getResolvedOptions


def main() -> None:
    """Gathers what the other jobs found in one page."""
    run = SalesRun()
    title = getResolvedOptions(sys.argv, ["title"])["title"]
    found = run.properties
    revenue = f"{Decimal(found['sales.revenue']):,.2f}"
    lines = [f"# {title}, {found['month']}", "", f"{found['sales.orders']} sales worth {revenue}.", ""]
    for by in ("product", "region"):
        lines += [f"## By {by}", "", f"| {by} | revenue |", "| --- | ---: |"]
        lines += [f"| {row[by]} | {Decimal(row['revenue']):,.2f} |" for row in run.read(f"report_{by}s")]
        lines.append("")
    page = run.folder / "report.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    run.put(report__page=page)
    print(
        f"{found['sales.orders']} sales worth {revenue}; best product: {found['report.top_product']}, "
        f"best region: {found['report.top_region']}"
    )
    print(f"the report is {page}")


main()
