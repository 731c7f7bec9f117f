"""Merges customers that are there twice and tidies their regions."""

from __future__ import annotations

from sales_run import Row, SalesRun


def main() -> None:
    """Keeps each customer once, with one spelling of name, address and region."""
    run = SalesRun()
    kept: dict[str, Row] = {}
    raw = run.read("raw_customers")
    for row in raw:
        email = row["email"].lower()
        kept[row["customer_id"]] = {
            **row,
            "name": " ".join(row["name"].split()),
            "email": email if "@" in email else "",
            "region": row["region"].title(),
        }
    count = run.write("customers", kept.values())
    without_address = sum(1 for row in kept.values() if not row["email"])
    run.put(cleaned__customers=count)
    print(f"kept {count} customers, merged {len(raw) - count} doubles, {without_address} without an address")


main()
