//! Secrets and licences: what must be found, and what only looks like it.

use std::path::Path;

use universal_orchestrator_examples::audit::{LicenceScan, LicenceSource, SecretScan, scan_bytes};

#[test]
fn licences_in_headers_files_and_manifests() {
    let check = |name: &str, input: &str, expected: Option<(&str, LicenceSource)>| {
        let report = scan_bytes(LicenceScan::new(Path::new(name)), input.as_bytes());
        assert_eq!(
            report.expression.as_deref().zip(report.source),
            expected,
            "{name}: {input}"
        );
    };
    let spdx = |rest: &str| ["SPDX-License", "-Identifier: ", rest].concat();
    let header = Some(LicenceSource::SpdxHeader);
    check(
        "a.rs",
        &format!("// {}\n", spdx("MIT")),
        Some("MIT").zip(header),
    );
    check(
        "a.c",
        &format!("/* {} */", spdx("GPL-2.0-only")),
        Some("GPL-2.0-only").zip(header),
    );
    check(
        "a.sh",
        &format!("#!/bin/sh\n# {}\n", spdx("(MIT OR Apache-2.0)")),
        Some("(MIT OR Apache-2.0)").zip(header),
    );
    check(
        "a.html",
        &format!("<!-- {} -->", spdx("GPL-2.0 WITH Classpath-exception-2.0")),
        Some("GPL-2.0 WITH Classpath-exception-2.0").zip(header),
    );
    check(
        "a.md",
        &format!("- {}", spdx("header, else the text")),
        None,
    );
    check("a.md", &format!("see {}", spdx("MIT")), None);
    check("a.rs", &format!("let x = \"// {}\";", spdx("MIT")), None);

    let mit = "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof this \
               software and associated documentation files (the \"Software\"), to deal\n\nThe above copyright notice \
               and this permission notice shall be included in all\ncopies or substantial portions";
    let file = Some(LicenceSource::LicenceFile);
    check("LICENSE-MIT", mit, Some("MIT").zip(file));
    check(
        "sub/LICENCE.md",
        "  Apache License\n  Version 2.0, January 2004\n",
        Some("Apache-2.0").zip(file),
    );
    check(
        "COPYING",
        "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007",
        Some("GPL-3.0").zip(file),
    );
    check(
        "COPYING.LESSER",
        "GNU LESSER GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007",
        Some("LGPL-3.0").zip(file),
    );
    check(
        "LICENSE",
        "Mozilla Public License Version 2.0\n====",
        Some("MPL-2.0").zip(file),
    );
    let bsd = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted";
    check("LICENSE", bsd, Some("BSD-2-Clause").zip(file));
    let names =
        "names of its contributors may be used to endorse or promote products derived from\nthis";
    check(
        "LICENSE",
        &format!("{bsd} {names}"),
        Some("BSD-3-Clause").zip(file),
    );
    check(
        "LICENSE",
        &format!("{mit}\n\n{bsd}"),
        Some("BSD-2-Clause AND MIT").zip(file),
    );
    check("LICENSE", "All rights reserved.", None);
    check("licence.rs", &format!("const MIT: &str = \"{mit}\";"), None);

    let comment = mit
        .lines()
        .map(|line| format!(" * {line}\n"))
        .collect::<String>();
    check(
        "a.c",
        &format!("/*\n{comment} */\nint x;"),
        Some(("MIT", LicenceSource::Comment)),
    );
    let apache =
        "// Licensed under the Apache License,\n// Version 2.0 (the \"License\")\nfn x() {}";
    check("a.rs", apache, Some(("Apache-2.0", LicenceSource::Comment)));

    let manifest = Some(LicenceSource::Manifest);
    check(
        "Cargo.toml",
        "[package]\nlicense = \"MIT/Apache-2.0\"\n",
        Some("MIT OR Apache-2.0").zip(manifest),
    );
    check(
        "package.json",
        "{\n  \"license\": \"ISC\"\n}",
        Some("ISC").zip(manifest),
    );
    check("Cargo.toml", "[package]\nlicense.workspace = true\n", None);
}

/// Fixtures are joined at run time: written out, they would be findings of the audit of this workspace,
/// and of the scanner of whoever hosts it.
fn joined(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn secrets_are_found_and_redacted() {
    let check = |line: String, rule: &str, starts_with: &str| {
        let report = scan_bytes(
            SecretScan::default(),
            format!("first\n{line}\nlast").as_bytes(),
        );
        assert_eq!(report.count, 1, "{line}: {report:?}");
        let hit = &report.hits[0];
        assert_eq!(
            (hit.line, &*hit.rule, hit.starts_with.as_str()),
            (2, rule, starts_with),
            "{line}"
        );
    };
    check(
        joined(&["id=AK", "IAQ3EGRX7LPMW5ZK2N"]),
        "aws-access-key-id",
        "AKIA",
    );
    check(
        joined(&["-----BEGIN OPENSSH ", "PRIVATE KEY-----"]),
        "private-key",
        "----",
    );
    check(
        joined(&["k = \"-----BEGIN ", "PRIVATE KEY-----\\nMIIE\""]),
        "private-key",
        "----",
    );
    check(
        joined(&["gh", "p_16C7e42F292c6912E7710c838347Ae178B4a"]),
        "github-token",
        "ghp_",
    );
    check(
        joined(&["(gl", "pat-x7Kq2mVw9RtB4nLz8PdY)"]),
        "gitlab-token",
        "glpa",
    );
    check(
        joined(&["xo", "xb-2837465091-9182736450918-aB3dE5gH7jK9mN1pQ3sT5vX7"]),
        "slack-token",
        "xoxb",
    );
    check(
        joined(&["sk_", "live_4eC39HqLyjWDarjtT1zdp7dc"]),
        "stripe-live-key",
        "sk_l",
    );
    check(
        joined(&["AI", "zaSyB7x9Kq2mVw4RtL8nPdY3cJ6hF5gT1uEs0"]),
        "google-api-key",
        "AIza",
    );
    check(
        joined(&["db_pass", "word = \"c0rrectH0rse!\""]),
        "assigned-secret",
        "c0r",
    );
    check(
        joined(&["'api_", "key': 'a8f5f167f44f4964e6c998dee827110c'"]),
        "assigned-secret",
        "a8f5",
    );
    check(
        joined(&["const TOK", "EN: &str = \"q9Zr4Wm1xB7e\";"]),
        "assigned-secret",
        "q9Z",
    );
    // The specific rule wins over the general one.
    check(
        joined(&[
            "tok",
            "en = \"gh",
            "p_16C7e42F292c6912E7710c838347Ae178B4a\"",
        ]),
        "github-token",
        "ghp_",
    );
}

#[test]
fn what_only_looks_like_a_secret_is_not_reported() {
    let check = |line: String| {
        let report = scan_bytes(SecretScan::default(), line.as_bytes());
        assert_eq!(report.count, 0, "{line}: {report:?}");
    };
    check(joined(&["AK", "IAIOSFODNN7EXAMPLE"]));
    check(joined(&["AK", "IAAAAAAAAAAAAAAAAA"]));
    check(joined(&["XAK", "IAQ3EGRX7LPMW5ZK2N"]));
    check(joined(&[
        "if line == \"-----BEGIN ",
        "PRIVATE KEY-----\" {",
    ]));
    check(joined(&["-----BEGIN ", "PUBLIC KEY-----"]));
    check(joined(&["gh", "p_short"]));
    for value in [
        "changeme",
        "${DB_PASSWORD_1}",
        "<your-password-1>",
        "{{ secrets.KEY1 }}",
        "aaaa1111",
        "/run/secrets/db1",
    ] {
        check(joined(&["pass", "word = \"", value, "\""]));
    }
    check(joined(&["tok", "en = \"access_token_name\""]));
    check(joined(&["pass", "word = read_password_1();"]));
    check(joined(&["pass", "word = \"\""]));
}
