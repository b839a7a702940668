//! Requests are described as if they were the first.

use super::*;
use crate::head::tests::head as read;

fn text_of(form: Option<Form>, request: &Request<()>) -> String {
    format!("{form:?} {request:?}")
}

#[test]
fn in_every_order_a_request_is_described_as_if_it_were_the_first() {
    let heads = [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: b\r\n\r\n",
        "PUT http://a/?b HTTP/1.1\r\nhost: a\r\nx: 1\r\ny: 2\r\nX: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        // No such target is one of `http`'s.
        "GET /<> HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    let anew = heads.map(|text| {
        let mut request = Request::new(());
        let form = head::describe(&mut request, &read(text));
        text_of(form, &request)
    });
    assert_eq!(anew.iter().filter(|text| text.starts_with("None")).count(), 1, "{anew:#?}");
    let count = heads.len();
    for order in 0..count.pow(5) {
        let mut recent = Recent::default();
        for place in 0..5 {
            let which = order / count.pow(place) % count;
            let mut request = Request::new(());
            let form = recent.describe(&mut request, &read(heads[which]));
            assert_eq!(text_of(form, &request), anew[which], "order {order}, place {place}");
        }
    }
}

#[test]
fn whatever_came_before_a_request_is_described_as_by_a_thread_that_has_seen_none() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % most as u64) as usize
    };
    let mut fields: Vec<(&str, &str)> = Vec::new();
    let (mut refused, mut kept) = (0, 0);
    for _ in 0..60_000 {
        for _ in 0..below(3) {
            let value = ["1", "2", "", "a\tb", "\u{e4}"][below(5)];
            let name = ["a", "A", "b", "B", "c", "d", "upgrade", "Upgrade"][below(8)];
            match below(6) {
                0 => fields.push((name, value)),
                1 => drop(fields.pop()),
                2 if !fields.is_empty() => fields.rotate_left(1),
                3 if below(40) == 0 => fields.resize([3, 4, 30, 31, 32, 33][below(6)], ("e", "1")),
                4 if below(20) == 0 => fields.clear(),
                _ if fields.is_empty() => {}
                _ => {
                    let at = below(fields.len());
                    fields[at].1 = value;
                }
            }
        }
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let method = ["GET", "GET", "GET", "POST", "OPTIONS"][below(5)];
        let target = ["/", "/", "/", "/<>", "/a"][below(5)];
        let version = ["1", "1", "1", "0"][below(4)];
        let head = read(&format!("{method} {target} HTTP/1.{version}\r\nhost: a\r\n{lines}\r\n"));
        let mut request = Request::new(());
        let form = describe(&mut request, &head);
        let mut anew = Request::new(());
        *anew.method_mut() = method.parse().unwrap();
        *anew.version_mut() = if version == "0" { http::Version::HTTP_10 } else { http::Version::HTTP_11 };
        let made = head::fields(head.shared_fields()).zip(target.parse().ok()).map(|((map, form), uri)| {
            (*anew.headers_mut(), *anew.uri_mut()) = (map, uri);
            form
        });
        assert_eq!(form, made, "{lines:?}");
        if form.is_some() {
            assert_eq!(format!("{request:?}"), format!("{anew:?}"));
        }
        refused += usize::from(form.is_none());
        kept += usize::from(form.is_some() && fields.len() > 3);
    }
    assert!(refused > 1000 && kept > 1000, "{refused} {kept}");
}

#[test]
fn only_what_comes_twice_in_a_row_and_is_short_is_kept() {
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(MOST));
    let [short, long] = ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", &long].map(read);
    let mut recent = Recent::default();
    let mut keeps = |head: &RequestHead| {
        recent.describe(&mut Request::new(()), head);
        recent.kept.as_ref().map(|kept| kept.head.clone())
    };
    assert_eq!(keeps(&short), None);
    assert_eq!(keeps(&long), None);
    assert_eq!(keeps(&long), None);
    assert_eq!(keeps(&short), None);
    assert_eq!(keeps(&short), Some(short.clone()));
    assert_eq!(keeps(&long), Some(short));
}
