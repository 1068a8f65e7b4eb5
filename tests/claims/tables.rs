//! Tables of claims: told line by line, imported whole or not at all, and for whose sites.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::{claim, lab};
use crate::harness::kit::Api;
use crate::harness::session::{ADMIN, Session};

/// Sends a table; gives status and answer.
pub(super) async fn table(
    api: &Api,
    verb: &str,
    query: &[(&str, &str)],
    bytes: &[u8],
) -> (u16, Value) {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let request = api.request("POST", &format!("/api/v1/claims/{verb}?{query}"));
    let request = request.header("content-type", "text/csv").body(bytes.to_vec());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_table_is_told_line_by_line_and_imported_whole_or_not_at_all() {
    let (_muster, api) = lab("quarantine").await;
    api.make_sites(&["eu", "eu.lv"]).await;
    api.make("/api/v1/profiles", json!({ "name": "home" })).await;
    // As a spreadsheet of western Europe writes it.
    let text = "\u{feff}Serial Number;MAC;Site;Profile;Customer;var.ppp_user;var.ppp_password\r\n\
                S1;e4-8d-8c-00-00-01;eu.lv;home;4711;jānis;hunter2\r\n\
                \r\n\
                S2;;nowhere;;;;\r\n\
                s1;;;;;;\r\n\
                ;E48D8C0000;;;;;\r\n\
                S3;;;garden;;;\r\n\
                S4;;;;;;\r\n";
    let (status, told) = table(&api, "preview", &[("site", "eu")], text.as_bytes()).await;
    assert_eq!(status, 200, "{told}");
    let lines: Vec<(u64, &str)> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["verdict"].as_str().unwrap()))
        .collect();
    let expected =
        [(2, "new"), (4, "wrong"), (5, "conflict"), (6, "wrong"), (7, "wrong"), (8, "new")];
    assert_eq!(lines, expected, "{told}");
    let words = |row: usize| told["rows"][row]["words"].as_str().unwrap();
    assert!(words(1).contains("no site nowhere"), "{told}");
    assert!(words(2).contains("line 2 has the same serial number"), "{told}");
    assert!(words(3).starts_with("mac: ") && words(4).contains("no profile `garden`"), "{told}");
    assert_eq!(
        told["counts"],
        json!({ "new": 2, "changes": 0, "same": 0, "conflict": 1, "wrong": 3 })
    );
    assert_eq!((&told["separator"], &told["encoding"]), (&json!(";"), &json!("utf8")));
    assert_eq!(told["exposed"], 1, "a password that any new device is given: {told}");
    let own = [("site", "eu"), ("own_credential", "true")];
    assert_eq!(table(&api, "preview", &own, text.as_bytes()).await.1["exposed"], 0);
    assert!(!told.to_string().contains("hunter2"), "{told}");
    assert_eq!(api.get("/api/v1/claims").await["items"], json!([]), "nothing is stored");

    let (status, refused) = table(&api, "import", &[("site", "eu")], text.as_bytes()).await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("line 4: there is no site"), "{refused}");
    assert_eq!(api.get("/api/v1/claims").await["items"], json!([]), "not at all");

    let sha256 = told["sha256"].as_str().unwrap();
    let query = [("site", "eu"), ("skip_wrong", "true"), ("expected", sha256)];
    let (status, done) = table(&api, "import", &query, text.as_bytes()).await;
    assert_eq!((status, &done["counts"]["new"]), (200, &json!(2)), "{done}");
    let first = claim(&api, "S1").await;
    assert_eq!((&first["site"], &first["profile"]), (&json!("eu.lv"), &json!("home")));
    assert_eq!((&first["mac"], &first["state"]), (&json!("E4:8D:8C:00:00:01"), &json!("open")));
    assert_eq!(first["variables"], json!({ "ppp_user": "jānis", "ppp_password": "********" }));
    assert_eq!(claim(&api, "S4").await["site"], "eu");
    // It would do something else by now.
    let (status, stale) = table(&api, "import", &query, text.as_bytes()).await;
    assert_eq!(status, 412, "{stale}");

    let export = api.request("GET", "/api/v1/claims/export").send().await.unwrap();
    let export = export.text().await.unwrap();
    assert!(export.contains("S1,E4:8D:8C:00:00:01") && !export.contains("hunter2"), "{export}");
    let (status, told) = table(&api, "preview", &[], export.as_bytes()).await;
    assert_eq!((status, &told["counts"]["same"]), (200, &json!(2)), "{told}");
    let (_, told) = table(&api, "preview", &[], b"serial,customer\nS1,Andr\xe9\n").await;
    assert_eq!(
        (&told["encoding"], &told["rows"][0]["verdict"]),
        (&json!("latin1"), &json!("changes"))
    );
    assert_eq!(told["rows"][0]["claim"]["customer"], "André");
    assert_eq!(told["rows"][0]["words"], "customer");

    for (bytes, words) in [
        (b"serial,customer\nS1,\xc4\x81\nS2,\xe9\n".to_vec(), "line 3: "),
        (b"serial,colour\nS1,red\n".to_vec(), "line 1: there is no column `colour`"),
        (b"customer\n4711\n".to_vec(), "line 1: there is no column `serial`"),
        (b"serial\nS1\0\n".to_vec(), "line 2: "),
        (Vec::new(), "line 1: the file is empty"),
    ] {
        let (status, problem) = table(&api, "preview", &[], &bytes).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(words), "{problem}");
    }
}

#[tokio::test]
async fn claims_move_with_their_sites_and_are_seen_where_they_are_for() {
    let (_muster, api) = lab("quarantine").await;
    api.make_sites(&["eu", "us"]).await;
    let site = api.make("/api/v1/sites", json!({ "path": "eu.lv" })).await;
    let site_id = site["site_id"].as_str().unwrap().to_owned();
    for (serial, place) in [("A1", Some("eu.lv")), ("A2", Some("us")), ("A3", None)] {
        api.make("/api/v1/claims", json!({ "serial": serial, "site": place })).await;
    }
    let token = json!({ "name": "latvia", "scopes": ["operate"], "site_id": site_id });
    let token = api.make("/api/v1/tokens", token).await;
    let latvia = api.with_token(token["token"].as_str().unwrap());
    let seen = latvia.get("/api/v1/claims").await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
    let path = format!("/api/v1/claims/{}", claim(&api, "A2").await["claim_id"].as_str().unwrap());
    assert_eq!(latvia.call("GET", &path, None).await.0, 404);
    assert_eq!(latvia.call("DELETE", &path, None).await.0, 404);
    for body in [json!({ "serial": "A4" }), json!({ "serial": "A4", "site": "us" })] {
        assert_eq!(latvia.call("POST", "/api/v1/claims", Some(body)).await.0, 403);
    }
    let (_, told) =
        table(&latvia, "preview", &[], b"serial,site\nA4,eu.lv\nA5,us\nA2,eu.lv\n").await;
    let verdicts: Vec<&str> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["new", "wrong", "conflict"], "{told}");

    let moved = json!({ "path": "eu.latvia" });
    let (status, _) = api.call("PATCH", &format!("/api/v1/sites/{site_id}"), Some(moved)).await;
    assert_eq!(status, 200);
    assert_eq!(claim(&api, "A1").await["site"], "eu.latvia");
    let us = api.get("/api/v1/sites?under=us").await["items"][0]["site_id"].clone();
    let us = format!("/api/v1/sites/{}", us.as_str().unwrap());
    let (status, problem) = api.call("DELETE", &us, None).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(api.call("DELETE", &format!("{us}?move_to=eu"), None).await.0, 204);
    assert_eq!(claim(&api, "A2").await["site"], "eu");
}

#[tokio::test]
async fn what_was_chosen_stays_where_the_table_was_forgotten() {
    let (muster, api) = lab("quarantine").await;
    api.make_sites(&["eu"]).await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let part = |disposition: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    };
    let parts = [part("name=\"file\"; filename=\"\"", ""), part("name=\"site\"", "eu")];
    let request = admin
        .ask("POST", "/claims/import/preview")
        .header("origin", format!("http://{}", muster.web))
        .header("content-type", "multipart/form-data; boundary=X")
        .body(parts.concat() + "--X--\r\n");
    let page = admin.fetch(request).await;
    assert_eq!(page.status, 422, "{page:?}");
    assert!(page.body.contains("Choose a file, or paste a table."), "{}", page.body);
    assert!(page.body.contains("name=\"site\" type=\"text\" value=\"eu\""), "{}", page.body);
}
