//! What a shard does, seen from outside: inputs go in, rows and effects come out.

mod facts;
mod model;
mod world;
