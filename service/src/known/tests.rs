//! Fields are described as if they were the first, and what is kept of them is bounded.

use lameduck_core::RequestHead;

use super::*;

/// A head of these fields.
fn head(lines: &[&str]) -> RequestHead {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    crate::head::tests::head(&format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"))
}

#[test]
fn in_every_order_fields_are_described_as_if_they_were_the_first() {
    let heads = [
        head(&["a: 1", "b: 2", "c: 3"]),
        head(&["A: 1", "b: 2", "c: 3"]),
        head(&["a: 1", "b: 2", "c: 4"]),
        head(&["a: 2", "b: 1", "c: 3"]),
        head(&["a: 1", "b: 2", "c: 3", "d: 4"]),
        head(&["a: 1", "b: 2", "a: 3"]),
        head(&["a: 1", "b: 2", "upgrade: 3"]),
    ];
    let anew = heads.each_ref().map(|head| head::fields(head.shared_fields()).unwrap());
    let count = heads.len();
    for order in 0..count.pow(4) {
        let mut known = Known::default();
        for step in 0..4 {
            let which = order / count.pow(step) % count;
            let fields = known.describe(heads[which].shared_fields());
            assert_eq!(fields.as_ref(), Some(&anew[which]), "order {order}, step {step}");
        }
    }
}

#[test]
fn what_is_kept_is_bounded_in_number_and_in_size() {
    let kept = |lines: &[&str]| {
        KNOWN.set(None);
        let head = head(lines);
        assert_eq!(fields(head.shared_fields()), head::fields(head.shared_fields()));
        KNOWN.take().map_or(0, |known| known.fields.len())
    };
    assert_eq!(kept(&["a: 1", "b: 2"]), 0);
    assert_eq!(kept(&["a: 1", "b: 2", "c: 3"]), LEAST);
    assert_eq!(kept(&["a: 1"; MOST - 1]), MOST);
    assert_eq!(kept(&["a: 1"; MOST]), 0);
    assert_eq!(kept(&["a: 1", "b: 2", &format!("c: {}", "d".repeat(MOST_MEMORY))]), 0);
}

#[test]
fn a_map_keeps_the_memory_of_few_heads() {
    let mut values = vec!["x".repeat(100); MOST - 2];
    let mut known = Known::default();
    let mut heads = Vec::new();
    for round in 0..4 * MOST {
        let at = round % values.len();
        values[at] = format!("{round:0>100}");
        let lines: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("a{at}: {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let head = head(&lines);
        let (map, _) = known.describe(head.shared_fields()).expect("all of it is well-formed");
        assert_eq!(Some((map.clone(), Form::Plain)), head::fields(head.shared_fields()));
        heads.push(head);
        let keeps = |head: &&RequestHead| {
            map.values().any(|value| head.as_bytes().as_ptr_range().contains(&value.as_bytes().as_ptr()))
        };
        let kept: usize = heads.iter().filter(keeps).map(|head| head.as_bytes().len()).sum();
        assert!(kept <= MOST_MEMORY + MOST_LATER, "{kept}");
    }
}
