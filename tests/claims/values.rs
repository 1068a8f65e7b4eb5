//! The values of a claim's variables fit what the template of its profile declares.

use serde_json::{Value, json};

use super::tables::table;
use super::{claim, lab};
use crate::harness::kit::Api;

/// A profile whose template declares a number and a secret.
async fn home(api: &Api) {
    let template = json!({
        "name": "home",
        "body": "/interface/vlan/set [find name=vlan1] vlan-id={{ vlan }}\n",
        "variables": [
            { "name": "vlan", "type": "int", "min": 1, "max": 4094, "required": true },
            { "name": "ppp_password", "type": "secret", "min": 8 },
        ],
    });
    let template = api.made("/api/v1/templates", template, "template_id").await;
    let desired = json!({ "template": { "template_id": template } });
    api.make("/api/v1/profiles", json!({ "name": "home", "desired": desired })).await;
}

#[tokio::test]
async fn a_claim_with_values_that_do_not_fit_is_refused_with_their_names() {
    let (_muster, api) = lab("quarantine").await;
    home(&api).await;
    let claims = "/api/v1/claims";
    let of = |serial: &str, variables: Value| {
        let profile = "home";
        json!({ "serial": serial, "profile": profile, "variables": variables })
    };
    let wrong = of("V1", json!({ "vlan": "many", "ppp_password": "hunter2" }));
    let (status, pointer, why) = api.refused("POST", claims, Some(wrong)).await;
    assert_eq!((status, pointer.as_str()), (422, "/variables"), "{why}");
    assert!(why.contains("`vlan`: a whole number from 1 to 4094"), "{why}");
    assert!(why.contains("`ppp_password`: 8 to") && !why.contains("hunter2"), "{why}");
    // What is missing another layer may say.
    let path = api.make_at(claims, of("V1", json!({ "ppp_password": "hunter22" }))).await;
    let patch = |vlan: Value| json!({ "variables": { "vlan": vlan } });
    assert_eq!(api.refused("PATCH", &path, Some(patch(json!(5000)))).await.0, 422);
    let changed = api.send("PATCH", &path, patch(json!(50))).await;
    assert_eq!(changed["variables"], json!({ "vlan": 50, "ppp_password": "********" }));

    let rows = b"serial,profile,var.vlan\nV2,home,7\nV3,home,many\nV4,,many\n";
    let (status, told) = table(&api, "preview", &[], rows).await;
    assert_eq!(status, 200, "{told}");
    let verdicts: Vec<&Value> =
        told["rows"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["new", "wrong", "new"], "{told}");
    assert!(told["rows"][1]["words"].as_str().unwrap().contains("`vlan`: "), "{told}");
    let (status, done) = table(&api, "import", &[("skip_wrong", "true")], rows).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(claim(&api, "V2").await["variables"]["vlan"], "7");
}
