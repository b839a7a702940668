//! The question that the kernel is asked.

use std::net::TcpListener;

#[test]
fn the_kernel_is_asked_in_words_that_it_understands() -> std::io::Result<()> {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else { continue };
        assert!(!super::any(listener.local_addr()?)?);
    }
    Ok(())
}
