//! The web servers: each answers any request with its own name, and with the address that asked.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Doing, Outcome};

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens in the caller's network namespace.
pub(super) async fn listen(port: u16) -> Outcome<TcpListener> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.doing("a web server cannot listen")
}

pub(super) async fn serve(listener: TcpListener, name: String) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = respond(stream, name.clone());
                tokio::spawn(async move {
                    // A client that went away needs no answer.
                    let _ = tokio::time::timeout(PATIENCE, answer).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn respond(mut stream: TcpStream, name: String) -> std::io::Result<()> {
    let asker = stream.peer_addr()?.ip();
    let mut request = Vec::new();
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") && request.len() < 8192 {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let body = format!("{name}\n");
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nX-Asked-By: {asker}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}
