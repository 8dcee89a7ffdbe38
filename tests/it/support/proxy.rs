//! A TCP proxy on loopback that loses, delays and cuts what a server answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to the bytes from the server to the client. The other direction always passes.
/// [`Answers::Until`] passes, too, until the client says something, and swallows from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    /// Held back until they pass again.
    Held,
    /// Lost.
    Swallowed,
    /// Lost as soon as the client says this.
    Until(&'static str),
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
                let (answers, mut cuts) = (told.clone(), cuts.subscribe());
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

    /// Swallows the answers to the next thing that contains these words, and everything after it.
    pub(crate) fn swallow_after(&self, words: &'static str) {
        self.answers.send_replace(Answers::Until(words));
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
    answers: watch::Sender<Answers>,
    lost: Arc<AtomicU64>,
) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        let mut buffer = vec![0; 1 << 16];
        while let Some(bytes) = next(&mut from_client, &mut buffer).await {
            answers.send_if_modified(|answers| match answers {
                Answers::Until(words) if contains(bytes, words) => {
                    *answers = Answers::Swallowed;
                    true
                }
                _ => false,
            });
            if to_server.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    let answering = async {
        let mut told = answers.subscribe();
        let mut buffer = vec![0; 1 << 16];
        while let Some(bytes) = next(&mut from_server, &mut buffer).await {
            let told = told.wait_for(|told| *told != Answers::Held).await;
            let swallowed = told.is_ok_and(|told| *told == Answers::Swallowed);
            if swallowed {
                lost.fetch_add(u64::try_from(bytes.len()).unwrap(), Ordering::Relaxed);
            } else if to_client.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}

/// The next bytes; none at the end.
async fn next<'a>(from: &mut OwnedReadHalf, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match from.read(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(length) => Some(&buffer[..length]),
    }
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}
