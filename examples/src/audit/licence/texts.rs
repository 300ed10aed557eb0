//! Licences by the sentences that only they have.

/// A licence is recognised when all phrases of `all` are there and none of `none`.
struct Text {
    id: &'static str,
    all: &'static [&'static str],
    none: &'static [&'static str],
}

const fn text(
    id: &'static str,
    all: &'static [&'static str],
    none: &'static [&'static str],
) -> Text {
    Text { id, all, none }
}

const MIT: &str = "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files";
const MIT_NOTICE: &str = "permission notice shall be included in all copies";
const BSD: &str = "redistribution and use in source and binary forms, with or without modification, are permitted";
const BSD_NAMES: &str = "may be used to endorse or promote products derived from";
const BSD_ADVERTISING: &str = "all advertising materials mentioning features";
const ISC: &str = "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted";
const ISC_OLD: &str = "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted";
const ISC_NOTICE: &str =
    "provided that the above copyright notice and this permission notice appear in all copies";
const GPL: &str = "gnu general public license";
const LATER: &str = "any later version";

/// Phrases are in lower case, with single blanks, as [`normalised`] writes them.
const TEXTS: [Text; 32] = [
    text(
        "Apache-2.0",
        &["apache license version 2.0, january 2004"],
        &[],
    ),
    text(
        "Apache-2.0",
        &["licensed under the apache license, version 2.0"],
        &["apache license version 2.0, january"],
    ),
    text("MIT", &[MIT, MIT_NOTICE], &[]),
    text("MIT-0", &[MIT], &[MIT_NOTICE]),
    text("MIT", &["licensed under the mit license"], &[MIT]),
    text("BSD-2-Clause", &[BSD], &[BSD_NAMES, BSD_ADVERTISING]),
    text("BSD-3-Clause", &[BSD, BSD_NAMES], &[BSD_ADVERTISING]),
    text("BSD-4-Clause", &[BSD, BSD_ADVERTISING], &[]),
    text("ISC", &[ISC, ISC_NOTICE], &[]),
    text("ISC", &[ISC_OLD, ISC_NOTICE], &[]),
    text("0BSD", &[ISC], &[ISC_NOTICE]),
    text(
        "GPL-3.0",
        &["gnu general public license version 3, 29 june 2007"],
        &[],
    ),
    text(
        "GPL-2.0",
        &["gnu general public license version 2, june 1991"],
        &[],
    ),
    text(
        "LGPL-3.0",
        &["gnu lesser general public license version 3, 29 june 2007"],
        &[],
    ),
    text(
        "LGPL-2.1",
        &["gnu lesser general public license version 2.1, february 1999"],
        &[],
    ),
    text(
        "AGPL-3.0",
        &["gnu affero general public license version 3, 19 november 2007"],
        &[],
    ),
    text(
        "GPL-3.0-or-later",
        &[GPL, "either version 3 of the license", LATER],
        &["29 june 2007"],
    ),
    text(
        "GPL-2.0-or-later",
        &[GPL, "either version 2 of the license", LATER],
        &["june 1991"],
    ),
    text(
        "LGPL-3.0-or-later",
        &[
            "gnu lesser general public license as",
            "either version 3 of the license",
            LATER,
        ],
        &[],
    ),
    text(
        "LGPL-2.1-or-later",
        &[
            "gnu lesser general public license as",
            "either version 2.1 of the license",
            LATER,
        ],
        &["february 1999"],
    ),
    text(
        "AGPL-3.0-or-later",
        &[
            "gnu affero general public license as",
            "either version 3 of the license",
            LATER,
        ],
        &["19 november 2007"],
    ),
    text("MPL-2.0", &["mozilla public license version 2.0"], &[]),
    text(
        "MPL-2.0",
        &["subject to the terms of the mozilla public license, v. 2.0"],
        &["license version 2.0"],
    ),
    text("EPL-2.0", &["eclipse public license - v 2.0"], &[]),
    text(
        "Unlicense",
        &["this is free and unencumbered software released into the public domain"],
        &[],
    ),
    text(
        "CC0-1.0",
        &["creative commons legal code cc0 1.0 universal"],
        &[],
    ),
    text(
        "Zlib",
        &[
            "provided 'as-is', without any express or implied",
            "altered source versions must be plainly marked",
        ],
        &[],
    ),
    text("BSL-1.0", &["boost software license - version 1.0"], &[]),
    text("Unicode-3.0", &["unicode license v3"], &[]),
    text("OFL-1.1", &["sil open font license version 1.1"], &[]),
    text(
        "CDLA-Permissive-2.0",
        &["community data license agreement - permissive - version 2.0"],
        &[],
    ),
    text(
        "WTFPL",
        &["do what the fuck you want to public license"],
        &[],
    ),
];

/// The licences whose sentences occur in normalised text, joined by `AND`.
pub(super) fn recognise(normalised: &str) -> Option<String> {
    let has = |phrase: &&str| normalised.contains(*phrase);
    let mut ids: Vec<&str> = TEXTS
        .iter()
        .filter(|text| text.all.iter().all(has) && !text.none.iter().any(has))
        .map(|text| text.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    (!ids.is_empty()).then(|| ids.join(" AND "))
}

/// Lower case, every run of white space and comment signs one blank.
pub(super) fn normalised(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        // Comment signs at a line's start would stand between the words of a sentence.
        let line =
            line.trim_matches(|sign: char| sign.is_whitespace() || "/*#;%>=_".contains(sign));
        for word in line.split_whitespace() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    text
}
