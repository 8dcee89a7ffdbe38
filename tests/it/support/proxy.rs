//! A TCP proxy on loopback that loses, delays and cuts what a server answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to the bytes from the server to the client. The other direction always passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    /// Held back until they pass again.
    Held,
    /// Lost.
    Swallowed,
}

/// A proxy in front of one server. Ends with its last clone's tasks when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    answers: watch::Sender<Answers>,
    /// Grows with each cut; a connection of an earlier number ends.
    generation: watch::Sender<u64>,
    swallowed: Arc<AtomicU64>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Begins to pass connections on to a server.
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, generation) = (watch::Sender::new(Answers::Pass), watch::Sender::new(0));
        let swallowed = Arc::new(AtomicU64::new(0));
        let (told, cuts, lost) = (answers.clone(), generation.clone(), Arc::clone(&swallowed));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (answers, mut cuts) = (told.subscribe(), cuts.subscribe());
                let lost = Arc::clone(&lost);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else {
                        return;
                    };
                    tokio::select! {
                        () = pass(client, server, answers, lost) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            answers,
            generation,
            swallowed,
            accepting,
        }
    }

    /// From now on the server's answers are lost; what the client sends still arrives.
    pub(crate) fn swallow(&self) {
        self.answers.send_replace(Answers::Swallowed);
    }

    /// From now on the server's answers are late: they arrive after [`Self::release`].
    pub(crate) fn hold(&self) {
        self.answers.send_replace(Answers::Held);
    }

    /// Lets held answers arrive.
    pub(crate) fn release(&self) {
        self.answers.send_replace(Answers::Pass);
    }

    /// Ends every connection, and lets new ones pass. After a loss nothing else makes sense: the stream of
    /// bytes has a hole.
    pub(crate) fn cut(&self) {
        self.generation.send_modify(|generation| *generation += 1);
        self.answers.send_replace(Answers::Pass);
    }

    /// Bytes lost so far.
    pub(crate) fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn pass(
    client: TcpStream,
    server: TcpStream,
    answers: watch::Receiver<Answers>,
    lost: Arc<AtomicU64>,
) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let always = watch::Sender::new(Answers::Pass);
    tokio::select! {
        () = copy(from_client, to_server, always.subscribe(), Arc::default()) => {}
        () = copy(from_server, to_client, answers, lost) => {}
    }
}

/// Passes bytes on until either side ends.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut answers: watch::Receiver<Answers>,
    lost: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let told = answers.wait_for(|answers| *answers != Answers::Held).await;
        let Ok(told) = told.map(|told| *told) else {
            return;
        };
        if told == Answers::Swallowed {
            lost.fetch_add(u64::try_from(length).unwrap(), Ordering::Relaxed);
        } else if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
