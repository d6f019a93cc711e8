//! The controller's end of the stream, on a node itself, and the agent that it tells.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;

use portway_config::{Configuration, NamespacedName, Revision};
use portway_xds::{Authenticate, AuthenticationError, Identity, Limits, Publisher, Server, ServerTls, serve};
use tempfile::TempDir;

use crate::bpffs::Bpffs;
use crate::host::Host;
use crate::running::eventually;
use crate::running::portway::{Portway, command};

pub(crate) const ADMIN: &str = "127.0.0.1:19902";

pub(crate) struct Controller {
    directory: TempDir,
    bpffs: Bpffs,
    publisher: Publisher,
    server: SocketAddr,
}

struct AnyToken;

impl Authenticate for AnyToken {
    async fn authenticate(&self, _token: &str) -> Result<Identity, AuthenticationError> {
        let (namespace, service_account) = ("portway-system".into(), "portway-agent".into());
        Ok(Identity { namespace, service_account, pod: "agent".into() })
    }
}

pub(crate) fn agents() -> NamespacedName {
    NamespacedName::new("", "node-agents")
}

impl Controller {
    pub(crate) fn on(host: &Host) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), cert.pem()).unwrap();
        std::fs::write(directory.path().join("token"), "token").unwrap();
        let publisher = Publisher::new(Revision(1000), jiff::Timestamp::now);
        let server = Server {
            tls: ServerTls::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap(),
            authenticator: AnyToken,
            gateway_of: Arc::new(|_: &Identity| Some(agents())),
            publisher: publisher.clone(),
            limits: Limits::default(),
        };
        let listener = host.run(|| TcpListener::bind("127.0.0.1:0").unwrap());
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(listener, server, std::future::pending()).await;
            });
        });
        Self { directory, bpffs: Bpffs::new(), publisher, server: address }
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Where the agent keeps programs and maps.
    pub(crate) fn pins(&self) -> String {
        self.bpffs.pins().to_str().unwrap().to_owned()
    }

    /// Starts an agent on the controller's host.
    pub(crate) fn agent(&self, host: &Host, options: &[&str]) -> Portway {
        let mut command = command(["agent", "--admin", ADMIN]);
        command.args(["--controller", &format!("localhost:{}", self.server.port())]);
        command.args(["--controller-ca", &self.file("ca.pem"), "--token-file", &self.file("token")]);
        command.args(["--pins", &self.pins()]).args(options);
        // With what the DaemonSet gives it, and nothing beyond.
        let mut limited = Command::new("setpriv");
        limited.args(["--inh-caps=-all", "--bounding-set=-all,+bpf,+net_admin,+perfmon"]);
        limited.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        host.run(move || Portway::spawn(IpAddr::V4(Ipv4Addr::LOCALHOST), limited))
    }

    /// Publishes a configuration, and waits until the agent has answered.
    pub(crate) fn publish(&self, configuration: Configuration) {
        let all = [(agents(), Arc::new(configuration))].into();
        let revision = self.publisher.publish(&all)[&agents()];
        eventually("the agent's answer", || {
            let told = self.publisher.acknowledgements();
            let told = told.borrow();
            told.gateways.get(&agents())?.proxies.get("agent")?.has_reached(revision).then_some(())
        });
    }
}

/// What a command of the agent prints, on its host.
pub(crate) fn ask(host: &Host, arguments: &[&str]) -> String {
    let mut command = command([&["agent"], arguments].concat());
    // As it is in the pod, where the DaemonSet's variables are.
    command.env("NODE_IP", "198.51.100.254");
    let output = host.run(move || command.output().unwrap());
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
