//! Each analyser against inputs whose answer is known, whole and cut into blocks.

use std::io::Read;
use std::path::Path;

use universal_orchestrator_examples::audit::{
    BLOCK_BYTES, DuplicateGroup, Encoding, EncodingScan, EntropyScan, HashScan, HashedFile,
    LanguageScan, LicenceScan, LineCounts, LineEndings, LineScan, LongestLine, LongestLineScan,
    Scan, SecretScan, SizeClass, TodoScan, WhitespaceReport, WhitespaceScan, group, measure,
    scan_bytes, scan_reader, shards,
};

#[test]
fn hashes_are_those_of_the_blake3_test_vectors() {
    // From the official vectors: the input counts 0, 1, …, 250 over and over.
    let check = |length: usize, expected: &str| {
        let input: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
        let digest = scan_reader(HashScan::default(), input.as_slice()).unwrap();
        assert_eq!(digest.bytes, length as u64);
        assert_eq!(digest.blake3, expected, "{length} bytes");
    };
    check(
        0,
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    );
    check(
        1,
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
    );
    check(
        1_024,
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
    );
    check(
        102_400,
        "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
    );

    let abc = scan_bytes(HashScan::default(), b"abc");
    assert_eq!(
        abc.blake3,
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    );
}

#[test]
fn lines_words_and_bytes() {
    let check = |input: &[u8], newlines, words, printable_words| {
        let expected = LineCounts {
            newlines,
            words,
            printable_words,
            bytes: input.len() as u64,
        };
        assert_eq!(
            scan_bytes(LineScan::default(), input),
            expected,
            "{}",
            input.escape_ascii()
        );
    };
    check(b"", 0, 0, 0);
    check(b"\n", 1, 0, 0);
    check(b"no newline", 0, 2, 2);
    check(b" a\tb\x0bc\x0cd\re \n", 1, 5, 5);
    check("→ x→y\n".as_bytes(), 1, 2, 1);
    check(b"\x00\x01 \x01a\x01 \xff\n\n", 2, 3, 1);
}

#[test]
fn marked_lines_are_whole_words_and_counted_once() {
    let check = |input: &[u8], lines: &[u64]| {
        let report = scan_bytes(TodoScan::default(), input);
        assert_eq!(report.lines, lines.len() as u64, "{}", input.escape_ascii());
        assert_eq!(
            report
                .marks
                .iter()
                .map(|mark| mark.line)
                .collect::<Vec<_>>(),
            lines
        );
    };
    let [todo, fixme, xxx] = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    check(b"", &[]);
    check(
        format!("a\n// {todo}: b {fixme}\n\n{xxx}").as_bytes(),
        &[2, 4],
    );
    check(
        format!("{todo}S {todo}_LIST x{xxx}X {} Todo", fixme.to_lowercase()).as_bytes(),
        &[],
    );
    check(format!("\0{todo}").as_bytes(), &[]);
}

#[test]
fn encodings_and_line_endings() {
    let check = |input: &[u8], encoding, bom, endings| {
        let report = scan_bytes(EncodingScan::default(), input);
        let found = (report.encoding, report.bom, report.line_endings);
        assert_eq!(found, (encoding, bom, endings), "{}", input.escape_ascii());
    };
    check(b"", Encoding::Empty, false, LineEndings::None);
    check(b"a\nb\n", Encoding::Ascii, false, LineEndings::Lf);
    check(b"a\r\nb\r\n", Encoding::Ascii, false, LineEndings::Crlf);
    check(b"a\rb\r", Encoding::Ascii, false, LineEndings::Cr);
    check(b"a\r\nb\n", Encoding::Ascii, false, LineEndings::Mixed);
    check("größe".as_bytes(), Encoding::Utf8, false, LineEndings::None);
    check(b"\xef\xbb\xbfa\n", Encoding::Utf8, true, LineEndings::Lf);
    check(
        b"\xff\xfea\0\n\0",
        Encoding::Utf16Le,
        true,
        LineEndings::None,
    );
    check(b"\xfe\xff\0a", Encoding::Utf16Be, true, LineEndings::None);
    check(b"caf\xe9\n", Encoding::EightBit, false, LineEndings::Lf);
    check(
        b"cut short \xe2\x86",
        Encoding::EightBit,
        false,
        LineEndings::None,
    );
    check(b"\x7fELF\0\n", Encoding::Binary, false, LineEndings::None);
}

#[test]
fn white_space_to_complain_about() {
    let check = |input: &[u8], expected: WhitespaceReport| {
        assert_eq!(
            scan_bytes(WhitespaceScan::default(), input),
            expected,
            "{}",
            input.escape_ascii()
        );
    };
    let clean = WhitespaceReport::default();
    check(b"", clean);
    check(b"a\n\nb\n", clean);
    check(b"a\r\n", clean);
    check(
        b"a",
        WhitespaceReport {
            missing_final_newline: true,
            ..clean
        },
    );
    check(
        b"a \nb\t\r\n \n",
        WhitespaceReport {
            trailing_lines: 3,
            ..clean
        },
    );
    check(
        b"\ta\n  b\n \tc\n",
        WhitespaceReport {
            tab_lines: 1,
            space_lines: 1,
            mixed_lines: 1,
            ..clean
        },
    );
    check(b"\0 \n\t", clean);
    assert!(scan_bytes(WhitespaceScan::default(), b"\ta\n b\n").has_mixed_indentation());
    assert!(!scan_bytes(WhitespaceScan::default(), b" a\n b\n").has_mixed_indentation());
}

#[test]
fn the_longest_line_and_where_it_is() {
    let check = |input: &[u8], bytes, line, lines_over_120| {
        assert_eq!(
            scan_reader(LongestLineScan::default(), input).unwrap(),
            LongestLine {
                bytes,
                line,
                lines_over_120
            }
        );
    };
    check(b"", 0, 0, 0);
    check(b"\n\n", 0, 1, 0);
    check(b"a\nbcd\nefg", 3, 2, 0);
    check(b"a\nbcde", 4, 2, 0);
    let long = [
        b"x\n".to_vec(),
        vec![b'y'; BLOCK_BYTES * 2 + 7],
        b"\nz".to_vec(),
    ]
    .concat();
    check(&long, BLOCK_BYTES as u64 * 2 + 7, 2, 1);
}

#[test]
fn entropy_goes_from_nothing_to_eight_bits() {
    let check = |input: &[u8], bits: f64, packed| {
        let report = scan_bytes(EntropyScan::default(), input);
        assert!((report.bits_per_byte - bits).abs() < 1e-9, "{report:?}");
        assert_eq!(report.packed, packed);
    };
    let all: Vec<u8> = (0..=255).collect();
    check(b"", 0.0, false);
    check(b"aaaa", 0.0, false);
    check(b"abababab", 1.0, false);
    check(&all, 8.0, false);
    check(&all.repeat(4), 8.0, true);
}

#[test]
fn languages_by_name_and_shebang() {
    let check = |name: &str, input: &[u8], language: Option<&str>, by_shebang| {
        let report = scan_bytes(LanguageScan::new(Path::new(name)), input);
        assert_eq!(
            (report.language.as_deref(), report.by_shebang),
            (language, by_shebang),
            "{name}"
        );
    };
    check("src/lib.rs", b"", Some("Rust"), false);
    check("A.PY", b"#!/bin/sh\n", Some("Python"), false);
    check("Dockerfile", b"FROM x", Some("Dockerfile"), false);
    check("CMakeLists.txt", b"", Some("CMake"), false);
    check(
        "run",
        b"#!/usr/bin/env -S python3.12 -u\n",
        Some("Python"),
        true,
    );
    check("run", b"#! /bin/bash", Some("Shell"), true);
    check("run", b"#!\xff", None, false);
    check("run", b"#!", None, false);
    check("", b"", None, false);
    check("data.unknown", b"text", None, false);
}

#[test]
fn sizes_are_classed() {
    assert_eq!(
        [0, 1, 1024 * 1024 - 1, 1024 * 1024].map(SizeClass::of),
        [
            SizeClass::Empty,
            SizeClass::Small,
            SizeClass::Small,
            SizeClass::Large
        ]
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("holes");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    let report = measure(&path).unwrap();
    assert_eq!((report.bytes, report.class), (8 << 20, SizeClass::Large));
    // Some file systems write the holes out.
    assert_eq!(
        report.sparse,
        report
            .allocated_bytes
            .is_some_and(|allocated| allocated < 7 << 20)
    );
    assert!(measure(directory.path()).is_err());
}

#[test]
fn duplicates_share_length_and_hash() {
    let file = |file, bytes, blake3: &str| HashedFile {
        file,
        bytes,
        blake3: blake3.to_owned(),
    };
    let files = [
        file(0, 5, "aa"),
        file(1, 5, "bb"),
        file(2, 7, "cc"),
        file(3, 5, "aa"),
        file(4, 0, "dd"),
        file(5, 0, "dd"),
        file(6, 5, "aa"),
    ];
    let sets = shards(files);
    assert_eq!(
        sets.iter()
            .map(|set| set.iter().map(|file| file.file).collect())
            .collect::<Vec<Vec<_>>>(),
        [vec![0, 1, 3, 6]]
    );

    let expected = |wasted_bytes| {
        [DuplicateGroup {
            blake3: "aa".to_owned(),
            bytes: 5,
            files: vec![0, 3, 6],
            wasted_bytes,
        }]
    };
    assert_eq!(group(&sets[0], |_| None::<u64>).groups, expected(10));
    // Files 0 and 3 are two names of one file.
    assert_eq!(group(&sets[0], |file| Some(file / 4)).groups, expected(5));
}

#[test]
fn many_files_of_one_length_are_split_by_hash_and_none_is_lost() {
    let files = (0..1_000).map(|file| HashedFile {
        file,
        bytes: 9,
        blake3: format!("{:02x}{}", file % 16, file % 500),
    });
    let sets = shards(files);
    assert!(sets.len() > 1);
    let groups: Vec<_> = sets
        .iter()
        .flat_map(|set| group(set, |_| None::<u64>).groups)
        .collect();
    let equal = |left: usize, right: usize| left % 16 == right % 16 && left % 500 == right % 500;
    let pairs = (0..500).filter(|file| equal(*file, file + 500)).count();
    assert_eq!(groups.len(), pairs);
}

/// A reader that hands out odd pieces, so that blocks are filled in many steps.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 % 4_093 + 1;
        let length = self.1.min(buffer.len()).min(self.0.len());
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_report_does_not_depend_on_where_the_blocks_end() {
    fn check<S: Scan<Report: serde::Serialize>>(new: impl Fn() -> S, input: &[u8]) {
        let whole = serde_json::to_value(scan_bytes(new(), input)).unwrap();
        let pieces = serde_json::to_value(scan_reader(new(), Pieces(input, 0)).unwrap()).unwrap();
        assert_eq!(whole, pieces);
    }
    // A small generator of reproducible text: words, long lines, tabs, carriage returns, wide characters.
    let words = [
        "a",
        "→",
        "größe",
        " ",
        "  ",
        "\t",
        "\r",
        "\r\n",
        "\n",
        "TODO",
        "\u{1f980}",
        ".....",
        "xyz",
    ];
    for (seed, newlines) in [(1_u64, true), (2, false), (3, true)] {
        let mut state = seed;
        let mut text = String::from("start\n");
        while text.len() < 3 * BLOCK_BYTES {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let word = words[(state >> 33) as usize % words.len()];
            if newlines || !word.contains('\n') {
                text.push_str(word);
            }
        }
        let input = text.as_bytes();
        check(HashScan::default, input);
        check(LineScan::default, input);
        check(EncodingScan::default, input);
        check(WhitespaceScan::default, input);
        check(LongestLineScan::default, input);
        check(EntropyScan::default, input);
        if newlines {
            check(TodoScan::default, input);
            check(SecretScan::default, input);
        }
    }
}

#[test]
fn no_bytes_make_an_analyser_panic() {
    let mut state = 7_u64;
    for length in [0, 1, 2, 3, 5, 64, 1_000, 70_000] {
        let input: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(length)
        .collect();
        for name in ["", "x", "LICENSE", "Cargo.toml", "a.rs", ".", ".."] {
            scan_bytes(LicenceScan::new(Path::new(name)), &input);
            scan_bytes(LanguageScan::new(Path::new(name)), &input);
        }
        scan_bytes(SecretScan::default(), &input);
        scan_bytes(TodoScan::default(), &input);
        scan_bytes(EncodingScan::default(), &input);
        scan_bytes(WhitespaceScan::default(), &input);
    }
}
