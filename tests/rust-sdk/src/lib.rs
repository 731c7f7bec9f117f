//! Holds nothing: what there is stands in `tests/`.
