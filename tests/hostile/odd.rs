//! Messages that are wrong by the book and understood all the same: a device is never sent away for
//! a number, a date or a namespace (facts N11, section 7).

use muster_cwmp::rpc::{Body, Response};

use super::serves_the_next;
use crate::acs::{decoded, device, events, finish, is_known, opened};
use crate::harness::cpe::{Cpe, envelope, inform};
use crate::harness::{LAB, Muster};

/// Informs and expects to be taken; then does what there is to do.
async fn taken(muster: &mut Muster, serial: &str, message: &str) {
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let reply = decoded(&cpe.post(message).await);
    assert_eq!(reply.body, Body::Response(Response::Inform { max_envelopes: 1 }), "{serial}");
    assert!(finish(&mut cpe).await.len() >= 3, "{serial}");
    assert!(is_known(muster, serial).await, "{serial}");
    serves_the_next(muster).await;
}

#[tokio::test]
async fn odd_numbers_and_sizes_are_forgiven() {
    let mut muster = Muster::start(LAB).await;
    let odd = [
        ("EventStruct[1]", "EventStruct[-1]"),
        ("EventStruct[1]", "EventStruct[01]"),
        ("EventStruct[1]", "EventStruct[4294967296]"),
        ("EventStruct[1]", "]["),
        ("ParameterValueStruct[7]", "ParameterValueStruct[-7]"),
        ("ParameterValueStruct[7]", "ParameterValueStruct[99999999999]"),
        ("<RetryCount>0<", "<RetryCount>-5<"),
        ("<RetryCount>0<", "<RetryCount>99999999999999999999<"),
        ("<RetryCount>0<", "<RetryCount>4294967295<"),
        ("<RetryCount>0</RetryCount>", ""),
        ("<MaxEnvelopes>1<", "<MaxEnvelopes>-1<"),
        ("<EventCode>2 PERIODIC<", "<EventCode>99999999999 SOON<"),
        ("<EventCode>2 PERIODIC<", "<EventCode><"),
        ("<Manufacturer>MikroTik</Manufacturer>", ""),
        ("<ProductClass>hAP ac²<", "<ProductClass><"),
        ("<OUI>E48D8C<", "<OUI>not hex at all<"),
    ];
    for (n, (from, to)) in odd.into_iter().enumerate() {
        let serial = format!("ODD{n}");
        let plain = inform(&serial, &["2 PERIODIC"]);
        assert!(plain.contains(from), "{from}");
        taken(&mut muster, &serial, &plain.replace(from, to)).await;
    }
    let events: Vec<String> = (0..1_000).map(|n| format!("X 00AA11 {n}")).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    taken(&mut muster, "EVENTFUL", &inform("EVENTFUL", &events)).await;
}

#[tokio::test]
async fn odd_dates_are_forgiven_and_kept_as_they_came() {
    let mut muster = Muster::start(LAB).await;
    let dates = [
        "2038-01-19T03:14:08Z",
        "0001-01-01T00:00:00Z",
        "0000-00-00T00:00:00",
        "9999-12-31T23:59:60+14:00",
        "-2026-11-22T00:00:00Z",
        "2026-02-30T25:61:61Z",
        "2019-03-05T11:54::14",
        "1970-01-01",
        "yesterday",
        "",
    ];
    for (n, date) in dates.into_iter().enumerate() {
        let serial = format!("DATE{n}");
        let message = inform(&serial, &["2 PERIODIC"]).replace("2026-11-22T12:00:00+00:00", date);
        taken(&mut muster, &serial, &message).await;
    }
    let mut cpe = opened(&muster, "DATES").await;
    for date in dates {
        let message = envelope(&format!(
            "<cwmp:TransferComplete><CommandKey></CommandKey><FaultStruct><FaultCode>0</FaultCode>\
             <FaultString></FaultString></FaultStruct><StartTime>{date}</StartTime>\
             <CompleteTime>{date}</CompleteTime></cwmp:TransferComplete>"
        ));
        let reply = decoded(&cpe.post(&message).await);
        assert_eq!(reply.body, Body::Response(Response::TransferComplete), "{date:?}");
    }
    let stored = events(&mut muster, "DATES", "transfer_complete").await;
    let times: Vec<&str> =
        stored.iter().rev().map(|e| e["detail"]["start_time"].as_str().unwrap()).collect();
    assert_eq!(times, dates);
}

#[tokio::test]
async fn odd_namespaces_are_answered_in_kind_and_cannot_break_out() {
    let mut muster = Muster::start(LAB).await;
    let cwmp = "urn:dslforum-org:cwmp-1-0";
    for (n, (uri, answered)) in [
        ("urn:dslforum-org:cwmp-9-9", "urn:dslforum-org:cwmp-9-9"),
        // None of CWMP's: the oldest, which all understand.
        ("http://example.com/mine", cwmp),
        ("", cwmp),
        ("urn:dslforum-org:cwmp-&quot;&gt;&lt;evil/&gt;", "urn:dslforum-org:cwmp-\"><evil/>"),
    ]
    .into_iter()
    .enumerate()
    {
        let serial = format!("SPACE{n}");
        let message = inform(&serial, &["2 PERIODIC"]).replace(cwmp, uri);
        let mut cpe = Cpe::connect(muster.cwmp).await;
        let reply = cpe.post(&message).await;
        assert_eq!(decoded(&reply).namespace, answered, "{uri}");
        assert!(!reply.body.contains("<evil"), "{}", reply.body);
        assert!(finish(&mut cpe).await.len() >= 3, "{uri}");
        serves_the_next(&muster).await;
    }
    // A foreign SOAP, the wrong one, none at all.
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    for (n, uri) in ["http://www.w3.org/2003/05/soap-envelope", "urn:x", ""].into_iter().enumerate()
    {
        let serial = format!("SOAP{n}");
        let message = inform(&serial, &["2 PERIODIC"]).replace(soap, uri);
        taken(&mut muster, &serial, &message).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_and_characters_that_are_none_are_read_as_well_as_can_be() {
    let mut muster = Muster::start(LAB).await;
    // 0xff and 0xfe occur nowhere in UTF-8; the message is read as ISO-8859-1 then.
    let ascii = inform("BYTES", &["2 PERIODIC"]).replace('²', "2");
    let cut = ascii.find("MikroTik").unwrap();
    let bytes = [&ascii.as_bytes()[..cut], b"\xff\xfe\x80", &ascii.as_bytes()[cut..]].concat();
    let mut cpe = Cpe::connect(muster.cwmp).await;
    let claims = ("Content-Type", "text/xml; charset=utf-8");
    decoded(&cpe.post_with(&bytes, &[claims]).await);
    assert!(finish(&mut cpe).await.len() >= 3);
    assert_eq!(device(&mut muster, "BYTES").await["manufacturer"], "ÿþ\u{80}MikroTik");

    // Cut off within a character.
    let half = inform("HALF", &["2 PERIODIC"]).into_bytes();
    let at = half.windows(2).position(|w| w == "²".as_bytes()).unwrap();
    let half = [&half[..=at], &half[at + 2..]].concat();
    decoded(&cpe.post_with(&half, &[claims]).await);
    assert!(is_known(&mut muster, "HALF").await);

    // What PostgreSQL and XML cannot hold.
    for (n, odd) in ["\0\u{1}\u{1f}", "&#1;&#x1F;", "\u{fffe}\u{ffff}"].into_iter().enumerate() {
        let serial = format!("CONTROL{n}");
        let message = inform(&serial, &["2 PERIODIC"]).replace("MikroTik", &format!("A{odd}B"));
        taken(&mut muster, &serial, &message).await;
        let manufacturer = device(&mut muster, &serial).await["manufacturer"].clone();
        let text = manufacturer.as_str().unwrap();
        assert!(text.starts_with('A') && text.ends_with('B') && !text.contains('\0'), "{text:?}");
    }
}
