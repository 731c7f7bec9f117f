"""The package that Glue scripts import, as Treenail provides it.

Importing it, or any of its modules, needs the standard library only; PySpark is needed once a `GlueContext` is made.
"""
