//! Verifies an audit log, and says where it was changed first.
//!
//! ```text
//! cargo run -p universal-orchestrator-security --example verify_audit -- /var/log/orchestrator/audit /etc/orchestrator/key
//! ```
//!
//! Without the key file the log is taken for one that was sealed without a server key.
//! Ends with 0 when the log is intact, with 1 when it is not, and with 2 when it cannot be read.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows what it does"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use universal_orchestrator_security::{Sealed, verify_log};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: verify_audit FOLDER [KEY_FILE]");
        return ExitCode::from(2);
    };
    let key_file = arguments.next();
    let sealed = match &key_file {
        Some(path) => Sealed::WithKeyFile(path),
        None => Sealed::Open,
    };
    match verify_log(&folder, sealed) {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.is_intact()))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
