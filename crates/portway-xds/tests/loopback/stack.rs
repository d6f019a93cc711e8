//! A server, and clients of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portway_config::{NamespacedName, Revision};
use portway_xds::client::RefusedByProxy;
use portway_xds::publisher::{GatewayAcknowledgements, ProxyAcknowledgement};
use portway_xds::{
    Authenticate, AuthenticationError, Client, ClientOptions, Identity, Limits, Publisher, Report, Server,
    ServerTls, Update, serve,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::configurations::gateway;
use crate::pki::Authority;

/// Whatever is waited for comes sooner, or not at all.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Within this time nothing should come.
pub(crate) const NEVER: Duration = Duration::from_millis(300);

/// The token of a pod is `POD@GATEWAY` for a Gateway in the namespace of all tests.
struct Tokens;

impl Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthenticationError> {
        let invalid = || AuthenticationError::Invalid("it is not of this cluster".to_owned());
        let (pod, gateway) = token.split_once('@').ok_or_else(invalid)?;
        Ok(Identity { namespace: "apps".into(), service_account: gateway.into(), pod: pod.into() })
    }
}

/// A server, and the files of its clients.
pub(crate) struct Stack {
    pub(crate) publisher: Publisher,
    pub(crate) authority: Authority,
    pub(crate) tls: ServerTls,
    pub(crate) address: SocketAddr,
    pub(crate) directory: TempDir,
    pub(crate) limits: Limits,
    server: Option<JoinHandle<()>>,
}

pub(crate) fn publisher(first: u64) -> Publisher {
    Publisher::new(Revision(first), Timestamp::now)
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let authority = Authority::new();
        let pair = authority.issue("localhost");
        let tls = ServerTls::from_pem(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), &authority.certificate_pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut stack =
            Self { publisher: publisher(1000), authority, tls, address, directory, limits, server: None };
        stack.serve(listener);
        stack
    }

    fn serve(&mut self, listener: TcpListener) {
        let server = Server {
            tls: self.tls.clone(),
            authenticator: Tokens,
            gateway_of: Arc::new(|identity: &Identity| {
                (*identity.service_account != *"other").then(|| {
                    NamespacedName::new(identity.namespace.clone(), identity.service_account.clone())
                })
            }),
            publisher: self.publisher.clone(),
            limits: self.limits.clone(),
        };
        self.server = Some(tokio::spawn(serve(listener, server, std::future::pending())));
    }

    pub(crate) async fn stop(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.abort();
        let _ = server.await;
    }

    /// Serves what `publisher` publishes, at the address as before.
    pub(crate) async fn restart(&mut self, publisher: Publisher) {
        self.stop().await;
        self.publisher = publisher;
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        self.serve(listener);
    }

    pub(crate) fn options(&self, pod: &str, token: &str) -> ClientOptions {
        let token_file = self.file(&format!("token-{pod}"));
        std::fs::write(&token_file, format!("{token}\n")).unwrap();
        ClientOptions {
            gateway: gateway(),
            pod: pod.to_owned(),
            controller: format!("localhost:{}", self.address.port()),
            ca_file: Some(self.file("ca.pem")),
            token_file: Some(token_file),
            state_dir: None,
            random: Box::new(|| 0.1),
            limits: self.limits.clone(),
        }
    }

    pub(crate) fn client(&self, pod: &str) -> Proxy {
        Proxy(Client::start(self.options(pod, &format!("{pod}@web"))))
    }

    /// A client that keeps its last good configuration.
    pub(crate) fn client_with_state(&self, pod: &str) -> Proxy {
        let state_dir = Some(self.file("state"));
        Proxy(Client::start(ClientOptions { state_dir, ..self.options(pod, &format!("{pod}@web")) }))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Waits until the acknowledgements of the Gateway are as `wanted`.
    pub(crate) async fn until(&self, wanted: impl Fn(&GatewayAcknowledgements) -> bool) {
        let mut told = self.publisher.acknowledgements();
        let is_so = |told: &Arc<portway_xds::Acknowledgements>| {
            told.gateways.get(&gateway()).is_some_and(|it| wanted(it))
        };
        if timeout(SOON, told.wait_for(is_so)).await.is_err() {
            panic!("it never came to this; it is {:#?}", self.publisher.acknowledgements().borrow());
        }
    }

    pub(crate) async fn until_reached(&self, pod: &str, revision: Revision) {
        self.until(|it| it.have_reached(revision, [pod])).await;
    }

    pub(crate) fn proxy(&self, pod: &str) -> ProxyAcknowledgement {
        let told = self.publisher.acknowledgements();
        let told = told.borrow();
        told.gateways[&gateway()].proxies[pod].clone()
    }
}

/// A client that takes what it is given.
pub(crate) struct Proxy(pub(crate) Client);

impl Proxy {
    /// The next update, not answered yet.
    pub(crate) async fn update(&mut self) -> Update {
        timeout(SOON, self.0.next()).await.expect("an update")
    }

    /// The next update, all of which is good.
    pub(crate) async fn take(&mut self) -> Update {
        let update = self.update().await;
        self.report(&update, vec![]);
        update
    }

    pub(crate) fn report(&self, update: &Update, refused: Vec<RefusedByProxy>) {
        self.0.report(Report { serial: update.serial, refused });
    }

    /// Asserts that no update comes.
    pub(crate) async fn nothing(&mut self) {
        if let Ok(update) = timeout(NEVER, self.0.next()).await {
            panic!("an update came: {update:?}");
        }
    }
}
