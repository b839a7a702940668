//! What the program says to those who start it wrongly, or ask how.

use std::net::TcpListener;

use crate::process::{Ended, run};

fn assert_one_line(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} in: {}", ended.stderr);
    }
}

#[test]
fn wrong_usage_is_one_line_that_says_what_and_where_to_look() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "subcommand"),
        (&["dance"], "dance"),
        (&["proxy", "http://127.0.0.1:1"], "proxy"),
        (&["serve"], "<DIR>"),
        (&["serve", "a", "b"], "'b'"),
        (&["demo", "--dance"], "--dance"),
        (&["demo", "--grace", "5"], "such as 250ms, 25s or 1m"),
        (&["demo", "--grace", "long\n\nlines"], "--grace"),
        (&["demo", "--threads", "0"], "--threads"),
        (&["demo", "--shell", "bash"], "tokio, mio"),
        (&["demo", "--log", "xml"], "text, json"),
        (&["demo", "--listen", "8080"], "HOST:PORT"),
        (&["demo", "--listen", "127.0.0.1:65536"], "HOST:PORT"),
    ];
    for (arguments, word) in cases {
        let (stdout, ended) = run(arguments);
        assert_one_line(&ended, 2, &["lameduck: ", word, "try 'lameduck --help'"]);
        assert_eq!(stdout, "");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    for (argument, words) in [("--help", "Exit codes:"), ("-h", "Commands:"), ("--version", "lameduck ")] {
        let (stdout, ended) = run(&[argument]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains(words), "{stdout}");
    }
    let (stdout, _) = run(&["serve", "--help"]);
    for option in ["--listen", "--shell", "--threads", "--grace", "--lame-duck", "--lame-duck-max", "--log"] {
        assert!(stdout.contains(option), "{stdout}");
    }
}

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    for shell in crate::SHELLS {
        let (_, ended) = run(&["demo", "--shell", shell, "--listen", "127.0.0.1:0", "--listen", &address]);
        assert_one_line(&ended, 1, &[&address, "in use", "--listen"]);
    }
}

#[test]
fn an_address_of_another_machine_is_named() {
    let (_, ended) = run(&["demo", "--listen", "192.0.2.1:0"]);
    assert_one_line(&ended, 1, &["192.0.2.1:0", "not an address of this machine"]);
}

#[test]
fn what_is_no_directory_is_not_served() {
    let (_, ended) = run(&["serve", "/no/such/place", "--listen", "127.0.0.1:0"]);
    assert_one_line(&ended, 1, &["/no/such/place", "no such directory"]);
    let file = env!("CARGO_BIN_EXE_lameduck");
    let (_, ended) = run(&["serve", file, "--listen", "127.0.0.1:0"]);
    assert_one_line(&ended, 1, &[file, "not a directory"]);
}
