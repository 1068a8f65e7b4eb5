//! The support view by a role that allows a few values and no others.

use serde_json::json;

use crate::harness::kit::{Lab, device_path};
use crate::harness::session::Session;

#[tokio::test]
async fn an_agent_gives_only_what_the_role_allows() {
    let lab = Lab::start().await;
    let names = json!(["Home", "Guest"]);
    let policy =
        json!({ "wifi_names": names, "min_wifi_password": 12, "ping_hosts": ["192.0.2.1"] });
    let role = json!({ "name": "first line", "rights": ["support"], "support": policy });
    let (status, role) = lab.api.call("POST", "/api/v1/roles", Some(role)).await;
    assert_eq!((status, &role["support"]["wifi_names"]), (201, &names), "{role}");
    let user = json!({ "login": "sue", "grants": [{ "role_id": role["role_id"] }] });
    assert_eq!(lab.api.call("POST", "/api/v1/users", Some(user)).await.0, 201);
    let mut sue = Session::opened(&lab.muster, "sue").await;

    let path = format!("{}/support", device_path(&lab.serial));
    let view = lab.api.get(&path).await;
    let network = &view["networks"][0];
    assert_eq!(network["allowed_names"], json!([]), "a token has no role: {view}");
    let network = network["network"].as_str().unwrap();
    let own = format!("/support/{}", view["device_id"].as_str().unwrap());
    let page = sue.get(&format!("{own}?edit={network}")).await.body;
    assert!(page.contains("<option value=\"Guest\">"), "{page}");
    assert!(page.contains("12 characters at least"), "{page}");
    assert!(page.contains("<option value=\"192.0.2.1\" selected>"), "{page}");
    let page = sue.post(&format!("{own}/wifi"), &[("network", network), ("suggest", "yes")]).await;
    let empty = "name=\"password\" type=\"text\" value=\"\"";
    assert!(page.status == 200 && !page.body.contains(empty), "{}", page.body);

    let named = |name| [("network", network), ("name", name), ("password", "")];
    let secret = |password| [("network", network), ("name", ""), ("password", password)];
    for (action, fields, why) in [
        ("wifi", &named("Free for all")[..], "your role allows: Home, Guest"),
        ("wifi", &secret("eleven char"), "12 to 63 letters"),
        ("ping", &[("host", "192.0.2.2")][..], "your role allows: 192.0.2.1"),
    ] {
        let page = sue.post(&format!("{own}/{action}"), fields).await;
        assert!(page.status == 422 && page.body.contains(why), "{why}: {}", page.body);
    }
    let view = lab.api.get(&path).await;
    let errands = view["errands"].as_array().unwrap();
    assert!(errands.iter().all(|errand| errand["what"] == "look"), "nothing was done: {view}");
    for (action, fields) in [("wifi", &named("Guest")[..]), ("ping", &[("host", "192.0.2.1")][..])]
    {
        let page = sue.post(&format!("{own}/{action}"), fields).await;
        assert_eq!(page.status, 303, "{action}: {}", page.body);
    }
    let view = lab.api.get(&path).await;
    let what = |word: &str| view["errands"].as_array().unwrap().iter().any(|e| e["what"] == word);
    assert!(what("wifi") && what("ping"), "{view}");
}
