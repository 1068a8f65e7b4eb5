//! The HTTP binding (TR-069 3.4): what belongs to which session, what a request may look like, and
//! the style of a reply (facts H1 to H11, section 5).

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use muster_cwmp::rpc::Request;

use super::{
    answer, answer_all, call, decoded, device, finish, is_known, job, opened, order_get, settled,
    values, with_header,
};
use crate::harness::cpe::{Cpe, Reply, envelope, inform};
use crate::harness::{LAB, Muster};

/// Sends a request as it stands.
async fn raw(cpe: &mut Cpe, head: &str, body: &[u8]) -> Reply {
    cpe.send(head.replace('\n', "\r\n").as_bytes()).await.unwrap();
    cpe.send(body).await.unwrap();
    cpe.read().await.expect("a reply")
}

/// A body in chunks of this size, the first with an extension.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for (n, chunk) in body.chunks(size).enumerate() {
        let extension = if n == 0 { ";extension=1" } else { "" };
        write!(out, "{:X}{extension}\r\n", chunk.len()).unwrap();
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

#[tokio::test]
async fn a_session_is_found_by_its_cookie_on_any_connection_and_in_any_form() {
    let mut muster = Muster::start(LAB).await;
    let forms = [
        "NAME=VALUE",
        "NAME=VALUE; Path=/",
        "NAME=\"VALUE\"",
        "$Version=\"0\"; NAME=VALUE;$Path=/",
        "$Version=1, NAME=\"VALUE\", $Path=\"/\"",
        "other=1; NAME = VALUE; HttpOnly",
    ];
    for (n, form) in forms.into_iter().enumerate() {
        let serial = format!("COOKIE{n}");
        let mut first = opened(&muster, &serial).await;
        let request = call(&first.empty().await);
        assert!(matches!(request, Request::SetParameterValues(_)), "{request:?}");
        let cookie = first.cookie.clone().unwrap();
        let (name, value) = cookie.split_once('=').unwrap();
        drop(first);
        let mut second = Cpe::connect(muster.cwmp).await;
        second.cookie = Some(form.replace("NAME", name).replace("VALUE", value));
        let reply = second.post(&answer(&request)).await;
        assert_eq!(answer_all(&mut second, reply).await.first(), Some(&"GetRPCMethods"), "{form}");
        let open = muster.get(&format!("/api/v1/jobs?device_id=serial:{serial}")).await;
        let items = open["items"].as_array().unwrap();
        assert!(items.len() >= 3 && items.iter().all(|j| j["state"] == "done"), "{form}: {open}");
    }
}

#[tokio::test]
async fn without_cookies_the_connection_is_the_session() {
    let mut muster = Muster::start(LAB).await;
    let mut pair = Vec::new();
    for serial in ["BARE1", "BARE2"] {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        cpe.keeps_cookies = false;
        assert_eq!(cpe.post(&inform(serial, &["2 PERIODIC"])).await.status, 200);
        pair.push((serial, cpe));
    }
    for (serial, cpe) in &mut pair {
        let reply = cpe.empty().await;
        assert!(reply.body.contains(&format!("E48D8C-{serial}<")), "its own: {}", reply.body);
        assert!(answer_all(cpe, reply).await.len() >= 3);
        assert!(!device(&mut muster, serial).await["methods"].is_null());
    }
    let mut stranger = Cpe::connect(muster.cwmp).await;
    assert_eq!(stranger.empty().await.status, 204);
    assert_eq!(stranger.post(&answer(&Request::GetRpcMethods)).await.status, 400);
}

#[tokio::test]
async fn a_body_may_come_in_chunks_or_compressed() {
    let mut muster = Muster::start(LAB).await;
    let head = "POST / HTTP/1.1\nHost: acs\nContent-Type: text/xml\nTransfer-Encoding: chunked\n\n";
    let mut cpe = Cpe::connect(muster.cwmp).await;
    for size in [1, 100, 100_000] {
        let serial = format!("CHUNK{size}");
        let body = chunked(inform(&serial, &["2 PERIODIC"]).as_bytes(), size);
        decoded(&raw(&mut cpe, head, &body).await);
        assert!(is_known(&mut muster, &serial).await);
    }
    for coding in ["gzip", "x-gzip", "GZIP", "deflate"] {
        let serial = format!("CODED{coding}");
        let message = inform(&serial, &["2 PERIODIC"]);
        let body = match coding {
            "deflate" => {
                let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
                out.write_all(message.as_bytes()).unwrap();
                out.finish().unwrap()
            }
            _ => {
                let mut out = GzEncoder::new(Vec::new(), Compression::default());
                out.write_all(message.as_bytes()).unwrap();
                out.finish().unwrap()
            }
        };
        let reply = cpe.post_with(&body, &[("Content-Encoding", coding)]).await;
        decoded(&reply);
        assert_eq!(reply.header("content-encoding"), None, "nobody asked for it");
        assert!(is_known(&mut muster, &serial).await);
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_comes() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let body = inform("EXPECT", &["2 PERIODIC"]);
    let length = body.len();
    let head =
        format!("POST / HTTP/1.1\nHost: acs\nContent-Length: {length}\nExpect: 100-continue\n\n");
    assert_eq!(raw(&mut cpe, &head, b"").await.status, 100);
    decoded(&raw(&mut cpe, "", body.as_bytes()).await);
}

#[tokio::test]
async fn http_1_0_and_a_missing_host_are_tolerated() {
    let muster = Muster::start(LAB).await;
    let body = inform("OLD", &["2 PERIODIC"]);
    let head = format!("POST / HTTP/1.0\nContent-Length: {}\n\n", body.len());
    let reply = raw(&mut Cpe::connect(muster.cwmp).await, &head, body.as_bytes()).await;
    decoded(&reply);
    // Without keep-alive each message comes on a connection of its own, and the cookie binds them.
    let cookie = reply.cookie().unwrap();
    let head = format!("POST / HTTP/1.0\nCookie: {cookie}\nContent-Length: 0\n\n");
    call(&raw(&mut Cpe::connect(muster.cwmp).await, &head, b"").await);

    let body = inform("OLDKEPT", &["2 PERIODIC"]);
    let mut kept = Cpe::connect(muster.cwmp).await;
    let head =
        format!("POST / HTTP/1.0\nConnection: keep-alive\nContent-Length: {}\n\n", body.len());
    decoded(&raw(&mut kept, &head, body.as_bytes()).await);
    let head = "POST / HTTP/1.0\nConnection: keep-alive\nContent-Length: 0\n\n";
    call(&raw(&mut kept, head, b"").await);

    let body = inform("NOHOST", &["2 PERIODIC"]);
    let head = format!("POST / HTTP/1.1\nContent-Length: {}\n\n", body.len());
    decoded(&raw(&mut Cpe::connect(muster.cwmp).await, &head, body.as_bytes()).await);
}

#[tokio::test]
async fn an_empty_post_has_many_forms() {
    let muster = Muster::start(LAB).await;
    let forms = [
        "Content-Length: 0\n",
        "",
        "Content-Length: 0\nContent-Type: text/xml\nSOAPAction: \"\"\n",
        "Content-Length: 0\nContent-Type:\nSOAPAction:\n",
        "Content-Type: text/xml; charset=\"utf-8\"\n",
        "Transfer-Encoding: chunked\n",
    ];
    for (n, form) in forms.into_iter().enumerate() {
        let mut cpe = opened(&muster, &format!("EMPTY{n}")).await;
        let body: &[u8] = if form.contains("chunked") { b"0\r\n\r\n" } else { b"" };
        let head = format!("POST / HTTP/1.1\nHost: acs\n{form}\n");
        let reply = raw(&mut cpe, &head, body).await;
        assert!(matches!(call(&reply), Request::SetParameterValues(_)), "{form}");
        let done = answer_all(&mut cpe, reply).await;
        assert!(done.len() >= 3, "{form}: {done:?}");
    }
    let mut cpe = opened(&muster, "BLANKS").await;
    call(&cpe.post_with(b"\r\n", &[]).await);
}

#[tokio::test]
async fn headers_and_paths_may_be_odd_or_missing() {
    let mut muster = Muster::start(LAB).await;
    let odd: [&[(&str, &str)]; 7] = [
        &[],
        &[("SOAPAction", "")],
        &[("SOAPAction", "\"urn:anything\""), ("Content-Type", "TEXT/XML")],
        &[("Content-Type", "text/xml; encoding=utf-8")],
        &[("Content-Type", "text/xml;charset=\"UTF-8\"")],
        &[("Content-Type", "application/soap+xml")],
        &[("Content-Type", ""), ("User-Agent", "")],
    ];
    let mut cpe = Cpe::connect(muster.cwmp).await;
    for (n, headers) in odd.into_iter().enumerate() {
        let serial = format!("ODD{n}");
        let body = inform(&serial, &["2 PERIODIC"]);
        decoded(&cpe.post_with(body.as_bytes(), headers).await);
        let shown = device(&mut muster, &serial).await;
        assert_eq!(shown["product_class"], "hAP ac²", "{headers:?}");
    }
    let body = inform("PATH", &["2 PERIODIC"]);
    let length = body.len();
    let head = format!("POST /tr069/acs?x=1 HTTP/1.1\nHost: acs\nContent-Length: {length}\n\n");
    decoded(&raw(&mut cpe, &head, body.as_bytes()).await);
}

#[tokio::test]
async fn the_id_comes_back_as_it_was_and_none_where_none_came() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let plain = inform("ID", &["2 PERIODIC"]);
    let reply = cpe.post(&plain).await;
    assert_eq!(decoded(&reply).id, None);
    assert!(!reply.body.contains("Header>"), "{}", reply.body);
    for id in ["1", "00042", "a b", "<&\"'>", "Grüße 🙂", &"9".repeat(500)] {
        let mut text = String::new();
        muster_cwmp::xml::escape_into(&mut text, id);
        let header = format!("<cwmp:ID soapenv:mustUnderstand='1'>{text}</cwmp:ID>");
        let reply = cpe.post(&with_header(&plain, &header)).await;
        assert_eq!(decoded(&reply).id.as_deref(), Some(id));
    }
}

#[tokio::test]
async fn every_reply_is_in_the_style_that_devices_need() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let informed = cpe.post(&inform("STYLE", &["1 BOOT"])).await;
    let unknown = cpe.post(&envelope("<cwmp:Whatever/>")).await;
    let called = cpe.empty().await;
    for reply in [&informed, &unknown, &called] {
        decoded(reply);
        assert!(reply.header("content-type").unwrap().starts_with("text/xml"));
        let length: usize = reply.header("content-length").unwrap().parse().unwrap();
        assert_eq!(length, reply.body.len());
        // S8: no XML declaration, and the first tag is the Envelope with a short prefix.
        let prefix = reply.body.strip_prefix('<').unwrap().split_once(":Envelope").unwrap().0;
        assert!(prefix.len() <= 14 && prefix.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        assert_eq!(reply.body.matches(":Envelope>").count(), 1);
        assert!(!reply.body.contains("encodingStyle"));
    }
    let refused = cpe.post("<a/>").await;
    let ended = finish_style(&mut cpe, called).await;
    for reply in [&informed, &unknown, &refused, &ended] {
        assert_eq!(reply.header("connection"), None, "{reply:?}");
        for (name, _) in &reply.headers {
            let titled = |word: &str| word.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(name.split('-').all(titled), "{name}");
        }
    }
    assert_eq!((ended.status, ended.body.as_str()), (204, ""));
    let cookie = informed.header("set-cookie").unwrap();
    assert!(cookie.contains("Path=/") && !cookie.contains("Secure"), "{cookie}");
}

/// Answers all calls; gives the last reply.
async fn finish_style(cpe: &mut Cpe, mut reply: Reply) -> Reply {
    while reply.status == 200 {
        reply = cpe.post(&answer(&call(&reply))).await;
    }
    reply
}

#[tokio::test]
async fn only_posts_are_taken() {
    let muster = Muster::start(LAB).await;
    let mut cpe = Cpe::connect(muster.cwmp).await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let reply = raw(&mut cpe, &format!("{method} / HTTP/1.1\nHost: acs\n\n"), b"").await;
        assert_eq!(reply.status, 405, "{method}");
        assert!(reply.body.contains("POST"), "it says what is taken: {}", reply.body);
    }
    assert_eq!(cpe.post(&inform("AFTERGET", &["2 PERIODIC"])).await.status, 200);
}

#[tokio::test]
async fn several_messages_in_one_body_are_refused_and_the_session_goes_on() {
    let mut muster = Muster::start(LAB).await;
    let mut cpe = opened(&muster, "SINGLE").await;
    let one = inform("DOUBLE", &["2 PERIODIC"]);
    let bodies = "</soapenv:Body><soapenv:Body><cwmp:GetRPCMethods/>";
    let children = "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>".repeat(2);
    for body in [format!("{one}{one}"), envelope(&children), envelope(bodies)] {
        let reply = cpe.post(&body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.body.contains("more than one message"), "{}", reply.body);
    }
    assert!(!is_known(&mut muster, "DOUBLE").await);
    assert!(finish(&mut cpe).await.len() >= 3, "the session it came in goes on");
    assert_eq!(cpe.post(&one).await.status, 200, "and the next one begins");
}

#[tokio::test]
async fn a_body_in_iso_8859_1_is_understood() {
    let mut muster = Muster::start(LAB).await;
    let latin = |text: &str| text.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<u8>>();
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let declared = format!(
        "<?xml version='1.0' encoding='ISO-8859-1' standalone='no'?>\n{}",
        inform("LATIN1", &["2 PERIODIC"])
    );
    decoded(&cpe.post_with(&latin(&declared), &[("Content-Type", "text/xml")]).await);
    let named = latin(&inform("LATIN2", &["2 PERIODIC"]));
    let header = ("Content-Type", "text/xml; charset=ISO-8859-1");
    decoded(&cpe.post_with(&named, &[header]).await);
    for serial in ["LATIN1", "LATIN2"] {
        assert_eq!(device(&mut muster, serial).await["product_class"], "hAP ac²");
    }
}

/// H11: a full data model in one answer is some hundred kB.
#[tokio::test]
async fn a_large_answer_is_taken() {
    let mut muster = Muster::start(LAB).await;
    settled(&muster, "LARGE").await;
    let id = order_get(&mut muster, "LARGE").await;
    let list: Vec<(String, String)> = (0..6_000)
        .map(|n| (format!("Device.Hosts.Host.{n}.HostName"), format!("host-{n:0>40}")))
        .collect();
    let list: Vec<(&str, &str)> = list.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let message = values(&list);
    assert!(message.len() > 660_000);
    let mut cpe = opened(&muster, "LARGE").await;
    call(&cpe.empty().await);
    assert_eq!(cpe.post(&message).await.status, 204);
    assert_eq!(job(&mut muster, &id).await["state"], "done");
    let path = "/api/v1/devices/serial:LARGE/parameters?prefix=Device.Hosts.";
    let found = muster.get(path).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 6_000);
}
