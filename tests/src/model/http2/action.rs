//! What can happen around one HTTP/2 connection.

use crate::model::Amount;

/// What can happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The client says this, and so many bytes of it arrive.
    Say(Say, usize),
    /// So many more arrive.
    Deliver(usize),
    /// Its FIN arrives.
    PeerFin,
    /// Its RST arrives.
    PeerReset,
    /// Its transport takes so much of what waits to be sent.
    Take(Amount),
    /// It reads what its transport has taken; without `Aside::ReadLate` it does so at once.
    Read,
    /// The handler of a stream does something.
    Handle(u32, Deed),
    /// The operator drains.
    Drain,
    /// The next deadline comes, and the connection is told.
    Wake,
    /// The caller asks for an event.
    PollEvent,
    /// The caller asks what to send, and sends a FIN if that is it.
    PollTransmit,
}

/// What a client says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Say {
    /// Its preface and SETTINGS.
    Opening,
    /// The next part of a request. The stream is opened, where it is not.
    Part(u32),
    /// RST_STREAM with CANCEL.
    Reset(u32),
    /// WINDOW_UPDATE.
    Grant(u32, u32),
    /// SETTINGS with another size for its windows.
    Resize(u32),
    /// The ACK of the server's SETTINGS.
    AckSettings,
    /// The ACK of the PING that came with the notice of a drain.
    AckNotice,
    /// The ACK of the one that asks for a sign of life.
    AckProbe,
    /// The ACK of the one behind the last response.
    AckReceipt,
    /// PRIORITY_UPDATE.
    Prioritize(u32),
    /// PING.
    Ping,
    /// GOAWAY.
    GoAway,
}

/// What a handler does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Deed {
    /// It writes its response's head.
    Respond,
    /// Its body.
    SendBody,
    /// It ends it.
    Finish,
    /// The three in one go.
    Answer,
    /// It gives up.
    Reset,
    /// It asks for the request's body, where the client waits for that.
    Ask,
    /// It consumes what it has of the request's body.
    Release,
    /// It wants no more of that.
    Discard,
}
