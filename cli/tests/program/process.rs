//! The program as a process.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::client::Client;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program, running.
pub(crate) struct Process {
    child: Child,
    stderr: Receiver<String>,
    text: String,
    /// How much of the text the test has waited for.
    passed: usize,
    pub(crate) address: SocketAddr,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(program(arguments))
    }

    /// The same, with an environment variable.
    pub(crate) fn start_in(variable: (&str, &str), arguments: &[&str]) -> Self {
        let mut command = program(arguments);
        command.env(variable.0, variable.1);
        Self::start_with(command)
    }

    fn start_with(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        Self::listening(child, stderr)
    }

    /// The same, with a terminal for its stderr.
    pub(crate) fn start_on_terminal(arguments: &[&str]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("ours to use");
        unlockpt(&ours).expect("ours to use");
        let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).expect("it has a size");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let theirs = File::options().read(true).write(true).open(name.to_str().expect("ASCII"));
        let mut command = program(arguments);
        command.env("TERM", "xterm").env_remove("NO_COLOR").stderr(theirs.expect("the other end"));
        let child = command.spawn().expect("the program starts");
        // The command keeps the other end open, and our end would never come to an end.
        drop(command);
        Self::listening(child, File::from(ours))
    }

    fn listening(child: Child, stderr: impl Read + Send + 'static) -> Self {
        let stderr = pieces(stderr);
        let unknown = ([0; 4], 0).into();
        let mut this = Self { child, stderr, text: String::new(), passed: 0, address: unknown };
        this.wait_for("listening on http://");
        let rest = this.wait_for(" (");
        this.address = rest.trim_end_matches(" (").parse().expect("an address");
        this
    }

    /// Waits until it has said `words`; what it said up to and with them, since the last wait.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        loop {
            let fresh = &self.text[self.passed..];
            if let Some(at) = fresh.find(words) {
                let until = self.passed + at + words.len();
                let said = self.text[self.passed..until].to_owned();
                self.passed = until;
                return said;
            }
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(piece) => self.text += &piece,
                Err(error) => panic!("no {words:?} on stderr ({error}), but:\n{}", self.text),
            }
        }
    }

    /// Closes our end of its stderr, at the latest when it next says something.
    pub(crate) fn stop_listening(&mut self) {
        self.stderr = channel().1;
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Waits until it has ended.
    pub(crate) fn end(mut self) -> Ended {
        // Its end closes its stderr.
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(piece) => self.text += &piece,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("it does not end ({error}):\n{}", self.text),
            }
        }
        let code = self.child.wait().expect("it was started").code();
        Ended { code, stderr: std::mem::take(&mut self.text) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it to its end; what it said on stdout is in front of what it said on stderr.
pub(crate) fn run(arguments: &[&str]) -> (String, Ended) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lameduck")).args(arguments).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), Ended { code: output.status.code(), stderr: text(output.stderr) })
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lameduck"));
    command.args(arguments).args(["--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
    command
}

/// What comes from `source`, until its end.
fn pieces(mut source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        // A terminal whose other end is closed fails; that too is the end.
        while let Ok(count @ 1..) = source.read(&mut buffer) {
            if sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}
