//! Ways to a daemon, all of which end in a stream of bytes.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::endpoint::{Endpoint, Route, Tls};

/// How long a daemon may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many lines of what a program says are kept to be shown.
const LINES: usize = 8;
/// How long the head of an answer of Docker's may be.
const HEAD_MAX: usize = 64 << 10;

/// A stream of bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A stream, and what keeps it.
pub(crate) struct Way {
    pub stream: Box<dyn Stream>,
    pub keeper: Keeper,
}

/// What has to live as long as the stream. A program ends when this is dropped.
#[derive(Default)]
pub(crate) struct Keeper {
    _child: Option<Child>,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    /// The last that the program said on its standard error.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(|e| e.into_inner()).iter().cloned().collect()
    }
}

/// Connects to what `path` is in Docker's API, or to the daemon itself.
pub(crate) async fn connect(endpoint: &Endpoint, path: &str, headers: &[(&str, &str)]) -> io::Result<Way> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, async {
        let mut way = raw(&endpoint.route).await?;
        if endpoint.docker {
            upgrade(&mut way.stream, path, headers).await?;
        }
        Ok(way)
    })
    .await
    .map_err(|_| late())?
}

async fn raw(route: &Route) -> io::Result<Way> {
    let way = |stream: Box<dyn Stream>| Way { stream, keeper: Keeper::default() };
    match route {
        Route::Unix(path) => Ok(way(Box::new(UnixStream::connect(path).await?))),
        Route::Tcp { host, port, tls } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            match tls {
                None => Ok(way(Box::new(stream))),
                Some(tls) => Ok(way(Box::new(secure(stream, host, tls).await?))),
            }
        }
        Route::Command(words) => command(words),
    }
}

async fn secure(stream: TcpStream, host: &str, tls: &Tls) -> io::Result<impl Stream + 'static> {
    let wrong = |what: &std::path::Path, e: &dyn fmt::Display| io::Error::other(format!("{}: {e}", what.display()));
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(file, &e))? {
                let certificate = certificate.map_err(|e| wrong(file, &e))?;
                roots.add(certificate).map_err(|e| wrong(file, &e))?;
            }
        }
        None => {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // One that is not understood signs nothing.
                _ = roots.add(certificate);
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).map_err(|e| wrong(cert, &e))?.collect();
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, &e))?;
            let chain = chain.map_err(|e| wrong(cert, &e))?;
            builder.with_client_auth_cert(chain, private).map_err(|e| wrong(cert, &e))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(io::Error::other("a certificate needs its key, and a key its certificate")),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = tls.server_name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Starts a program that hands its standard streams to a daemon.
fn command(words: &[String]) -> io::Result<Way> {
    let Some((program, arguments)) = words.split_first() else { return Err(io::ErrorKind::NotFound.into()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // An interrupt is for us: we cancel the build through it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("`{program}` cannot be run: {e}")))?;
    let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let said = Arc::new(Mutex::new(VecDeque::new()));
    let heard = said.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(errors).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut heard = heard.lock().unwrap_or_else(|e| e.into_inner());
            if heard.len() == LINES {
                heard.pop_front();
            }
            heard.push_back(line);
        }
    });
    Ok(Way { stream: Box::new(tokio::io::join(output, input)), keeper: Keeper { _child: Some(child), said } })
}

/// Asks Docker to go on in HTTP/2.
async fn upgrade(stream: &mut Box<dyn Stream>, path: &str, headers: &[(&str, &str)]) -> io::Result<()> {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n");
    for (key, value) in headers {
        request += &format!("{key}: {value}\r\n");
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    // Byte by byte, since what is behind the head belongs to whoever reads next.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_MAX {
            return Err(io::Error::other("docker answers without an end"));
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let first = head.lines().next().unwrap_or_default();
    match first.split(' ').nth(1) {
        Some("101") => Ok(()),
        _ => Err(io::Error::other(format!("it is no Docker with BuildKit: it answers `{first}`"))),
    }
}
