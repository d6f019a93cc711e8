//! What a demo backend answers: the page of the image `nginxdemos/hello:plain-text`.

use std::fmt::Write;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::net::SocketAddr;

use jiff::Timestamp;
use portway_api::ObjectKey;

/// The header in which the gateway hands on its identifier of the request.
const REQUEST_ID: &str = "x-request-id";

/// What the page tells of a request.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) address: SocketAddr,
    pub(super) pod: &'a str,
    pub(super) now: Timestamp,
    /// Path and query.
    pub(super) uri: &'a str,
    pub(super) headers: &'a hyper::HeaderMap,
}

impl Page<'_> {
    pub(super) fn text(&self) -> String {
        format!(
            "Server address: {}\nServer name: {}\nDate: {}\nURI: {}\nRequest ID: {}\n",
            self.address,
            self.pod,
            self.now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            self.uri,
            self.request_id(),
        )
    }

    /// 32 hexadecimal digits: those of the gateway's request id, so that page and access log can be held
    /// together, else random ones.
    fn request_id(&self) -> String {
        let given = self.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let digits = given.replace('-', "").to_ascii_lowercase();
        if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return digits;
        }
        (0..2).fold(String::new(), |mut id, _| {
            // Its keys are random; nothing more is asked of a demonstration.
            let _ = write!(id, "{:016x}", RandomState::new().build_hasher().finish());
            id
        })
    }
}

/// A name such as a pod's of the Deployment: always the same, and different for each replica.
pub(super) fn pod_name(deployment: &ObjectKey, replica: usize) -> String {
    // Kubernetes leaves out vowels and what looks like them, so that no words come of it.
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let word = |length: u32, seed: (&ObjectKey, Option<usize>)| -> String {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let hash = hasher.finish();
        let base = LETTERS.len() as u64;
        // The remainder is less than the number of letters.
        (0..length).map(|place| char::from(LETTERS[(hash / base.pow(place) % base) as usize])).collect()
    };
    format!("{}-{}-{}", deployment.name, word(9, (deployment, None)), word(5, (deployment, Some(replica))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(headers: &hyper::HeaderMap) -> String {
        let address = "127.0.0.1:8080".parse().unwrap();
        let now = "2026-02-03T04:05:06Z".parse().unwrap();
        Page { address, pod: "web-1-a", now, uri: "/a?b", headers }.text()
    }

    #[test]
    fn the_page_has_the_form_of_the_image() {
        let mut headers = hyper::HeaderMap::new();
        let head = "Server address: 127.0.0.1:8080\nServer name: web-1-a\nDate: 03/Feb/2026:04:05:06 +0000\n\
                    URI: /a?b\nRequest ID: ";
        let text = page(&headers);
        let id = text.strip_prefix(head).unwrap_or_else(|| panic!("{text}")).trim_end();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(text, page(&headers));

        headers.insert(REQUEST_ID, "0194D0B6-7f6e-7c3a-9f00-0123456789ab".parse().unwrap());
        assert_eq!(page(&headers), format!("{head}0194d0b67f6e7c3a9f000123456789ab\n"));
    }

    #[test]
    fn pods_have_names_of_their_own() {
        let web = ObjectKey::new("a", "web");
        let names = [0, 1].map(|replica| pod_name(&web, replica));
        assert_eq!(names[0], pod_name(&web, 0));
        assert_ne!(names[0], names[1]);
        let common = |name: &String| name.rsplit_once('-').map(|(head, _)| head.to_owned());
        assert_eq!(common(&names[0]), common(&names[1]));
        assert_eq!(names[0].len(), "web-".len() + 9 + 1 + 5);
    }
}
