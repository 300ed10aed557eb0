//! Counts are those of the reference implementation, alone and put together.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails it")]

use std::sync::OnceLock;

use proptest::prelude::*;
use tiktoken_rs::CoreBPE;
use universal_orchestrator_context::{Encoding, Level, TextKind, compress, compress_to};

const ENCODINGS: [Encoding; 2] = [Encoding::Cl100kBase, Encoding::O200kBase];

fn reference(encoding: Encoding) -> &'static CoreBPE {
    static CL100K: OnceLock<CoreBPE> = OnceLock::new();
    static O200K: OnceLock<CoreBPE> = OnceLock::new();
    match encoding {
        Encoding::Cl100kBase => CL100K.get_or_init(|| tiktoken_rs::cl100k_base().unwrap()),
        _ => O200K.get_or_init(|| tiktoken_rs::o200k_base().unwrap()),
    }
}

fn counted(encoding: Encoding, text: &str) -> usize {
    reference(encoding).encode_ordinary(text).len()
}

/// Texts with their counts from the test suite of OpenAI's `tiktoken` and its cookbook.
#[test]
fn known_texts_have_their_known_counts() {
    for (text, cl100k, o200k) in [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
    ] {
        assert_eq!(Encoding::Cl100kBase.count(text), cl100k, "{text}");
        assert_eq!(Encoding::O200kBase.count(text), o200k, "{text}");
    }
}

#[test]
fn this_repository_counts_the_same() {
    for text in [
        include_str!("../src/plugin.rs"),
        include_str!("../src/text/units.rs"),
        include_str!("../Cargo.toml"),
        include_str!("../../../docs/semantics.md"),
        include_str!("../../../docs/configuration.schema.json"),
    ] {
        for encoding in ENCODINGS {
            assert_eq!(encoding.count(text), counted(encoding, text), "{encoding}");
        }
    }
}

/// Texts with much of what a boundary could stumble over.
fn awkward() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\n\n"),
        Just("\r\n"),
        Just("\r"),
        Just(" "),
        Just("   "),
        Just("\t"),
        Just("/"),
        Just("//"),
        Just("/*"),
        Just("#"),
        Just("##"),
        Just("{"),
        Just("};"),
        Just(")"),
        Just("[...]"),
        Just("'s"),
        Just("word"),
        Just("Word"),
        Just("WORD"),
        Just("a"),
        Just("1"),
        Just("1234"),
        Just("é"),
        Just("Ⓐ"),
        Just("\u{301}"),
        Just("漢字"),
        Just("🙂"),
        Just("\u{2028}"),
        Just("\u{a0}"),
        Just("\u{85}"),
        Just("\u{b}"),
        Just("."),
        Just(". A"),
        Just("_x"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_counts_the_same(text in prop_oneof![awkward(), "\\PC{0,80}"]) {
        for encoding in ENCODINGS {
            prop_assert_eq!(encoding.count(&text), counted(encoding, &text));
        }
    }

    #[test]
    fn a_budget_is_kept_and_the_count_is_that_of_the_text(
        text in awkward(),
        budget in 0_usize..120,
        query in prop::option::of("[a-z]{1,6}"),
        kind in prop_oneof![Just(TextKind::Log), Just(TextKind::Code), Just(TextKind::Prose), Just(TextKind::Json)],
    ) {
        for encoding in ENCODINGS {
            let short = compress_to(&text, kind, budget, query.as_deref(), encoding);
            if let Some(short) = short {
                prop_assert_eq!(short.tokens, counted(encoding, &short.text), "{:?}", short.text);
                prop_assert!(short.tokens <= budget);
            }
        }
    }

    #[test]
    fn no_level_makes_a_text_longer_and_losses_are_said(
        lines in prop::collection::vec("(a|b|c|[a-z ]{30,50}|12:00:0[0-9] INFO x[0-9])", 0..60),
        kind in prop_oneof![Just(TextKind::Log), Just(TextKind::Code), Just(TextKind::Prose)],
    ) {
        let text = lines.join("\n");
        let encoding = Encoding::default();
        for level in Level::ALL {
            let short = compress(&text, kind, level, encoding);
            prop_assert!(short.tokens <= encoding.count(&text));
            prop_assert_eq!(short.tokens, encoding.count(&short.text));
            prop_assert_eq!(short.losses.is_none(), !short.text.contains("[...]"), "{:?}", short);
        }
    }
}
