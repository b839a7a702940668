//! How the program ends: its exit codes, and why it could not start.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use lameduck_service::Report;

/// It could not start, or could not go on.
const FAILED: u8 = 1;
/// The command line makes no sense.
pub(crate) const WRONG_USAGE: u8 = 2;
/// It drained, and at the deadline something was cut.
const CUT: u8 = 4;
/// A second signal forced the end.
const FORCED: u8 = 5;

/// Why nothing was served.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot listen on this address.
    Listen(String, io::Error),
    /// It cannot serve this directory.
    Directory(PathBuf, io::Error),
    /// It could not get what it runs on.
    Start(&'static str, io::Error),
}

/// The exit code that tells how it ended.
pub(crate) fn code(ended: &Result<Report, Failure>) -> ExitCode {
    ExitCode::from(match ended {
        Err(_) => FAILED,
        Ok(report) if report.was_forced() => FORCED,
        Ok(report) if !report.cut.is_empty() => CUT,
        Ok(_) => return ExitCode::SUCCESS,
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, cause) => {
                write!(f, "cannot listen on {address}: ")?;
                match cause.kind() {
                    io::ErrorKind::AddrInUse => f.write_str(
                        "the address is in use; stop the server that has it, or choose another with --listen",
                    ),
                    io::ErrorKind::PermissionDenied => f.write_str(
                        "not permitted; a port below 1024 needs a privilege: choose another with --listen",
                    ),
                    io::ErrorKind::AddrNotAvailable => f.write_str(
                        "not an address of this machine; choose another with --listen, or 0.0.0.0 for all",
                    ),
                    _ => write!(f, "{cause}"),
                }
            }
            Self::Directory(directory, cause) => {
                let directory = directory.display();
                match cause.kind() {
                    io::ErrorKind::NotFound => {
                        write!(f, "cannot serve {directory}: there is no such directory")
                    }
                    io::ErrorKind::NotADirectory => write!(f, "cannot serve {directory}: not a directory"),
                    _ => write!(f, "cannot serve {directory}: {cause}"),
                }
            }
            Self::Start(what, cause) => write!(f, "cannot start {what}: {cause}"),
        }
    }
}
