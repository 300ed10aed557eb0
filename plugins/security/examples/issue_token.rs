//! Makes a token for an identity, and what to write into the configuration for it.
//!
//! ```text
//! cargo run -p universal-orchestrator-security --example issue_token -- /etc/orchestrator/key ci-1
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use universal_orchestrator_security::issue_offline;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [key_file, id] = &arguments[..] else {
        eprintln!("usage: issue_token KEY_FILE TOKEN_ID");
        return ExitCode::from(2);
    };
    match issue_offline(&PathBuf::from(key_file), id) {
        Ok((token, hash)) => {
            println!("# For its owner; it cannot be shown again.");
            println!("# {}", token.expose());
            println!("[[plugins.security.identities.tokens]]");
            println!("id = \"{id}\"");
            println!("hash = \"{hash}\"");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
