"""Shows the report that is ready first."""

from __future__ import annotations

from sales_run import SalesRun


def main() -> None:
    """Runs once in a run, whichever report is first: its trigger waits for ANY of them."""
    run = SalesRun()
    ready = [by for by in ("product", "region") if f"report.top_{by}" in run.properties]
    first = ready[0]
    run.put(preview__of=first)
    print(f"the report by {first} is ready: {run.properties[f'report.top_{first}']} leads")


main()
