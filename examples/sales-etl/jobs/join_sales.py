"""Brings orders, customers and products together."""

from __future__ import annotations

from decimal import Decimal

from sales_run import SalesRun


def main() -> None:
    """Writes one row for each order whose customer and product are known, and adds up the revenue."""
    run = SalesRun()
    customers = {row["customer_id"]: row for row in run.read("customers")}
    products = {row["product_id"]: row for row in run.read("products")}
    orders = run.read("orders")
    sales = []
    for order in orders:
        customer, product = customers.get(order["customer_id"]), products.get(order["product_id"])
        if customer is None or product is None:
            continue
        revenue = Decimal(product["price"]) * int(order["quantity"])
        sales.append(
            {
                "order_id": order["order_id"],
                "region": customer["region"],
                "product": product["name"],
                "category": product["category"],
                "quantity": order["quantity"],
                "revenue": str(revenue),
            }
        )
    count = run.write("sales", sales)
    total = sum((Decimal(row["revenue"]) for row in sales), Decimal())
    run.put(sales__orders=count, sales__revenue=total)
    print(f"joined {count} sales worth {total:,.2f}, {len(orders) - count} orders name nobody or nothing known")


main()
