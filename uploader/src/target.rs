//! Where uploads go: the creation endpoint, and what the addresses a server gives mean. Pure.

use reqwest::Url;

use crate::error::UploadError;

/// The server's creation endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    endpoint: Url,
}

impl Target {
    /// Reads `--to`. An address without a path is a server's base and means its `/files`; any other is the
    /// creation endpoint itself.
    ///
    /// # Errors
    /// [`UploadError::Usage`] for anything but an absolute http or https address without user name and password.
    pub(crate) fn parse(text: &str) -> Result<Self, UploadError> {
        let usage =
            |why: &str| UploadError::Usage(format!("--to takes an http:// or https:// address: {why}"));
        let mut endpoint = Url::parse(text).map_err(|error| usage(&error.to_string()))?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(usage("another scheme was given"));
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return Err(usage("credentials do not belong into an address, use --token-file"));
        }
        endpoint.set_fragment(None);
        if endpoint.path() == "/" {
            endpoint.set_path("/files");
        }
        Ok(Self { endpoint })
    }

    /// Where uploads are created.
    pub(crate) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Whether requests travel encrypted.
    pub(crate) fn is_https(&self) -> bool {
        self.endpoint.scheme() == "https"
    }

    /// Whether the endpoint is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.endpoint.host_str() {
            Some("localhost") => true,
            Some(host) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => false,
        }
    }

    /// The absolute address a `Location` means. A server behind a proxy that ends TLS often says `http` for
    /// itself; the connection is not made weaker for that.
    pub(crate) fn locate(&self, location: &str) -> Option<Url> {
        let mut url = self.endpoint.join(location).ok()?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return None;
        }
        if self.is_https() && url.scheme() == "http" && url.host_str() == self.endpoint.host_str() {
            let port = self.endpoint.port();
            url.set_scheme("https").ok()?;
            url.set_port(port).ok()?;
        }
        url.set_fragment(None);
        Some(url)
    }

    /// Whether the token may go to `url`: only to the server it was given for.
    pub(crate) fn trusts(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// An address of the server's API: beside the endpoint, as the watch pages are.
    pub(crate) fn api_url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_query(None);
        let own = url.path().trim_end_matches('/');
        let base = own.strip_suffix("/files").unwrap_or("").to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// The page where the asset `id` can be watched on a Tidegate server.
    pub(crate) fn watch_url(&self, id: &str) -> String {
        let mut url = self.endpoint.clone();
        url.set_query(None);
        let path = url.path().trim_end_matches('/');
        let base = path.strip_suffix("/files").unwrap_or("").to_owned();
        url.set_path(&format!("{base}/watch/{id}"));
        url.into()
    }
}

/// The last segment of an upload's address: its id on most servers.
pub(crate) fn id_of(url: &Url) -> String {
    let mut segments = url.path_segments().into_iter().flatten();
    segments.rfind(|segment| !segment.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> String {
        Target::parse(text).unwrap().endpoint().to_string()
    }

    #[test]
    fn a_base_and_an_endpoint_are_both_understood() {
        assert_eq!(endpoint("http://host:8080"), "http://host:8080/files");
        assert_eq!(endpoint("http://host:8080/"), "http://host:8080/files");
        assert_eq!(endpoint("https://host/files"), "https://host/files");
        assert_eq!(endpoint("https://host/files/"), "https://host/files/");
        assert_eq!(endpoint("https://host/api/uploads?bucket=a#x"), "https://host/api/uploads?bucket=a");
    }

    #[test]
    fn other_addresses_are_usage_errors_that_show_no_password() {
        for text in ["", "host:8080", "ftp://host", "file:///etc", "http://", "https://me:hunter2@host/files"]
        {
            let error = Target::parse(text).unwrap_err();
            assert_eq!(error.code(), "usage", "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn locations_are_taken_as_the_standard_says_but_never_weaken_the_connection() {
        let locate =
            |base: &str, location: &str| Target::parse(base).unwrap().locate(location).map(String::from);
        let some = |url: &str| Some(url.to_owned());
        assert_eq!(locate("http://h:1", "/files/a"), some("http://h:1/files/a"));
        assert_eq!(locate("http://h:1/files/", "a"), some("http://h:1/files/a"));
        assert_eq!(locate("http://h:1", "//other/a"), some("http://other/a"));
        assert_eq!(locate("https://h:8443", "http://h/files/a"), some("https://h:8443/files/a"));
        assert_eq!(locate("https://h", "http://other/files/a"), some("http://other/files/a"));
        assert_eq!(locate("http://h", "ftp://h/a"), None);
        assert_eq!(locate("http://h", "http://u:p@h/a"), None);
    }

    #[test]
    fn the_token_goes_to_its_own_server_only() {
        let target = Target::parse("https://h/files").unwrap();
        let trusts = |text: &str| target.trusts(&Url::parse(text).unwrap());
        assert!(trusts("https://h/files/a") && trusts("https://h:443/"));
        assert!(!trusts("https://h:444/") && !trusts("http://h/") && !trusts("https://other/"));
    }

    #[test]
    fn the_watch_page_lies_beside_the_endpoint() {
        let watch = |base: &str| Target::parse(base).unwrap().watch_url("ID");
        assert_eq!(watch("http://h:8080"), "http://h:8080/watch/ID");
        assert_eq!(watch("https://h/tide/files?x=1"), "https://h/tide/watch/ID");
        let api = Target::parse("https://h/tide/files?x=1").unwrap().api_url("/api/v1/events");
        assert_eq!(api.as_str(), "https://h/tide/api/v1/events");
    }

    #[test]
    fn an_id_is_the_last_segment() {
        let id = |text: &str| id_of(&Url::parse(text).unwrap());
        assert_eq!(
            (id("http://h/files/a"), id("http://h/files/a/?x"), id("http://h")),
            ("a".into(), "a".into(), String::new())
        );
    }
}
