//! `treenail_testkit::fuzz::rows` on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| treenail_testkit::fuzz::rows(data));
