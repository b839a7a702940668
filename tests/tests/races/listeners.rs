//! Listening sockets: what their queues hold when the drain comes, and who comes later.

use std::net::TcpStream;

use lameduck_core::Allowance;
use lameduck_core::server::{Cause, Stage};
use lameduck_service::{Hub, Opened};
use lameduck_tests::handlers::{Handler, Latch, text};
use lameduck_tests::peer::Peer;
use lameduck_tests::shells::{Bound, PATIENCE, Setup, Shell};
use lameduck_tests::{on_every_shell, on_single_threads};
use socket2::{Domain, SockFilter, Socket, Type};

on_every_shell!(
    r06_a_connection_that_registers_after_the_drain_began_drains_too,
    r17_what_the_kernels_queue_holds_at_the_drain_is_served,
    r17_a_client_whose_handshake_is_done_on_its_side_only_is_served,
    r17_a_crowd_that_waited_at_the_door_is_let_in_and_served,
    r17_handshakes_that_are_never_finished_do_not_hold_the_doors,
    r18_the_doors_are_closed_in_a_drain_and_not_left_ajar,
    every_listener_serves_and_every_one_is_emptied_and_closed,
    ipv6_is_emptied_and_closed_too,
    a_drain_before_anyone_serves_still_serves_the_queue,
    a_drain_of_a_server_that_listens_nowhere_ends,
    an_address_is_free_once_the_drain_has_ended,
    lame_ducks_accept_and_keep_alive,
);

on_single_threads!(r05_connections_accepted_in_the_drain_are_served,);

/// Nobody accepts while the thread is busy, so that all these connections are accepted after the drain began.
fn r05_connections_accepted_in_the_drain_are_served(shell: Shell) {
    let (entered, released) = (Latch::new(), Latch::new());
    let (inside, out) = (entered.clone(), released.clone());
    let handler = Handler::new(move |request| {
        if request.uri().path() == "/plug" {
            inside.open();
            out.block("the plug's release");
        }
        async move { text(request.uri().path().to_owned()) }
    });
    let server = Setup::default().start(shell, handler);
    let mut plug = server.connect();
    plug.get("/plug");
    entered.block("the plug");
    let mut late: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for (at, peer) in late.iter_mut().enumerate() {
        // Some have sent it all, some a part, some nothing.
        match at % 3 {
            0 => peer.get("/late"),
            1 => peer.send("GET /la"),
            _ => {}
        }
    }
    server.drain();
    released.open();
    assert_eq!(plug.reply().status, 200);
    for (at, peer) in late.iter_mut().enumerate() {
        match at % 3 {
            0 => {}
            1 => peer.send("te HTTP/1.1\r\nhost: a\r\n\r\n"),
            _ => peer.get("/late"),
        }
        let reply = peer.reply();
        assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/late"[..], true));
    }
    drop((late, plug));
    let report = server.clean_report();
    assert_eq!((report.served, report.drained), (101, 101));
}

/// The drain is a level that every connection reads, and no sweep that one can come too late for.
fn r06_a_connection_that_registers_after_the_drain_began_drains_too(shell: Shell) {
    let setup = Setup::default().timeouts(|timeouts| timeouts.first_request = Allowance::millis(60_000, 60));
    let bound = setup.open();
    let peers: Vec<_> = (0..32).map(|_| Peer::connect(bound.addresses[0])).collect();
    bound.opened.handle().begin();
    let server = bound.start(shell, Handler::echoing_the_path());
    peers.into_iter().for_each(Peer::expect_fin);
    assert_eq!(server.clean_report().drained, 32);
}

/// A connection that the kernel has made and nobody has accepted is not met with a RST.
fn r17_what_the_kernels_queue_holds_at_the_drain_is_served(shell: Shell) {
    for _ in 0..5 {
        let server = Setup::default().start(shell, Handler::echoing_the_path());
        let mut peers: Vec<_> = (0..64).map(|_| server.connect()).collect();
        peers.iter_mut().for_each(|peer| peer.get("/"));
        server.drain();
        for peer in &mut peers {
            assert_eq!(peer.reply().status, 200);
        }
        drop(peers);
        assert_eq!(server.clean_report().served, 64);
    }
}

/// It is larger than what is let in at once.
fn r17_a_crowd_that_waited_at_the_door_is_let_in_and_served(shell: Shell) {
    for drains in [false, true] {
        let bound = Setup::default().open();
        let mut peers: Vec<_> = (0..300).map(|_| Peer::connect(bound.addresses[0])).collect();
        peers.iter_mut().for_each(|peer| peer.get("/"));
        if drains {
            bound.opened.handle().begin();
        }
        let server = bound.start(shell, Handler::echoing_the_path());
        for peer in &mut peers {
            let reply = peer.reply();
            assert_eq!((reply.status, reply.says_close()), (200, drains));
        }
        server.drain();
        drop(peers);
        assert_eq!(server.clean_report().served, 300);
    }
}

/// It has its SYN-ACK, and takes the connection for made; its ACK and its request are on the way. A socket
/// that is closed meanwhile answers them with a RST.
fn r17_a_client_whose_handshake_is_done_on_its_side_only_is_served(shell: Shell) {
    let bound = Setup { listeners: 2, ..Setup::default() }.open();
    bound.hold_handshakes();
    let server = bound.start(shell, Handler::echoing_the_path());
    let mut peers: Vec<Peer> =
        server.addresses().iter().cycle().take(6).map(|address| Peer::connect(*address)).collect();
    peers.iter_mut().for_each(|peer| peer.get("/on-the-way"));
    assert_eq!(server.handle.progress().open, 0, "the server knows of none of them");
    server.drain();
    for peer in &mut peers {
        let reply = peer.reply();
        assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/on-the-way"[..], true));
    }
    drop(peers);
    assert_eq!(server.clean_report().served, 6);
}

/// A SYN is sent in no time, and by anyone.
fn r17_handshakes_that_are_never_finished_do_not_hold_the_doors(shell: Shell) {
    let bound = Setup::default().open();
    let address = bound.addresses[0];
    // The SYN-ACK does not reach its socket: nothing that could finish the handshake is ever sent.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are descriptors");
    deaf.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).expect("the kernel takes filters");
    deaf.set_nonblocking(true).expect("it is a socket");
    deaf.connect(&address.into()).expect_err("the SYN-ACK is awaited");
    let server = bound.start(shell, Handler::echoing_the_path());
    server.drain();
    server.clean_report();
}

/// A client is refused, and goes elsewhere; it is not left in a queue that nobody empties.
fn r18_the_doors_are_closed_in_a_drain_and_not_left_ajar(shell: Shell) {
    let (called, go_on) = (Latch::new(), Latch::new());
    let server = Setup::default().start(shell, Handler::held(&called, &go_on));
    let mut holder = server.connect();
    holder.get("/held");
    called.block("the handler's call");
    server.drain();
    server.await_closed_doors();
    assert!(matches!(server.handle.progress().stage, Stage::Draining { .. }), "somebody holds it");
    go_on.open();
    assert!(holder.reply().says_close());
    holder.expect_fin();
    server.clean_report();
}

/// None is forgotten, on any thread.
fn every_listener_serves_and_every_one_is_emptied_and_closed(shell: Shell) {
    let setup = Setup { listeners: 3, ..Setup::default() };
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut peers: Vec<Peer> = server.addresses().iter().map(|address| Peer::connect(*address)).collect();
    for peer in &mut peers {
        peer.ask_and_stay("/one");
    }
    let mut waiting: Vec<Peer> = server.addresses().iter().map(|address| Peer::connect(*address)).collect();
    waiting.iter_mut().for_each(|peer| peer.get("/queued"));
    server.drain();
    server.await_closed_doors();
    for peer in &mut waiting {
        assert_eq!(peer.reply().body, b"/queued");
    }
    for peer in &mut peers {
        assert!(peer.ask("/two").says_close());
    }
    drop((peers, waiting));
    assert_eq!(server.clean_report().served, 9);
}

/// Its handshakes are in another table, and its segments have a header of another length.
fn ipv6_is_emptied_and_closed_too(shell: Shell) {
    let Ok(server) = lameduck_service::Server::bind("[::1]:0") else {
        eprintln!("skipped: there is no IPv6 here");
        return;
    };
    let setup = Setup::default();
    let addresses = server.addresses();
    let bound = Bound { addresses, opened: server.config(setup.config).plan(setup.plan).open() };
    bound.hold_handshakes();
    let server = bound.start(shell, Handler::echoing_the_path());
    let mut peers: Vec<Peer> = (0..4).map(|_| server.connect()).collect();
    peers.iter_mut().for_each(|peer| peer.get("/on-the-way"));
    server.drain();
    for peer in &mut peers {
        assert!(peer.reply().says_close());
    }
    drop(peers);
    assert_eq!(server.clean_report().served, 4);
}

/// The operator may be faster than the shell.
fn a_drain_before_anyone_serves_still_serves_the_queue(shell: Shell) {
    let bound = Setup { listeners: 2, ..Setup::default() }.open();
    let mut peers: Vec<Peer> = bound.addresses.iter().map(|address| Peer::connect(*address)).collect();
    peers.iter_mut().for_each(|peer| peer.get("/early"));
    bound.opened.handle().begin();
    let server = bound.start(shell, Handler::echoing_the_path());
    for peer in &mut peers {
        let reply = peer.reply();
        assert_eq!((reply.body.as_slice(), reply.says_close()), (&b"/early"[..], true));
    }
    drop(peers);
    assert_eq!(server.clean_report().served, 2);
}

/// Nothing is left from the beginning.
fn a_drain_of_a_server_that_listens_nowhere_ends(shell: Shell) {
    let opened = Opened { hub: Hub::new(Setup::default().config, Setup::default().plan), listeners: vec![] };
    let handle = opened.handle();
    let serving = std::thread::spawn(move || shell.serve(opened, Handler::echoing_the_path()));
    handle.begin();
    let report = serving.join().unwrap().unwrap();
    assert_eq!(report.transitions.last().map(|step| step.cause), Some(Cause::NothingLeft));
}

/// A successor can bind to it.
fn an_address_is_free_once_the_drain_has_ended(shell: Shell) {
    let server = Setup::default().start(shell, Handler::echoing_the_path());
    let address = server.address();
    server.connect().ask_and_stay("/one");
    server.drain();
    server.clean_report();
    let error = TcpStream::connect_timeout(&address, PATIENCE).expect_err("nobody listens any more");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    lameduck_service::Server::bind(address).expect("the address is free");
}

/// A lame duck says that it is not ready, and otherwise serves as ever.
fn lame_ducks_accept_and_keep_alive(shell: Shell) {
    let mut setup = Setup::default();
    setup.plan.lame_duck = std::time::Duration::from_secs(1);
    setup.plan.lame_duck_quiet = std::time::Duration::from_secs(1);
    let server = setup.start(shell, Handler::echoing_the_path());
    let mut old = server.connect();
    old.ask_and_stay("/one");
    assert!(server.handle.is_ready());
    server.drain();
    assert!(!server.handle.is_ready());
    let mut new = server.connect();
    new.ask_and_stay("/new");
    old.ask_and_stay("/two");
    let lame = server.handle.progress().stage;
    assert!(matches!(lame, Stage::LameDuck { .. }), "{lame:?}");
    let next = server.handle.wait_for_step(lame, PATIENCE);
    assert!(matches!(next, Stage::Draining { .. }), "{next:?}");
    assert!(old.ask("/three").says_close());
    assert!(new.ask("/more").says_close());
    drop((old, new));
    assert_eq!(server.clean_report().served, 5);
}
