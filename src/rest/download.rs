//! Files of a portal, by one-time link. Owns which links are followed and how much is read; a link is never logged.

use super::client::Client;
use super::fault::{Class, Executed, Fault};
use super::transport::transport;
use reqwest::{Response, StatusCode};
use std::time::Duration;
use url::Url;

/// A file's bytes on their way.
pub(crate) struct Incoming {
    response: Response,
    /// Bytes that may still come.
    left: u64,
}

impl Client {
    /// Follows the link to a file: once, without redirects, and only at the host (with scheme and port) of `home`.
    ///
    /// # Errors
    /// `link_elsewhere`, `link_refused` (used up or out of date), `file_too_large`, or how the connection failed.
    pub(crate) async fn download(
        &self,
        link: &str,
        home: &str,
        most: u64,
        within: Duration,
    ) -> Result<Incoming, Fault> {
        let home = self.http.checked(home)?;
        let link = own(link, &home).ok_or_else(|| fault("link_elsewhere", 0))?;
        let referer = format!("{}/", home.origin().ascii_serialization());
        let response = self.http.get(&link, &referer, within).await.map_err(read_again)?;
        if response.status() != StatusCode::OK {
            return Err(fault("link_refused", response.status().as_u16()));
        }
        if response.content_length().is_some_and(|length| length > most) {
            return Err(fault("file_too_large", 0));
        }
        Ok(Incoming { response, left: most })
    }
}

impl Incoming {
    /// As the portal tells it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// `file_too_large`, or how the connection failed.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let chunk = self.response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| read_again(transport(&error)))? else {
            return Ok(None);
        };
        let left = self.left.checked_sub(chunk.len() as u64);
        self.left = left.ok_or_else(|| fault("file_too_large", 0))?;
        Ok(Some(chunk.to_vec()))
    }
}

/// The link, if it leads to the portal itself. A path alone does.
fn own(link: &str, home: &Url) -> Option<Url> {
    let link = home.join(link).ok()?;
    let here = link.origin() == home.origin() && link.username().is_empty() && link.password().is_none();
    here.then_some(link)
}

fn fault(code: &str, status: u16) -> Fault {
    Fault {
        class: Class::Invalid,
        executed: Executed::No,
        code: code.to_owned(),
        status,
        retry_after: None,
    }
}

/// Reading changes nothing, so a broken connection leaves no doubt.
fn read_again(fault: Fault) -> Fault {
    Fault {
        executed: Executed::No,
        ..fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    fn home(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_link_is_followed_at_its_portal_only() {
        let portal = home("https://acme.bitrix24.com/rest/");
        for link in [
            "https://acme.bitrix24.com/rest/download.json?token=a%7Cb",
            "https://acme.bitrix24.com:443/rest/download.json?token=a",
            "/rest/download.json?token=a",
        ] {
            assert!(own(link, &portal).is_some(), "{link}");
        }
        for link in [
            "http://acme.bitrix24.com/rest/download.json",
            "https://acme.bitrix24.com:8443/rest/download.json",
            "https://acme.bitrix24.com.evil.example/x",
            "https://acme.bitrix24.com@evil.example/x",
            "https://user@acme.bitrix24.com/x",
            "//evil.example/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "data:text/plain,x",
        ] {
            assert!(own(link, &portal).is_none(), "{link}");
        }
        assert_eq!(
            own("https://acme.bitrix24.com/rest/download.json?token=a%7Cb", &portal)
                .unwrap()
                .query(),
            Some("token=a%7Cb"),
            "unchanged"
        );
    }

    /// A server that gives one answer; hands back what it was asked.
    fn server(answer: &'static str) -> (Url, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = home(&format!("http://{}/rest/", listener.local_addr().unwrap()));
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut piece = [0; 1024];
            while !asked.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut piece).unwrap();
                asked.extend_from_slice(&piece[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (url, serving)
    }

    async fn fetched(answer: &'static str, most: u64) -> (Result<Vec<u8>, String>, String) {
        let (home, serving) = server(answer);
        let client = Client::new().unwrap();
        let within = Duration::from_secs(30);
        let bytes = async {
            let mut incoming = client
                .download("/rest/download.json?token=a%7Cb", home.as_str(), most, within)
                .await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = incoming.chunk().await? {
                bytes.extend(chunk);
            }
            Ok(bytes)
        };
        let bytes = bytes.await.map_err(|fault: Fault| fault.to_string());
        (bytes, serving.join().unwrap())
    }

    #[tokio::test]
    async fn a_file_is_read_as_it_is_with_the_headers_of_a_browser() {
        let (bytes, asked) = fetched("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\0abc", 4).await;
        assert_eq!(bytes.unwrap(), b"\0abc");
        let asked = asked.to_ascii_lowercase();
        assert!(asked.starts_with("get /rest/download.json?token=a%7cb "), "{asked}");
        for header in [
            "referer: http://127.0.0.1",
            "accept: */*",
            "accept-language:",
            "user-agent: imbot/",
        ] {
            assert!(asked.contains(header), "{header}");
        }
    }

    #[tokio::test]
    async fn a_file_over_the_limit_is_cut_whether_its_length_is_told_or_not() {
        let told = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde";
        assert_eq!(fetched(told, 4).await.0.unwrap_err(), "file_too_large");
        let untold = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
        assert_eq!(fetched(untold, 4).await.0.unwrap_err(), "file_too_large");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_a_used_link_is_refused() {
        let away = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(fetched(away, 4).await.0.unwrap_err(), "link_refused (HTTP 302)");
        let used = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(fetched(used, 4).await.0.unwrap_err(), "link_refused (HTTP 403)");
    }
}
