"""Drops products without a price and tidies their names."""

from __future__ import annotations

from sales_run import Row, SalesRun


def main() -> None:
    """Keeps each product that has a price once."""
    run = SalesRun()
    kept: dict[str, Row] = {}
    raw = run.read("raw_products")
    for row in raw:
        price = row["price"].replace(",", ".")
        if price:
            name, category = row["name"].strip(), row["category"].title()
            kept[row["product_id"]] = {**row, "name": name, "category": category, "price": price}
    count = run.write("products", kept.values())
    run.put(cleaned__products=count)
    print(f"kept {count} products, dropped {len(raw) - count} that are doubled or have no price")


main()
