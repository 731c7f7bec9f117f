//! `treenail_testkit::fuzz::text` on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| treenail_testkit::fuzz::text(data));
