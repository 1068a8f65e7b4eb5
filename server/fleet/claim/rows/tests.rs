#![expect(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;
use crate::access::grant::Place;
use crate::fleet::claim::csv::read;

fn stored(id: u128, taken: bool, fields: Value) -> Stored {
    let fields: ClaimFields = serde_json::from_value(fields).unwrap();
    Stored { claim_id: Uuid::from_u128(id), taken, fields: fields.checked().unwrap() }
}

fn known(may: Reach) -> Known {
    Known {
        claims: vec![
            stored(1, false, json!({ "serial": "a1", "site": "eu", "customer": "7" })),
            stored(2, true, json!({ "serial": "A2", "site": "eu" })),
            stored(3, false, json!({ "mac": "E4:8D:8C:00:00:03", "site": "eu" })),
            stored(4, false, json!({ "serial": "A4", "mac": "E4:8D:8C:00:00:04", "site": "us" })),
        ],
        sites: ["eu", "eu.lv", "us"].map(str::to_owned).into(),
        profiles: ["home".to_owned()].into(),
        in_fleet: ["OLD".to_owned()].into(),
        may,
        declared: HashMap::from([("home".to_owned(), declared())]),
        own_credential: false,
    }
}

/// Of the template of the profile `home`.
fn declared() -> Vec<Variable> {
    let declared = json!([{ "name": "vlan", "type": "int", "max": 4094 },
                          { "name": "wifi_password", "type": "secret", "min": 8 }]);
    serde_json::from_value(declared).unwrap()
}

fn planned(text: &str, may: Reach) -> Vec<Planned> {
    let defaults = Defaults { site: Some("eu".to_owned()), ..Defaults::default() };
    plan(lines(read(text.as_bytes()).unwrap(), &defaults), &known(may))
}

#[test]
fn each_line_is_told_what_it_would_do() {
    use Verdict::{Changes, Conflict, New, Same, Wrong};
    for (line, verdict, words) in [
        ("N1,,,", New, ""),
        ("OLD,,,", New, "in already"),
        ("A1,,,", Same, ""),
        ("A1,,,8", Changes, "customer"),
        ("A1,,eu.lv,8", Changes, "site, customer"),
        ("A2,,,", Same, ""),
        ("A2,,,9", Conflict, "a device has taken the claim"),
        ("N2,e48d8c000003,,", Changes, "serial"),
        ("A1,e48d8c000003,,", Conflict, "in another"),
        ("N3,e48d8c000004,us,", Conflict, "another serial number"),
        ("N4,,asia,", Wrong, "there is no site asia"),
        ("N4,,e-u,", Wrong, "site: "),
        (",12,,", Wrong, "mac: "),
        (",,eu,", Wrong, "serial: a claim has a serial number"),
    ] {
        let text = format!("serial,mac,site,customer\n{line}\n");
        let planned = planned(&text, Reach::Everywhere).pop().unwrap();
        let said = planned.words.unwrap_or_default();
        assert_eq!((planned.verdict, planned.line), (verdict, 2), "{line}: {said}");
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{line}: {said}");
    }
}

#[test]
fn a_device_stands_in_a_table_once() {
    let text = "serial,mac\nN1,e48d8c0000aa\nn1,\nN2,E4-8D-8C-00-00-AA\nN3,\n";
    let verdicts: Vec<Verdict> =
        planned(text, Reach::Everywhere).iter().map(|line| line.verdict).collect();
    use Verdict::{Conflict, New};
    assert_eq!(verdicts, [New, Conflict, Conflict, New]);
}

#[test]
fn two_lines_about_one_stored_claim_are_a_conflict() {
    let text = "serial,mac,site,customer\nA4,,us,7\n,e48d8c000004,us,8\n";
    let planned = planned(text, Reach::Everywhere);
    let verdicts = [Verdict::Changes, Verdict::Conflict];
    assert_eq!([planned[0].verdict, planned[1].verdict], verdicts, "{planned:?}");
    assert_eq!(planned[1].words.as_deref(), Some("line 2 is about the same claim"));
}

#[test]
fn nobody_claims_where_they_may_not() {
    let may = Reach::at(Place::Site("eu".parse().unwrap()));
    let text = "serial,site\nN1,eu.lv\nN2,us\nA4,eu\nN3,asia\n";
    let told: Vec<(Verdict, String)> = planned(text, may)
        .into_iter()
        .map(|line| (line.verdict, line.words.unwrap_or_default()))
        .collect();
    assert_eq!(told[0].0, Verdict::New);
    assert!(told[1].1.contains("you may not claim devices for us"), "{told:?}");
    assert!(told[2].0 == Verdict::Conflict && told[2].1.contains("may not change"), "{told:?}");
    assert!(told[3].1.contains("you may not"), "what is not seen is not told: {told:?}");
}

#[test]
fn values_fit_the_template_of_the_profile_or_the_line_is_wrong() {
    let mut known = known(Reach::Everywhere);
    let had = json!({ "serial": "A5", "profile": "home",
                      "variables": { "vlan": "many", "wifi_password": "short" } });
    known.claims.push(stored(5, false, had));
    let of = |line: &str| {
        let text = format!("serial,profile,customer,var.vlan,var.wifi_password\n{line}\n");
        let lines = lines(read(text.as_bytes()).unwrap(), &Defaults::default());
        plan(lines, &known).pop().unwrap()
    };
    use Verdict::{Changes, New, Wrong};
    for (line, verdict, words) in [
        ("N1,home,,7,hunter22", New, ""),
        ("N1,,,many,", New, ""),
        ("N1,home,,5000,hunter2", Wrong, "variables: `vlan`: a whole number up to 4094; `wifi_"),
        // It was so before, and the line says nothing of it.
        ("A5,,8,,", Changes, "customer"),
        // A secret that stays is not looked at.
        ("A5,,,8,", Changes, "variables"),
        ("A5,,,8,hunter2", Wrong, "variables: `wifi_password`: 8 to"),
    ] {
        let planned = of(line);
        let said = planned.words.unwrap_or_default();
        assert!(planned.verdict == verdict && said.starts_with(words), "{line}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_new_claim_wants_a_credential_of_its_own_where_nothing_else_is_said() {
    let known = Known { own_credential: true, ..known(Reach::Everywhere) };
    let text = "serial,customer,own_credential\nN1,,\nN2,,no\nA1,8,\n";
    let planned = plan(lines(read(text.as_bytes()).unwrap(), &Defaults::default()), &known);
    let own: Vec<bool> = planned.iter().map(|line| line.fields.own_credential).collect();
    assert_eq!(own, [true, false, false], "what is claimed already stays as it is");
}

#[test]
fn a_number_that_was_exported_is_still_that_number() {
    let had: ClaimFields =
        serde_json::from_value(json!({ "serial": "A", "variables": { "vlan": 7 } })).unwrap();
    let said = |vlan: &str| {
        let text = format!("serial,var.vlan\nA,{vlan}\n");
        let line = lines(read(text.as_bytes()).unwrap(), &Defaults::default()).pop().unwrap();
        line.said.unwrap().onto(had.clone())
    };
    assert_eq!(said("7"), had);
    assert_eq!(json!(said("8").variables), json!({ "vlan": "8" }));
}

#[test]
fn cells_mean_what_they_say() {
    let text = "serial;tags;own credential;var.ppp_user;var.ppp_password;password\n\
                N1;pilot, tower|b;YES;'=a;'=b;********\n\
                N2;;maybe;;;\n\
                N3;;;;********;p'q\n";
    let planned = planned(text, Reach::Everywhere);
    let first = &planned[0].fields;
    assert_eq!(first.tags, ["b", "pilot", "tower"]);
    assert!(first.own_credential && first.factory_password.is_none());
    assert_eq!(json!(first.variables), json!({ "ppp_user": "=a", "ppp_password": "'=b" }));
    assert_eq!(planned[1].verdict, Verdict::Wrong);
    let third = &planned[2].fields;
    assert_eq!((third.variables.0.len(), third.factory_password.as_deref()), (0, Some("p'q")));
}
