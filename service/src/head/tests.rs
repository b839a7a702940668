//! Targets, and fields that offer an upgrade.

use std::sync::Arc;

use lameduck_core::{Config, Connection, Event, Instant};

use super::*;

/// The head that `text` is.
pub(crate) fn head(text: &str) -> RequestHead {
    let mut connection = Connection::new(Arc::new(Config::default()), Instant::ORIGIN);
    connection.handle_bytes(Instant::ORIGIN, text.as_bytes());
    match connection.poll_event() {
        Some(Event::Request { head, .. }) => head,
        event => panic!("{text:?} is no request but {event:?}"),
    }
}

fn asked(scheme: &'static str, authority: &'static str) -> Asked {
    let authority = Some(Bytes::from_static(authority.as_bytes()));
    Asked { scheme: Some(Bytes::from_static(scheme.as_bytes())), authority }
}

fn with(asked: Asked, path: &'static str) -> Option<String> {
    asked.with(Bytes::from_static(path.as_bytes())).map(|uri| uri.to_string())
}

#[test]
fn what_http2_says_in_parts_is_an_absolute_uri() {
    for (scheme, authority, path, uri) in [
        ("https", "a.example", "/b?c=d", "https://a.example/b?c=d"),
        ("http", "a.example:8080", "/", "http://a.example:8080/"),
        ("coap", "[::1]:1", "/x", "coap://[::1]:1/x"),
        // Another authority than the last one, and the same again.
        ("https", "b.example", "/", "https://b.example/"),
        ("https", "b.example", "/y", "https://b.example/y"),
    ] {
        assert_eq!(with(asked(scheme, authority), path).as_deref(), Some(uri));
    }
}

#[test]
fn without_an_authority_it_is_what_http1_says() {
    let nobody = || Asked { scheme: Some(Bytes::from_static(b"https")), authority: None };
    assert_eq!(with(nobody(), "/a").as_deref(), Some("/a"));
    assert_eq!(with(nobody(), "*").as_deref(), Some("*"));
    assert_eq!(with(asked("https", ""), "/a").as_deref(), Some("/a"));
}

#[test]
fn a_connect_asks_for_an_authority_alone() {
    let uri = asked("https", "a.example:443").alone().unwrap();
    assert_eq!((uri.to_string().as_str(), uri.scheme(), uri.path()), ("a.example:443", None, ""));
    assert!(Asked { scheme: None, authority: None }.alone().is_none());
}

#[test]
fn what_http_cannot_express_is_refused() {
    assert_eq!(with(asked("https", "a b"), "/"), None);
    assert_eq!(with(asked("1:", "a"), "/"), None);
    assert_eq!(with(asked("https", "a"), "/\u{7f}"), None);
}

#[test]
fn a_field_that_offers_an_upgrade_is_told_in_any_case() {
    let form = |name: &str| {
        let head = head(&format!("GET / HTTP/1.1\r\nhost: a\r\n{name}: websocket\r\n\r\n"));
        fields(head.shared_fields()).map(|(_, form)| form)
    };
    assert_eq!(form("Upgrade"), Some(Form::Tunnel));
    assert_eq!(form("upgrade"), Some(Form::Tunnel));
    assert_eq!(form("upgrades"), Some(Form::Plain));
}
