//! The same by the dashboard and the command line.

use muster_routeros::arch::Arch;
use serde_json::json;

use super::{package, release, server};
use crate::harness::Muster;
use crate::harness::browser::Browser;
use crate::harness::cli;
use crate::harness::session::{ADMIN, Page, Session};

/// Sends files as the form of the dashboard does.
async fn send(admin: &mut Session, muster: &Muster, files: &[(&str, &[u8])], part: bool) -> Page {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = "Content-Disposition: form-data; name=\"file\"";
        body.extend(format!("--X\r\n{head}; filename=\"{name}\"\r\n\r\n").into_bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--X--\r\n");
    let mut request = admin
        .ask("POST", "/releases")
        .header("origin", format!("http://{}", muster.web))
        .header("content-type", "multipart/form-data; boundary=X")
        .body(body);
    if part {
        request = request.header("hx-request", "true");
    }
    admin.fetch(request).await
}

#[tokio::test]
async fn the_dashboard_takes_many_files_and_shows_what_became_of_each() {
    let (muster, api) = server().await;
    let mut admin = Session::opened(&muster, ADMIN).await;
    let none = admin.get("/releases").await;
    assert!(none.body.contains("No release yet"), "{}", none.body);
    let (arm, client) = (package("routeros", Arch::Arm), package("tr069-client", Arch::Arm));
    let files = [
        ("routeros-7.16.1-arm.npk", arm.as_slice()),
        ("tr069-client-7.16.1-arm.npk", client.as_slice()),
        ("<script>alert(1).npk", b"hello".as_slice()),
    ];
    let page = send(&mut admin, &muster, &files, false).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("not a RouterOS package"), "{}", page.body);
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    assert!(page.body.contains("routeros, tr069-client"), "{}", page.body);
    let part = send(&mut admin, &muster, &files[..1], true).await;
    assert_eq!(part.status, 200, "{}", part.body);
    assert!(part.body.contains("was stored before") && !part.body.contains("<html"), "{part:?}");
    for files in [&[][..], &files[2..]] {
        assert_eq!(send(&mut admin, &muster, files, false).await.status, 422);
    }

    let own = admin.get("/releases/7.16.1").await;
    assert!(own.body.contains("RouterOS 7.16.1"), "{}", own.body);
    let seen = own.input("version");
    let notes = [("version", seen.as_str()), ("notes", "for the north")];
    assert_eq!(admin.post("/releases/7.16.1", &notes).await.status, 303);
    assert_eq!(admin.post("/releases/7.16.1", &notes).await.status, 422, "it has changed");
    let seen = admin.get("/releases/7.16.1").await.input("version");
    let empty = [("version", seen.as_str()), ("reason", " ")];
    assert_eq!(admin.post("/releases/7.16.1/withdraw", &empty).await.status, 422);
    let reason = [("version", seen.as_str()), ("reason", "it loops")];
    assert_eq!(admin.post("/releases/7.16.1/withdraw", &reason).await.status, 303);
    let found = release(&api).await;
    assert_eq!(
        (&found["notes"], &found["withdrawn"]),
        (&json!("for the north"), &json!("it loops"))
    );
    assert!(admin.get("/releases/7.16.1").await.body.contains("it loops"));
    assert_eq!(admin.post("/releases/7.16.1/restore", &[]).await.status, 303);
    let id = found["packages"][0]["package_id"].as_str().unwrap();
    let gone = admin.post(&format!("/releases/packages/{id}/delete"), &[]).await;
    assert_eq!((gone.status, gone.location()), (303, "/releases/7.16.1"));
    assert_eq!(release(&api).await["packages"].as_array().unwrap().len(), 1);
    let typed = [("confirm", "7.16")];
    assert_eq!(admin.post("/releases/7.16.1/delete", &typed).await.status, 422);
    let typed = [("confirm", "7.16.1")];
    assert_eq!(admin.post("/releases/7.16.1/delete", &typed).await.location(), "/releases");
    assert_eq!(admin.get("/releases/7.16.1").await.status, 404);
}

#[tokio::test]
async fn a_browser_sends_files_that_are_chosen_or_dropped_one_by_one() {
    let (muster, _api) = server().await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let arm = file("routeros-7.16.1-arm.npk", &package("routeros", Arch::Arm));
    let wrong = file("dude-7.16.1-arm.npk", b"hello");
    let browser = Browser::start(muster.web).await;
    browser.enter_as(&Session::opened(&muster, ADMIN).await).await;
    browser.open("/releases").await;
    browser.type_in("#file", &format!("{arm}\n{wrong}")).await;
    browser.press("Upload").await;
    browser.sees("form li", "routeros 7.16.1 for arm").await;
    browser.sees("form li", "not a RouterOS package").await;
    browser.sees("#releases", "7.16.1").await;
    let dropped = "const all = new DataTransfer();
        all.items.add(new File(['hello'], 'dropped.npk'));
        const drop = new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: all });
        document.querySelector('form[data-send]').dispatchEvent(drop);";
    browser.run(dropped).await;
    browser.sees("form li", "dropped.npk").await;
    browser.until("it was sent", "return !document.querySelector('form progress')").await;
    assert_eq!(browser.complaints().await, [""; 0]);
    browser.close().await;
}

/// Runs a command as an admin; it must end with this code. Gives both its outputs.
async fn run(muster: &mut Muster, args: &[&str], code: i32) -> String {
    let said = cli::run(muster, args, code).await;
    said.out + &said.err
}

#[tokio::test]
async fn the_command_line_uploads_shows_and_removes() {
    let (mut m, _api) = server().await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let arm = file("routeros-7.16.1-arm.npk", &package("routeros", Arch::Arm));
    let client = file("tr069-client-7.16.1-arm.npk", &package("tr069-client", Arch::Arm));
    let wrong = file("dude-7.16.1-arm.npk", b"hello");
    let said = run(&mut m, &["releases", "upload", &arm, &wrong, &client], 1).await;
    assert!(said.contains("routeros-7.16.1-arm.npk is stored"), "{said}");
    assert!(
        said.contains("tr069-client-7.16.1-arm.npk is stored"),
        "after one that is not: {said}"
    );
    assert!(said.contains("not a RouterOS package") && said.contains("1 files are not taken"));
    let again = run(&mut m, &["releases", "upload", &arm], 0).await;
    assert!(again.contains("was there"), "{again}");
    let list = run(&mut m, &["releases", "list"], 0).await;
    assert!(list.contains("7.16.1") && list.contains("arm"), "{list}");
    let one = run(&mut m, &["releases", "get", "7.16.1"], 0).await;
    assert!(one.contains("arm: routeros, tr069-client; missing: "), "{one}");
    run(&mut m, &["releases", "note", "7.16.1", "for the north"], 0).await;
    let why = ["releases", "withdraw", "7.16.1", "--reason", "it loops"];
    assert!(run(&mut m, &why, 0).await.contains("it loops"));
    run(&mut m, &["releases", "restore", "7.16.1"], 0).await;
    let one = ["releases", "delete", "7.16.1", "--package", "tr069-client-7.16.1-arm.npk"];
    run(&mut m, &one, 0).await;
    run(&mut m, &one, 1).await;
    run(&mut m, &["releases", "path", "NOBODY", "7.16.1"], 1).await;
    run(&mut m, &["releases", "delete", "7.16.1"], 0).await;
    run(&mut m, &["releases", "get", "7.16.1"], 1).await;
}
