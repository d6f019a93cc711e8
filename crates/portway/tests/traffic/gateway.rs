//! A `portway run` of a test's own.

use std::net::SocketAddr;

use tempfile::TempDir;

use crate::running::curl::curl;
use crate::running::portway::Portway;

/// A running Portway, and the file that it serves. It ends with the test.
pub(crate) struct Gateway {
    directory: TempDir,
    portway: Portway,
}

impl Gateway {
    /// Serves `manifests`. `endpoints` are the servers behind Services: `namespace/service:port` and where it is.
    pub(crate) fn start(manifests: &str, endpoints: &[(&str, SocketAddr)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("objects.yaml");
        std::fs::write(&file, manifests).unwrap();
        let endpoints = endpoints
            .iter()
            .flat_map(|(service, address)| ["--endpoint".to_owned(), format!("{service}={address}")]);
        let portway = Portway::run(std::iter::once(file.to_str().unwrap().to_owned()).chain(endpoints));
        Self { directory, portway }
    }

    /// Where the listeners with this port are served.
    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        self.portway.at(port)
    }

    /// Puts other manifests in the place of the former, as an editor does: by a rename.
    pub(crate) fn edit(&self, manifests: &str) {
        let new = self.directory.path().join(".objects.yaml.new");
        std::fs::write(&new, manifests).unwrap();
        std::fs::rename(&new, self.directory.path().join("objects.yaml")).unwrap();
    }

    /// The page `/status` of the admin address.
    pub(crate) fn status(&self) -> String {
        curl([self.portway.admin_url("/status")]).body
    }

    /// The revision that is served.
    pub(crate) fn revision(&self) -> u64 {
        self.portway.revision()
    }

    /// Asks Portway to look at its files at once.
    pub(crate) fn reload(&self) {
        self.portway.signal("HUP");
    }

    /// The access log so far.
    pub(crate) fn log(&self) -> String {
        self.portway.stdout()
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> String {
        self.portway.stderr()
    }
}
