//! One request to a receiver, within bounds of time, of what is read, and of where it may go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use super::address::is_public;
use crate::limits;

/// Makes the requests.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    /// Whether addresses inside the network are allowed.
    allow_private: bool,
}

/// Why a URL is none that deliveries are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// Not a URL, or not of the web.
    #[error("an http:// or https:// address with a host, at most 2048 bytes")]
    NotWeb,
    /// A user name or a password in it: it would be shown in lists.
    #[error("an address without user name and password")]
    Credentials,
    /// It names an address that is not of the public internet.
    #[error("an address of the public internet")]
    Private,
}

/// What came of a request.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// After how long the receiver wants the next try.
    pub retry_after: Option<Duration>,
}

/// Reads the address of a webhook. Names are looked up when something is sent, each time.
///
/// # Errors
/// What is wrong with it.
pub fn read_url(text: &str, allow_private: bool) -> Result<Url, SenderError> {
    if text.len() > limits::WEBHOOK_URL_BYTES {
        return Err(SenderError::NotWeb);
    }
    let url = Url::parse(text).map_err(|_| SenderError::NotWeb)?;
    if !matches!(url.scheme(), "http" | "https") || url.as_str().len() > limits::WEBHOOK_URL_BYTES {
        return Err(SenderError::NotWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SenderError::Credentials);
    }
    let host = url.host_str().ok_or(SenderError::NotWeb)?;
    // Numbers in whatever notation are an address in the usual one by now.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_local_name = host == "localhost" || host.ends_with(".localhost");
    if !allow_private && (literal.is_ok_and(|ip| !is_public(ip)) || is_local_name) {
        return Err(SenderError::Private);
    }
    Ok(url)
}

/// Looks names up and lets only addresses through that may be connected to. It is asked for every connection, and the
/// connection is made to what it answers: a name cannot mean one thing when it is looked at and another when it is used.
struct PublicOnly {
    allow_private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            // One answer for what is not there and for what is inside: the difference would tell strangers which is which.
            let nothing = "the name stands for no address of the public internet";
            let found = match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(found) => found,
                Err(error) if allow_private => return Err(error.into()),
                Err(_) => return Err(nothing.into()),
            };
            let allowed: Vec<SocketAddr> = found.filter(|at| allow_private || is_public(at.ip())).collect();
            if allowed.is_empty() {
                return Err(nothing.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

impl Sender {
    /// Sets it up. Installs ring as the process's TLS provider unless one is installed.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allow_private: bool, timeout: Duration) -> reqwest::Result<Self> {
        // An error says that the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = match builder(allow_private, timeout).build() {
            Ok(client) => client,
            Err(error) => {
                // A machine without CA certificates can still send to plain http.
                tracing::warn!(error = &error as &dyn std::error::Error, "webhooks.no_certificates");
                builder(allow_private, timeout).tls_certs_only([]).build()?
            }
        };
        Ok(Self { client, allow_private })
    }

    /// Sends a body with these fields, and waits for the answer.
    ///
    /// # Errors
    /// In words for the webhook's owner, without anything of what was answered.
    pub async fn send(
        &self,
        url: &str,
        fields: [(HeaderName, HeaderValue); 3],
        body: String,
    ) -> Result<Answer, String> {
        let url = read_url(url, self.allow_private)
            .map_err(|_| "The address is not one that deliveries are sent to.")?;
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| describe(&error))?;
        let answer = Answer { status: response.status(), retry_after: retry_after(&response) };
        // Read so that the receiver can say it to the end, and thrown away: nobody is shown what an address answers.
        let mut read = 0;
        while let Ok(Some(piece)) = response.chunk().await {
            read += piece.len();
            if read >= limits::WEBHOOK_ANSWER_BYTES {
                break;
            }
        }
        Ok(answer)
    }
}

fn builder(allow_private: bool, timeout: Duration) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        // An answer that points elsewhere is a failure: what may be connected to was decided for this address.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // A proxy of the environment would look the name up itself.
        .no_proxy()
        .http1_only()
        // Each attempt has a connection of its own, and so its own look at where it goes.
        .pool_max_idle_per_host(0)
        .connect_timeout(limits::WEBHOOK_CONNECT)
        .timeout(timeout)
        .dns_resolver(Arc::new(PublicOnly { allow_private }))
}

/// `Retry-After` in seconds; a date is left to our own pauses.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(limits::WEBHOOK_LONGEST_PAUSE))
}

fn describe(error: &reqwest::Error) -> String {
    let what = match error {
        _ if error.is_timeout() => "The receiver did not answer in time",
        _ if error.is_connect() => "No connection to the receiver came about",
        _ => "The connection to the receiver broke",
    };
    let mut innermost = std::error::Error::source(error);
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    let cause = innermost.filter(|_| !error.is_timeout()).map(|cause| format!(": {cause}"));
    let text = format!("{what}{}.", cause.unwrap_or_default());
    text.chars().filter(|c| !c.is_control()).take(limits::OUTGOING_ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_the_network_are_refused_in_every_notation() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://localhost:8080/",
            "http://a.localhost/",
            "http://LOCALHOST/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://[fd00:ec2::254]/",
            "http://0/",
            "http://10.1.2.3/",
            "http://１２７.０.０.１/",
        ] {
            assert_eq!(read_url(text, false).unwrap_err(), SenderError::Private, "{text}");
            assert!(read_url(text, true).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_addresses_are_what_they_are() {
        for text in ["https://example.org/hook", "http://example.org:8080/a?b=c", "https://1.1.1.1/"] {
            assert!(read_url(text, false).is_ok(), "{text}");
        }
        for text in ["", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://", "gopher://a/"]
        {
            assert_eq!(read_url(text, true).unwrap_err(), SenderError::NotWeb, "{text}");
        }
        let long = format!("https://example.org/{}", "x".repeat(3000));
        assert_eq!(read_url(&long, true).unwrap_err(), SenderError::NotWeb);
        for text in ["https://u@example.org/", "https://u:p@example.org/"] {
            assert_eq!(read_url(text, true).unwrap_err(), SenderError::Credentials, "{text}");
        }
    }
}
