//! `treenail_testkit::fuzz::message` on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| treenail_testkit::fuzz::message(data));
