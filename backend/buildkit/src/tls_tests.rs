//! A daemon here demands that both sides prove who they are. The certificates are of an authority that nobody trusts.

use std::path::PathBuf;
use std::sync::Arc;

use rbc_proto::control::{LIST_WORKERS, ListWorkersResponse};
use rbc_proto::{Status, WorkerRecord};
use rbc_rpc::{Handler, Reply, Request, code, serve, status};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

use crate::{Daemon, Endpoint, Tls};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tls").join(name)
}

struct Workers;

impl Handler for Workers {
    async fn handle(&self, request: &mut Request, reply: &mut Reply) -> Result<(), Status> {
        if request.path != LIST_WORKERS {
            return Err(status(code::UNIMPLEMENTED, ""));
        }
        let record = vec![WorkerRecord { id: "one".to_owned(), ..WorkerRecord::default() }];
        reply.message(&ListWorkersResponse { record }).await
    }
}

/// Starts the daemon, and gives its port.
fn daemon() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(file("server.key")).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        _ = serve(stream, Arc::new(Workers)).await;
                    }
                });
            }
        });
    });
    port
}

#[test]
fn both_sides_prove_who_they_are() {
    let port = daemon();
    let whole = Tls {
        ca: Some(file("ca.pem")),
        cert: Some(file("client.pem")),
        key: Some(file("client.key")),
        server_name: Some("builder.test".to_owned()),
    };
    let connect = |tls: Tls| {
        let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{port}")).unwrap();
        Daemon::connect(&endpoint.with_tls(tls)).map(|builder| builder.workers()[0].id.clone())
    };
    assert_eq!(connect(whole.clone()).unwrap(), "one");
    // Nobody, nobody whom the daemon knows, another daemon, and one that nobody signed.
    assert!(connect(Tls { cert: None, key: None, ..whole.clone() }).is_err());
    assert!(connect(Tls { key: None, ..whole.clone() }).is_err());
    assert!(connect(Tls { server_name: Some("other.test".to_owned()), ..whole.clone() }).is_err());
    assert!(connect(Tls { ca: None, ..whole.clone() }).is_err());
    assert!(Daemon::connect(&Endpoint::parse(&format!("tcp://127.0.0.1:{port}")).unwrap()).is_err());
}
