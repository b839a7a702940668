//! An axum app on the tokio shell: `cargo run --example axum -p lameduck-tokio`. Ctrl-C drains it.

use axum::{Extension, Router, routing::get};
use lameduck_tokio::serve;
use lameduck_tokio::service::{DrainNotice, Server};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/", get(async || "hello\n")).route("/wait", get(wait));
    let server = Server::bind("127.0.0.1:8080")?.open();
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.begin();
        }
    });
    let report = serve(server, app).await?;
    println!("served {}, cut {}", report.served, report.cut.len());
    Ok(())
}

/// Answers when the server is told to end.
async fn wait(Extension(drain): Extension<DrainNotice>) -> String {
    drain.started().await;
    format!("the server drains until {:?}\n", drain.deadline())
}
