"""Takes the month's files over into the run's folder."""

from __future__ import annotations

from pathlib import Path

from sales_run import SalesRun, read_csv

TABLES = ("orders", "customers", "products")


def main() -> None:
    """Copies each table and says how many rows it has."""
    run = SalesRun()
    source = Path(run.properties["source"])
    rows = {table: run.write(f"raw_{table}", read_csv(source / f"{table}.csv")) for table in TABLES}
    run.put(**{f"extracted__{table}": count for table, count in rows.items()})
    print("extracted " + ", ".join(f"{count} {table}" for table, count in rows.items()))


main()
