//! A real DNS server on loopback, over UDP and TCP, with a zone that a test changes.

use dns::base::iana::Rcode;
use dns::base::{Message, MessageBuilder, Rtype};
use dns::rdata::{A, Txt};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// Largest answer over UDP; a larger one is cut, and asked for again over TCP (RFC 7766 section 5).
const MAX_UDP: usize = 1_232;

/// What the server knows of a name. A name that it does not know does not exist.
#[derive(Debug, Clone, Default)]
struct Known {
    texts: Vec<String>,
    address: Option<Ipv4Addr>,
    broken: bool,
}

/// The server; it ends when it is dropped.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<HashMap<String, Known>>>,
    _tasks: JoinSet<()>,
}

impl DnsServer {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = bind().await;
        let address = udp.local_addr().unwrap();
        let zone = Arc::<Mutex<HashMap<_, _>>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(over_udp(udp, Arc::clone(&zone)));
        tasks.spawn(over_tcp(tcp, Arc::clone(&zone)));
        Self {
            address,
            zone,
            _tasks: tasks,
        }
    }

    /// The TXT records of a domain are these from now on.
    pub(crate) fn texts(&self, domain: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.change(domain, |known| known.texts = texts);
    }

    /// The domain has this address from now on.
    pub(crate) fn address(&self, domain: &str, address: Ipv4Addr) {
        self.change(domain, |known| known.address = Some(address));
    }

    /// Questions about the domain fail from now on.
    pub(crate) fn breaks(&self, domain: &str) {
        self.change(domain, |known| known.broken = true);
    }

    /// The domain does not exist from now on.
    pub(crate) fn forget(&self, domain: &str) {
        self.zone.lock().unwrap().remove(domain);
    }

    fn change(&self, domain: &str, change: impl FnOnce(&mut Known)) {
        change(
            self.zone
                .lock()
                .unwrap()
                .entry(domain.to_owned())
                .or_default(),
        );
    }
}

/// One port for both transports.
async fn bind() -> (UdpSocket, TcpListener) {
    for _ in 0..20 {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn over_udp(socket: UdpSocket, zone: Arc<Mutex<HashMap<String, Known>>>) {
    let mut request = [0; 4_096];
    while let Ok((length, from)) = socket.recv_from(&mut request).await {
        let mut reply = answer(&request[..length], &zone);
        if reply.len() > MAX_UDP {
            reply = cut(&request[..length]);
        }
        let _ = socket.send_to(&reply, from).await;
    }
}

async fn over_tcp(listener: TcpListener, zone: Arc<Mutex<HashMap<String, Known>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&zone)));
    }
}

/// Each message has its length before it (RFC 1035 section 4.2.2).
async fn serve(mut stream: TcpStream, zone: Arc<Mutex<HashMap<String, Known>>>) {
    while let Ok(length) = stream.read_u16().await {
        let mut request = vec![0; length.into()];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let reply = answer(&request, &zone);
        let mut framed = u16::try_from(reply.len()).unwrap().to_be_bytes().to_vec();
        framed.extend(reply);
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

fn answer(request: &[u8], zone: &Mutex<HashMap<String, Known>>) -> Vec<u8> {
    let request = Message::from_octets(request).unwrap();
    let question = request.sole_question().unwrap();
    let name = question.qname().to_string().to_lowercase();
    let known = zone
        .lock()
        .unwrap()
        .get(name.trim_end_matches('.'))
        .cloned();
    let (rcode, known) = match known {
        Some(known) if known.broken => (Rcode::SERVFAIL, Known::default()),
        Some(known) => (Rcode::NOERROR, known),
        None => (Rcode::NXDOMAIN, Known::default()),
    };
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&request, rcode)
        .unwrap();
    if question.qtype() == Rtype::TXT {
        for text in &known.texts {
            let text = Txt::<Vec<u8>>::build_from_slice(text.as_bytes()).unwrap();
            answer.push((question.qname(), 60, text)).unwrap();
        }
    }
    if let (Rtype::A, Some(address)) = (question.qtype(), known.address) {
        answer
            .push((question.qname(), 60, A::new(address)))
            .unwrap();
    }
    answer.finish()
}

fn cut(request: &[u8]) -> Vec<u8> {
    let request = Message::from_octets(request).unwrap();
    let mut answer = MessageBuilder::new_vec()
        .start_answer(&request, Rcode::NOERROR)
        .unwrap();
    answer.header_mut().set_tc(true);
    answer.finish()
}
