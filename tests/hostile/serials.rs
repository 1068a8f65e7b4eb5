//! Serial numbers that nobody would print on a box. Whatever it is, the device is in the inventory
//! under exactly that serial, and a page that shows it is safe.

use muster_cwmp::xml::escape_into;
use url::form_urlencoded::byte_serialize;

use super::serves_the_next;
use crate::acs::{decoded, finish};
use crate::harness::cpe::{Cpe, inform};
use crate::harness::{LAB, Muster};

fn serials() -> Vec<String> {
    let long = "7".repeat(256);
    let plain = [
        "with \"double\" and 'single' quotes",
        "a/b\\c",
        "../../../etc/passwd",
        "😀👩‍👩‍👧‍👦",
        "line\nbreak\ttab",
        "<script>alert(1)</script>",
        "]]><!--",
        "&amp;",
        "%00%2F%0A",
        "'; drop table devices; --",
        "{{ 7*7 }}",
        "serial:SELF",
        "null",
        "-1",
        "ünïcödé ﷽ \u{202e}desrever",
        "a,b;c=d?e#f&g+h",
        long.as_str(),
    ];
    plain.into_iter().map(str::to_owned).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape_into(&mut out, text);
    out
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_device_is_listed_under_exactly_its_serial() {
    let mut muster = Muster::start(LAB).await;
    for serial in serials() {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        decoded(&cpe.post(&inform(&escaped(&serial), &["1 BOOT"])).await);
        assert!(finish(&mut cpe).await.len() >= 3, "{serial:?}: a whole session");
        let found = muster.get(&format!("/api/v1/devices?serial={}", encoded(&serial))).await;
        let items = found["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{serial:?}");
        assert_eq!(items[0]["serial"], serial.as_str());

        let id = items[0]["device_id"].as_str().unwrap();
        for path in ["/".to_owned(), format!("/devices/{id}")] {
            let url = format!("http://{}{path}", muster.web);
            let page = muster.http().get(url).send().await.unwrap();
            assert_eq!(page.status(), 200, "{serial:?} on {path}");
            let html = page.text().await.unwrap();
            assert!(!html.contains("<script>alert"), "{path} runs {serial:?}");
        }
        serves_the_next(&muster).await;
    }
    let all = muster.get("/api/v1/devices?limit=1000").await;
    let listed: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|d| d["serial"].as_str().unwrap()).collect();
    for serial in serials() {
        assert!(listed.contains(&serial.as_str()), "{serial:?}");
    }
    assert_eq!(listed.len(), serials().len() + 1, "and GOOD");
}

/// No box bears such a serial, and no index holds it. It must not look like a server in trouble,
/// or the device comes again and again.
#[tokio::test]
async fn a_serial_of_any_length_gets_a_clear_answer() {
    let muster = Muster::start(LAB).await;
    // Not compressible, as an index entry might be.
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'A' + u8::try_from((state >> 33) % 26).unwrap())
    };
    let long: String = (0..10_000).map(|_| letter()).collect();
    for length in [257, 3_000, 10_000] {
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let reply = cpe.post(&inform(&long[..length], &["2 PERIODIC"])).await;
        assert!(matches!(reply.status, 200 | 400), "{length}: {reply:?}");
        serves_the_next(&muster).await;
    }
    // N11: but never for an odd parameter.
    let odd = inform("ODDVERSION", &["2 PERIODIC"]).replace("7.16.1", &long);
    decoded(&Cpe::connect(muster.cwmp).await.post(&odd).await);
    let odd = inform("ODDCLASS", &["2 PERIODIC"]).replace("hAP ac²", &long);
    decoded(&Cpe::connect(muster.cwmp).await.post(&odd).await);
    serves_the_next(&muster).await;
}
