"""Drops orders that cannot be counted and repairs dates."""

from __future__ import annotations

from datetime import date, datetime

from sales_run import Row, SalesRun

DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y")


def main() -> None:
    """Keeps each order of the month once."""
    run = SalesRun()
    kept: dict[str, Row] = {}
    raw = run.read("raw_orders")
    for row in raw:
        day = read_date(row["ordered_on"])
        in_month = day is not None and day.isoformat().startswith(run.properties["month"])
        if day is not None and in_month and row["quantity"].isdigit():
            kept[row["order_id"]] = {**row, "ordered_on": day.isoformat()}
    count = run.write("orders", kept.values())
    run.put(cleaned__orders=count)
    print(f"kept {count} orders, dropped {len(raw) - count} that are doubled or have no date or quantity")


def read_date(text: str) -> date | None:
    """Reads a date in either spelling of the shop's two tills."""
    for spelling in DATE_FORMATS:
        try:
            return datetime.strptime(text, spelling).date()
        except ValueError:
            continue
    return None


main()
