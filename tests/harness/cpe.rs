//! A CPE made of bytes: sends whatever a test says, and reads what comes back.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An HTTP reply as it came.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Names as sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All headers of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, v)| v.as_str()).collect()
    }

    /// `name=value` of the session cookie.
    pub fn cookie(&self) -> Option<String> {
        Some(self.header("set-cookie")?.split(';').next()?.to_owned())
    }
}

/// One TCP connection.
pub struct Cpe {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Sent with every POST when set.
    pub cookie: Option<String>,
    /// Keep the cookie that the ACS sends, as most CPEs do.
    pub keeps_cookies: bool,
}

impl Cpe {
    pub async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new(), cookie: None, keeps_cookies: true }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// POSTs a body as a CPE does.
    pub async fn post(&mut self, body: &str) -> Reply {
        self.post_with(body.as_bytes(), &[("Content-Type", "text/xml")]).await
    }

    /// POSTs a body with these headers beside Host, Content-Length and the cookie.
    pub async fn post_with(&mut self, body: &[u8], headers: &[(&str, &str)]) -> Reply {
        let mut head =
            format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("Cookie: {cookie}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes()).await.unwrap();
        // An answer may come before the body is read: a refusal of its size.
        let _ = self.send(body).await;
        let reply = self.read().await.expect("a reply");
        if self.keeps_cookies && reply.cookie().is_some() {
            self.cookie = reply.cookie();
        }
        reply
    }

    /// An empty POST.
    pub async fn empty(&mut self) -> Reply {
        self.post_with(b"", &[]).await
    }

    /// Reads one reply; `None` when the server closed the connection instead.
    pub async fn read(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.parse() {
                return Some(reply);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
            }
        }
    }

    fn parse(&mut self) -> Option<Reply> {
        let end = self.buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let mut lines = head.trim_end().lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|l| l.split_once(':'))
            .map(|(n, v)| (n.to_owned(), v.trim().to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: String::new() };
        assert_eq!(reply.header("transfer-encoding"), None, "replies are never chunked (H7)");
        let length: usize = match reply.header("content-length") {
            Some(text) => text.parse().unwrap(),
            None => 0,
        };
        if self.buffer.len() < end + length {
            return None;
        }
        reply.body = String::from_utf8(self.buffer[end..end + length].to_vec()).unwrap();
        self.buffer.drain(..end + length);
        Some(reply)
    }
}

/// A device sends this Inform, which must be taken, and breaks off.
pub async fn meet(to: SocketAddr, message: &str) {
    let reply = Cpe::connect(to).await.post(message).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// An Inform as RouterOS writes it, of the device with this serial; events are codes.
pub fn inform(serial: &str, events: &[&str]) -> String {
    inform_with(serial, events, &[])
}

/// The same with further parameters.
pub fn inform_with(serial: &str, events: &[&str], parameters: &[(&str, &str)]) -> String {
    let event = |code: &&str| {
        let (code, key) = code.split_once('|').unwrap_or((code, ""));
        format!(
            "<EventStruct><EventCode>{code}</EventCode><CommandKey>{key}</CommandKey></EventStruct>"
        )
    };
    let events_xml: String = events.iter().map(event).collect();
    let mut all = vec![
        ("Device.RootDataModelVersion", "2.11"),
        ("Device.DeviceInfo.SoftwareVersion", "7.16.1"),
        ("Device.DeviceInfo.ProvisioningCode", ""),
        ("Device.DeviceInfo.HardwareVersion", "v1.0"),
        ("Device.ManagementServer.ParameterKey", ""),
        ("Device.ManagementServer.ConnectionRequestURL", "http://127.0.0.1:9/none"),
        ("Device.ManagementServer.AliasBasedAddressing", "0"),
    ];
    all.extend_from_slice(parameters);
    let values: String = all
        .iter()
        .map(|(n, v)| {
            format!(
                "<ParameterValueStruct><Name>{n}</Name><Value xsi:type='xsd:string'>{v}</Value></ParameterValueStruct>"
            )
        })
        .collect();
    envelope(&format!(
        "<cwmp:Inform><DeviceId><Manufacturer>MikroTik</Manufacturer><OUI>E48D8C</OUI>\
         <ProductClass>hAP ac²</ProductClass><SerialNumber>{serial}</SerialNumber></DeviceId>\
         <Event soap:arrayType='cwmp:EventStruct[{}]'>{events_xml}</Event>\
         <MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-11-22T12:00:00+00:00</CurrentTime>\
         <RetryCount>0</RetryCount>\
         <ParameterList soap:arrayType='cwmp:ParameterValueStruct[{}]'>{values}</ParameterList>\
         </cwmp:Inform>",
        events.len(),
        all.len()
    ))
}

/// A SOAP envelope around a body, as RouterOS writes it: no header, `soap` bound to the encoding.
pub fn envelope(body: &str) -> String {
    format!(
        "<soapenv:Envelope xmlns:soap='http://schemas.xmlsoap.org/soap/encoding/' \
         xmlns:xsd='http://www.w3.org/2001/XMLSchema' xmlns:cwmp='urn:dslforum-org:cwmp-1-0' \
         xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

impl Cpe {
    /// Connects from an address of its own: 127.0.0.2 is another client than 127.0.0.1.
    pub async fn connect_from(from: std::net::IpAddr, to: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let stream = socket.connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new(), cookie: None, keeps_cookies: true }
    }
}
