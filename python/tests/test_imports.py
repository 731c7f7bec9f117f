"""What the package needs: the standard library, and PySpark only where Spark is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent

# Hides PySpark, installed or not, and everything else that is not the standard library.
WITHOUT_PYSPARK = "import sys; sys.modules['pyspark'] = None; "


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in an interpreter that sees the package and nothing that is installed."""
    line = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); {code}"]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_every_module_is_imported_without_pyspark() -> None:
    names = "awsglue, awsglue.utils, awsglue.job, awsglue.context, awsglue.dynamicframe, awsglue.transforms"
    assert python(f"{WITHOUT_PYSPARK} import {names}").stderr == ""


def test_a_glue_context_says_what_to_install() -> None:
    ended = python(f"{WITHOUT_PYSPARK} from awsglue.context import GlueContext; GlueContext()")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ImportError: GlueContext needs PySpark: pip install pyspark"
