"""Becomes what Treenail prepared: the first thing that runs in an attempt's container, and soon nothing of it is left."""

import json
import os
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    order = json.load(file)
environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
images_own = environment.get("PYTHONPATH")
environment.update(order["environment"])
if images_own and "PYTHONPATH" in order["environment"]:
    environment["PYTHONPATH"] += os.pathsep + images_own
os.chdir(order["folder"])
os.execve(sys.executable, [sys.executable, *order["arguments"]], environment)
