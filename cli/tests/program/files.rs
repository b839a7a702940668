//! A directory's files, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::SHELLS;
use crate::client::Answer;
use crate::process::Process;

const SECRET: &str = "the secret";

/// A directory to serve, beside a secret.
struct Site {
    room: TempDir,
}

impl Site {
    fn new() -> Self {
        let room = tempfile::tempdir().expect("a directory");
        let site = room.path().join("site");
        fs::create_dir_all(site.join("sub/deeper")).expect("directories");
        for (name, text) in [
            ("secret.txt", SECRET),
            ("site/index.html", "<p>home"),
            ("site/letters.txt", "abcdefghij"),
            ("site/odd name.json", "{}"),
            ("site/sub/index.html", "<p>sub"),
            ("site/sub/deeper/plain", "x"),
        ] {
            fs::write(room.path().join(name), text).expect("a file");
        }
        Self { room }
    }

    fn path(&self) -> &Path {
        self.room.path()
    }

    fn serve(&self, shell: &str) -> Process {
        let site = self.path().join("site");
        Process::start(&["serve", site.to_str().expect("UTF-8"), "--shell", shell])
    }
}

fn on_each_shell(test: impl Fn(&Site, &Process)) {
    for shell in SHELLS {
        let site = Site::new();
        let server = site.serve(shell);
        test(&site, &server);
        let ended = server.terminate();
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.stderr);
        assert!(!ended.stderr.contains("ERROR"), "{shell}: {}", ended.stderr);
    }
}

fn get(server: &Process, target: &str, fields: &[(&str, &str)]) -> Answer {
    server.connect().ask("GET", target, fields)
}

#[test]
fn files_have_their_types_lengths_and_validators() {
    on_each_shell(|_, server| {
        for (target, kind, body) in [
            ("/", "text/html", "<p>home"),
            ("/letters.txt", "text/plain", "abcdefghij"),
            ("/odd%20name.json?x=1", "application/json", "{}"),
            ("/sub/", "text/html", "<p>sub"),
            ("/sub/deeper/plain", "application/octet-stream", "x"),
        ] {
            let answer = get(server, target, &[]);
            assert_eq!((answer.status, answer.text()), (200, body), "{target}");
            assert_eq!(answer.field("content-type"), kind);
            assert_eq!(answer.field("content-length"), body.len().to_string());
            assert!(!answer.field("etag").is_empty() && !answer.field("last-modified").is_empty());
        }
    });
}

#[test]
fn a_directory_without_its_slash_is_redirected_and_one_without_an_index_is_not_listed() {
    on_each_shell(|_, server| {
        let answer = get(server, "/sub", &[]);
        assert_eq!((answer.status, answer.field("location")), (307, "/sub/"));
        assert_eq!(get(server, "/sub/deeper/", &[]).status, 404);
        // "//sub/" names another host.
        assert_eq!(get(server, "//sub", &[]).status, 404);
    });
}

#[test]
fn head_has_the_length_and_no_body() {
    on_each_shell(|_, server| {
        let mut client = server.connect();
        let answer = client.ask("HEAD", "/letters.txt", &[]);
        assert_eq!((answer.status, answer.field("content-length")), (200, "10"));
        assert_eq!(client.get("/letters.txt").text(), "abcdefghij");
    });
}

#[test]
fn other_methods_are_refused() {
    on_each_shell(|_, server| {
        let mut client = server.connect();
        client.send("POST /letters.txt HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nabc");
        let answer = client.answer();
        assert_eq!(answer.status, 405);
        assert!(answer.field("allow").contains("GET") && answer.field("allow").contains("HEAD"));
        assert_eq!(client.get("/letters.txt").status, 200);
        assert_eq!(client.ask("DELETE", "/letters.txt", &[]).status, 405);
    });
}

#[test]
fn ranges_are_served() {
    on_each_shell(|_, server| {
        for (range, status, body, content_range) in [
            ("bytes=2-4", 206, "cde", "bytes 2-4/10"),
            ("bytes=7-", 206, "hij", "bytes 7-9/10"),
            ("bytes=-2", 206, "ij", "bytes 8-9/10"),
            ("bytes=0-0", 206, "a", "bytes 0-0/10"),
            ("bytes=10-", 416, "", "bytes */10"),
            ("bytes=0-1,4-5", 200, "abcdefghij", ""),
        ] {
            let answer = get(server, "/letters.txt", &[("range", range)]);
            assert_eq!((answer.status, answer.text()), (status, body), "{range}");
            assert_eq!(answer.field("content-range"), content_range, "{range}");
        }
    });
}

#[test]
fn a_range_of_what_has_changed_is_the_whole() {
    on_each_shell(|_, server| {
        let whole = get(server, "/letters.txt", &[]);
        let range = |condition: &str, range: &str| {
            let answer = get(server, "/letters.txt", &[("range", range), ("if-range", condition)]);
            (answer.status, answer.text().to_owned())
        };
        for same in [whole.field("etag"), whole.field("last-modified")] {
            assert_eq!(range(same, "bytes=2-4"), (206, "cde".to_owned()));
        }
        for other in ["\"another\"", "Sun, 06 Nov 1994 08:49:37 GMT", "nonsense"] {
            assert_eq!(range(other, "bytes=2-4"), (200, "abcdefghij".to_owned()));
            assert_eq!(range(other, "bytes=20-"), (200, "abcdefghij".to_owned()));
        }
    });
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    on_each_shell(|_, server| {
        let whole = get(server, "/letters.txt", &[]);
        let (tag, date) = (whole.field("etag"), whole.field("last-modified"));
        let status = |fields: &[(&str, &str)]| {
            let mut client = server.connect();
            let answer = client.ask("GET", "/letters.txt", fields);
            if answer.status == 304 {
                assert_eq!(answer.field("etag"), tag);
                // It has no body: what follows is the next answer.
                assert_eq!(client.get("/letters.txt").status, 200);
            }
            answer.status
        };
        assert_eq!(status(&[("if-none-match", tag)]), 304);
        assert_eq!(status(&[("if-none-match", "\"another\", W/\"third\"")]), 200);
        assert_eq!(status(&[("if-none-match", "*")]), 304);
        assert_eq!(status(&[("if-modified-since", date)]), 304);
        assert_eq!(status(&[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]), 200);
        assert_eq!(status(&[("if-none-match", "\"another\""), ("if-modified-since", date)]), 200);
        assert_eq!(status(&[("if-match", "\"another\"")]), 412);
    });
}

#[test]
fn no_path_leads_out() {
    on_each_shell(|_, server| {
        for target in [
            "/../secret.txt",
            "/sub/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/%2E%2E/secret.txt",
            "/.%2e/secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e%2fsecret.txt",
            "/sub/..%2f..%2fsecret.txt",
            "/sub/%2e%2e/%2e%2e/secret.txt",
            "/..%5csecret.txt",
            "/./../secret.txt",
            "//../secret.txt",
            "/%2f%2e%2e/secret.txt",
            "/%252e%252e/secret.txt",
            "/..%c0%afsecret.txt",
            "/%ff",
            "/letters.txt%00",
            "/%00/../secret.txt",
            "/letters.txt/../../secret.txt",
            "/letters.txt/",
            "/etc/passwd",
            "//etc/passwd",
            "/%2fetc%2fpasswd",
            "http://test/../secret.txt",
            "http://test/%2e%2e/secret.txt",
        ] {
            let answer = get(server, target, &[]);
            assert_eq!(answer.status, 404, "{target}");
            assert!(!answer.text().contains(SECRET), "{target}");
        }
        let long = format!("/{}", "x".repeat(5_000));
        assert_eq!(get(server, &long, &[]).status, 404);
    });
}

#[test]
fn links_lead_to_what_is_inside_and_not_out() {
    on_each_shell(|site, server| {
        let root = site.path().join("site");
        let link = |to: &Path, name: &str| symlink(to, root.join(name)).expect("a link");
        link(Path::new("letters.txt"), "relative.txt");
        link(&root.join("letters.txt"), "absolute.txt");
        link(Path::new("sub/../letters.txt"), "around.txt");
        link(Path::new("sub/deeper"), "short");
        for target in ["/relative.txt", "/absolute.txt", "/around.txt"] {
            assert_eq!(get(server, target, &[]).text(), "abcdefghij", "{target}");
        }
        assert_eq!(get(server, "/short/plain", &[]).text(), "x");

        link(Path::new("../secret.txt"), "out.txt");
        link(&site.path().join("secret.txt"), "far-out.txt");
        link(Path::new("out.txt"), "twice-out.txt");
        link(site.path(), "up");
        link(Path::new("/proc/self/root"), "proc");
        link(Path::new("loop"), "loop");
        link(Path::new("nothing"), "dangling");
        fs::create_dir(site.path().join("site-2")).expect("a directory");
        fs::write(site.path().join("site-2/index.html"), SECRET).expect("a file");
        link(Path::new("../site-2"), "neighbour");
        for target in [
            "/out.txt",
            "/far-out.txt",
            "/twice-out.txt",
            "/up/secret.txt",
            "/up/site/letters.txt/../../secret.txt",
            "/proc/etc/passwd",
            "/loop",
            "/dangling",
            "/neighbour/",
            "/neighbour/index.html",
            "/neighbour",
        ] {
            assert_eq!(get(server, target, &[]).status, 404, "{target}");
            assert_eq!(server.connect().ask("HEAD", target, &[]).status, 404, "{target}");
        }
        // That is the directory itself.
        assert_eq!(get(server, "/up/site/letters.txt", &[]).text(), "abcdefghij");
    });
}

#[test]
fn what_is_no_file_is_not_opened() {
    on_each_shell(|site, server| {
        let pipe = site.path().join("site/pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        assert_eq!(get(server, "/pipe", &[]).status, 404);
    });
}

#[test]
fn a_directory_that_is_a_link_may_be_pointed_elsewhere() {
    for shell in SHELLS {
        let site = Site::new();
        let current = site.path().join("current");
        symlink("site", &current).expect("a link");
        let server = Process::start(&["serve", current.to_str().expect("UTF-8"), "--shell", shell]);
        assert_eq!(get(&server, "/", &[]).text(), "<p>home");
        symlink("site/sub", site.path().join("next")).expect("a link");
        fs::rename(site.path().join("next"), &current).expect("one link replaces the other");
        assert_eq!(get(&server, "/", &[]).text(), "<p>sub");
        assert_eq!(server.terminate().code, Some(0));
    }
}

#[test]
fn a_file_that_grows_is_served_as_long_as_it_was() {
    const LENGTH: usize = 48 * 1024 * 1024;
    on_each_shell(|site, server| {
        let path = site.path().join("site/log");
        let file = fs::File::create(&path).expect("a file");
        file.set_len(LENGTH as u64).expect("so long");
        let mut client = server.connect();
        client.send("GET /log HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.head().field("content-length"), LENGTH.to_string());
        file.set_len(LENGTH as u64 + 1_000_000).expect("longer");
        client.read(LENGTH);
        assert_eq!(client.get("/letters.txt").text(), "abcdefghij");
    });
}
