//! What fuzzing has found in HTTP/1, each in its shortest form.

use lameduck_core::{CloseReason, Config, Event, Field, ResponseHead, ResponseLength, StreamId};
use lameduck_tests::wire::{NOW, Wire};

const ID: StreamId = StreamId(1);

fn head(status: u16) -> ResponseHead<[Field<'static>; 0]> {
    ResponseHead { status, fields: [], length: ResponseLength::Known(0) }
}

#[test]
fn bytes_behind_a_fin_are_none() {
    let mut wire = Wire::new(&Config::default());
    wire.feed("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.connection.respond(NOW, ID, head(200)).unwrap();
    wire.settle();
    assert_eq!(wire.eof(), [Event::End { id: ID, trailers: None }]);
    assert_eq!(wire.feed("more"), []);
    wire.connection.finish(NOW, ID, []).unwrap();
    assert_eq!(wire.settle(), [Event::Closed(CloseReason::TunnelEnded)]);
}
