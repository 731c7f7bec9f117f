"""The example that the README's first command runs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from harness.cli import treenail
from harness.flows import Run
from harness.server import REPOSITORY, Server
from harness.waiting import eventually

EXAMPLE = REPOSITORY / "examples" / "sales-etl"


def test_the_months_sales_are_reported(manual_server: Server, manual_glue: Any, account: str, tmp_path: Path) -> None:
    applied = treenail(manual_server, account, "apply", str(EXAMPLE))
    assert applied.returncode == 0, applied
    given = {"output": str(tmp_path)}
    run_id = manual_glue.start_workflow_run(Name="sales-etl", RunProperties=given)["RunId"]
    run = Run(manual_glue, "sales-etl", run_id)
    eventually(
        lambda: run.get()["Status"] == "COMPLETED",
        "the example to end",
        patience_seconds=90,
        between=lambda: manual_server.advance_clock(1_000),
    )
    states = run.states()
    assert states.pop("sales-report-regions") == ["FAILED", "SUCCEEDED"]
    assert len(states) == 8
    assert all(found == ["SUCCEEDED"] for found in states.values()), states
    assert run.counts() == {"Total": 9, "Succeeded": 9}
    properties = run.properties()
    assert properties["report.top_product"] == "Pour-over cone"
    assert properties["report.top_region"] == "North"
    assert (properties["sales.orders"], properties["sales.revenue"]) == ("411", "15793.80")
    assert properties["preview.of"] == "product", "the other report fails at first"
    page = Path(properties["report.page"])
    assert page.parent == tmp_path / run_id
    assert "| Pour-over cone | 2,450.00 |" in page.read_text(encoding="utf-8")
    with (tmp_path / run_id / "report_products.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 5, "the trigger asks for five rows"
