//! Any text is an ARN that keeps its text, or a typed error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use universal_orchestrator_investigation::{Arn, Resource};

fuzz_target!(|text: &str| {
    if let Ok(arn) = text.parse::<Arn>() {
        assert_eq!(arn.as_str(), text);
        assert!(!arn.name().is_empty());
        let _ = Resource::of_arn(&arn);
    }
});
