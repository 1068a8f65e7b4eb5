//! What is taken, what is refused and why, and what a release has then.

use muster_routeros::arch::Arch;
use muster_routeros::version::RosVersion;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{files, package, package_of, release, server, stored, upload, zipped};

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn a_package_makes_its_release_and_is_stored_once() {
    let (muster, api) = server().await;
    let before = files(&muster);
    let bytes = package("routeros", Arch::Arm);
    let (status, told) = upload(&api, Some("RouterOS-7.16.1-arm.npk"), bytes.clone()).await;
    assert_eq!(status, 201, "{told}");
    let item = &told["items"][0];
    assert_eq!((&item["already"], &item["refused"]), (&json!(false), &Value::Null));
    let package = &item["package"];
    for (field, value) in [
        ("version", json!("7.16.1")),
        ("arch", json!("arm")),
        ("name", json!("routeros")),
        ("file_name", json!("routeros-7.16.1-arm.npk")),
        ("size", json!(bytes.len())),
        ("sha256", json!(hash(&bytes))),
        ("built_at", json!("2024-10-07T11:20:00Z")),
    ] {
        assert_eq!(package[field], value, "{field}");
    }
    assert_eq!(files(&muster), before + 1);
    let id = package["package_id"].as_str().unwrap();
    assert_eq!(&api.get(&format!("/api/v1/releases/packages/{id}")).await, package);

    let (status, again) = upload(&api, None, bytes).await;
    assert_eq!((status, &again["items"][0]["already"]), (200, &json!(true)), "{again}");
    assert_eq!(again["items"][0]["package"]["package_id"], id);
    assert_eq!(files(&muster), before + 1);

    // Two that send the same at the same time.
    let client = super::package("tr069-client", Arch::Arm);
    let (one, other) =
        tokio::join!(upload(&api, None, client.clone()), upload(&api, None, client.clone()));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201], "{one:?} {other:?}");
    assert_eq!(files(&muster), before + 2);
    let log = api.get("/api/v1/audit?object_kind=package").await;
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");
}

#[tokio::test]
async fn a_file_that_is_wrong_is_refused_with_the_reason_and_leaves_nothing() {
    let (muster, api) = server().await;
    stored(&api, package("dude", Arch::Arm)).await;
    let before = files(&muster);
    let good = package("container", Arch::Arm);
    let cut = good[..good.len() - 1].to_vec();
    let longer = [good.clone(), vec![0]].concat();
    let other = package_of("dude", RosVersion::release(7, 16, 1), Some(Arch::Arm), 1_001);
    let nameless = package_of("container", RosVersion::release(7, 16, 1), None, 10);
    for (name, bytes, why) in [
        (None, cut, "cut off"),
        (None, longer, "1 bytes follow"),
        (None, b"hello".to_vec(), "not a RouterOS package"),
        (None, Vec::new(), "the body is empty"),
        (Some("calea-7.16.1-arm.npk"), good.clone(), "but it is container-7.16.1-arm.npk"),
        (Some("container-7.16.2-arm.npk"), good.clone(), "but it is container-7.16.1-arm.npk"),
        (Some("container-7.16.1-arm64.npk"), good.clone(), "but it is container-7.16.1-arm.npk"),
        (None, other, "another dude-7.16.1-arm.npk is stored"),
        (None, nameless, "for which architecture"),
    ] {
        let (status, problem) = upload(&api, name, bytes).await;
        assert_eq!(status, 422, "{why}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    assert_eq!(files(&muster), before);
    assert_eq!(release(&api).await["packages"].as_array().unwrap().len(), 1);
    // The same file under no misleading name is taken.
    assert_eq!(upload(&api, Some("download.npk"), good).await.0, 201);
}

#[tokio::test]
async fn each_file_of_a_zip_is_taken_or_refused_by_itself() {
    let (muster, api) = server().await;
    let before = files(&muster);
    let arm = package("routeros", Arch::Arm);
    let client = package("tr069-client", Arch::Arm);
    let all = zipped(&[
        ("all/routeros-7.16.1-arm.npk", &arm),
        ("all/tr069-client-7.16.1-arm.npk", &client),
        ("all/calea-7.16.1-arm.npk", &client[..client.len() - 9]),
        ("../wifi-qcom-7.16.1-arm.npk", &client),
        ("read.me", b"hello"),
    ]);
    let (status, told) = upload(&api, Some("all_packages.zip"), all.clone()).await;
    assert_eq!(status, 201, "{told}");
    let items = told["items"].as_array().unwrap();
    let refused = |file: &str| {
        let item = items.iter().find(|item| item["file"] == file).unwrap();
        item["refused"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(items.len(), 5, "{told}");
    assert_eq!(refused("routeros-7.16.1-arm.npk"), "");
    assert_eq!(refused("tr069-client-7.16.1-arm.npk"), "");
    assert!(refused("calea-7.16.1-arm.npk").contains("cut off"), "{told}");
    assert!(refused("wifi-qcom-7.16.1-arm.npk").contains("it is tr069-client"), "{told}");
    assert!(refused("read.me").contains("only .npk"), "{told}");
    assert_eq!(files(&muster), before + 2);
    assert_eq!(upload(&api, None, all.clone()).await.0, 200, "nothing of it is new");

    for (zip, why) in [
        (zipped(&[("a.npk", b"hello"), ("b.txt", b"x")]), "a.npk: this is not a RouterOS package"),
        (all[..all.len() / 2].to_vec(), "damaged, or cut off"),
    ] {
        let (status, problem) = upload(&api, None, zip).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    assert_eq!(files(&muster), before + 2);
}

#[tokio::test]
async fn a_release_says_how_much_of_it_is_there_and_who_runs_it() {
    let (muster, api) = server().await;
    // A device that runs 7.16.1.
    crate::harness::talk::introduce(muster.cwmp, "RUNS").await;
    for (name, arch) in [
        ("routeros", Arch::Arm),
        ("tr069-client", Arch::Arm),
        ("wifi-qcom", Arch::Arm),
        ("routeros", Arch::Smips),
    ] {
        stored(&api, package(name, arch)).await;
    }
    let newer = package_of("routeros", "7.24rc1".parse().unwrap(), Some(Arch::Arm), 1);
    stored(&api, newer).await;
    let list = api.get("/api/v1/releases").await;
    let versions: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|r| r["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["7.24rc1", "7.16.1"]);
    let page = api.get("/api/v1/releases?limit=1").await;
    assert_eq!(page["next"], "7.24rc1");
    let rest = api.get("/api/v1/releases?before=7.24rc1").await;
    assert_eq!(rest["items"][0]["version"], "7.16.1");
    assert_eq!(api.call("GET", "/api/v1/releases?before=new", None).await.0, 422);

    let release = release(&api).await;
    assert_eq!(release["devices"], 1, "{release}");
    let [arm, smips] = release["completeness"].as_array().unwrap().as_slice() else {
        panic!("{release}")
    };
    assert_eq!(arm["have"], json!(["routeros", "tr069-client", "wifi-qcom"]));
    assert_eq!((&arm["arch"], &arm["usable"]), (&json!("arm"), &json!(true)));
    let missing = arm["missing"].as_array().unwrap();
    assert!(missing.iter().any(|m| m["file_name"] == "container-7.16.1-arm.npk"), "{arm}");
    assert_eq!((&smips["arch"], &smips["usable"]), (&json!("smips"), &json!(false)));
    assert_eq!(smips["missing"][0]["name"], "tr069-client");
    assert_eq!(smips["missing"][0]["required"], true);
    assert_eq!(api.call("GET", "/api/v1/releases/7.9", None).await.0, 404);
    assert_eq!(api.call("GET", "/api/v1/releases/7.16.1.0", None).await.0, 404);
}
