//! Any JSON is a request or a typed error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::Request;

fuzz_target!(|text: &str| {
    let _ = Request::from_json(text, 1_763_740_800.0);
});
