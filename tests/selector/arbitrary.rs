//! Any device and any selector, of few enough values that they meet.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use muster::fleet::selector::{
    Expr, Flag, Glob, Number, Order, ParameterPath, ParameterTest, SiteTest, Test, TextField,
    TextTest, TimeField, TimeTest, VersionTest, VersionValue, View,
};
use muster::fleet::site::SitePath;
use muster_routeros::version::RosVersion;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

static TEXTS: [&str; 11] =
    ["", "a", "A", "hAP ac^2", "HAP AC", "50%_x", "50\\x", "Šķūnis", "šķūnis", "x*y", "a, b"];
static PATTERNS: [&str; 14] = [
    "*", "?", "", "h*", "*AC*", "50\\*", "50%*", "50\\\\*", "?_*", "šķ*", "Š*", "*\\**", "7.1*",
    "*2*",
];
pub(super) static VERSIONS: [&str; 9] =
    ["7.16", "7.15.3 (stable)", "6.49.10", "6.49.9", "7.24rc1", "7.24beta1", "v1.2-x", "", "7"];
static SITES: [&str; 5] = ["eu", "eu.lv", "eu.lv.riga", "eu.lv.rig", "us"];
static TAGS: [&str; 5] = ["pilot", "Pilot", "canary", "a_b", "50%"];
static EVENTS: [&str; 4] = ["0 BOOTSTRAP", "1 BOOT", "2 PERIODIC", "M Download"];
static ADDRESSES: [&str; 5] = ["10.1.2.3", "10.1.3.3", "192.0.2.1", "2001:db8::1", "2001:db9::1"];
static NETWORKS: [&str; 5] = ["10.0.0.0/8", "10.1.2.0/24", "192.0.2.1/32", "2001:db8::/32", "::/0"];
static AGES: [i64; 8] = [0, 1, 899, 900, 901, 3_600, 86_400, 1_000_000];
static PATHS: [&str; 4] =
    ["Device.A.Name", "Device.A.Number", "Device.DeviceInfo.UpTime", "Device.No.Such"];
static VALUES: [&str; 10] =
    ["", "guest", "GUEST", "5", "-5", "5.50", "10", "007", "1e3", "99999999999999999999"];

pub(super) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub(super) fn online_since() -> DateTime<Utc> {
    now() - TimeDelta::seconds(900)
}

fn text(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(of).prop_map(str::to_owned)
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(of, 0..=2).prop_map(|list| list.into_iter().map(str::to_owned).collect())
}

fn groups() -> Vec<Uuid> {
    [1, 2, 3].map(Uuid::from_u128).to_vec()
}

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    select(&AGES[..]).prop_map(|age| now() - TimeDelta::seconds(age))
}

pub(super) fn any_view() -> impl Strategy<Value = View> {
    let maybe = || option::of(text(&TEXTS));
    let facts = (text(&TEXTS), text(&TEXTS), maybe(), maybe(), maybe(), maybe(), maybe());
    let known =
        (option::of(text(&VERSIONS)), text(&["none", "enrolment", "device", "certificate"]));
    let claimed = (maybe(), any::<bool>());
    let place = (
        option::of(select(&SITES[..])),
        some(&TAGS),
        subsequence(groups(), 0..=2),
        some(&EVENTS),
        select(&ADDRESSES[..]),
    );
    let maybe_time = || option::of(any_time());
    let times = (any_time(), any_time(), maybe_time(), maybe_time(), maybe_time());
    let parameters = prop::collection::btree_map(text(&PATHS[..3]), text(&VALUES), 0..4);
    (facts, known, claimed, place, times, parameters).prop_map(
        |(facts, known, claimed, place, times, parameters)| View {
            serial: facts.0,
            oui: "E48D8C".to_owned(),
            manufacturer: "MikroTik".to_owned(),
            product_class: facts.1,
            model: facts.2,
            arch: facts.3,
            identity: facts.4,
            hardware_version: facts.5,
            provisioning_code: facts.6,
            software_version: known.0,
            auth: known.1,
            customer: claimed.0,
            quarantined: claimed.1,
            site: place.0.map(|site| site.parse().unwrap()),
            tags: place.1,
            groups: place.2.into_iter().collect::<BTreeSet<Uuid>>(),
            events: place.3,
            address: place.4.parse().unwrap(),
            online: times.1 >= online_since(),
            first_inform: times.0,
            last_inform: times.1,
            last_boot: times.2,
            last_bootstrap: times.3,
            refreshed_at: times.4,
            parameters,
        },
    )
}

fn any_order() -> impl Strategy<Value = Order> {
    select(vec![Order::Less, Order::LessOrEqual, Order::Greater, Order::GreaterOrEqual])
}

fn any_glob() -> impl Strategy<Value = Glob> {
    select(&PATTERNS[..]).prop_map(Glob::new)
}

fn text_test(of: &'static [&'static str]) -> impl Strategy<Value = TextTest> {
    prop_oneof![
        Just(TextTest::Known),
        some(of).prop_map(TextTest::OneOf),
        any_glob().prop_map(TextTest::Like),
    ]
}

fn version_test() -> impl Strategy<Value = VersionTest> {
    let value = |text: String| match text.parse() {
        Ok(version) => VersionValue::RouterOs(version),
        Err(_) => VersionValue::Other(text),
    };
    let version = select(vec!["7.16", "7.15.3", "6.49.10", "7.24rc1", "7", "7.24"])
        .prop_map(|text| text.parse::<RosVersion>().unwrap());
    prop_oneof![
        Just(VersionTest::Known),
        some(&VERSIONS)
            .prop_map(move |list| VersionTest::OneOf(list.into_iter().map(value).collect())),
        (any_order(), version).prop_map(|(order, than)| VersionTest::Compare(order, than)),
        any_glob().prop_map(VersionTest::Like),
    ]
}

fn site_test() -> impl Strategy<Value = SiteTest> {
    let path = |text: String| -> SitePath { text.parse().unwrap() };
    prop_oneof![
        Just(SiteTest::Known),
        some(&SITES).prop_map(move |list| SiteTest::OneOf(list.into_iter().map(path).collect())),
        text(&SITES).prop_map(move |text| SiteTest::Under(path(text))),
        any_glob().prop_map(SiteTest::Like),
    ]
}

fn time_test() -> impl Strategy<Value = TimeTest> {
    let age = || select(&AGES[..]).prop_map(TimeDelta::seconds);
    prop_oneof![
        Just(TimeTest::Known),
        age().prop_map(TimeTest::Older),
        age().prop_map(TimeTest::Newer),
    ]
}

fn parameter_test() -> impl Strategy<Value = ParameterTest> {
    let number = select(vec!["5", "5.5", "-5", "7", "10.000000001", "0"])
        .prop_map(|text| Number::new(text).unwrap());
    prop_oneof![
        Just(ParameterTest::Known),
        some(&VALUES).prop_map(ParameterTest::OneOf),
        any_glob().prop_map(ParameterTest::Like),
        (any_order(), number).prop_map(|(order, than)| ParameterTest::Compare(order, than)),
    ]
}

fn any_test() -> impl Strategy<Value = Test> {
    let field = select(vec![
        TextField::Serial,
        TextField::Class,
        TextField::Model,
        TextField::Arch,
        TextField::Identity,
        TextField::Hardware,
        TextField::Code,
        TextField::Customer,
    ]);
    let time = select(vec![
        TimeField::FirstInform,
        TimeField::LastInform,
        TimeField::LastBoot,
        TimeField::LastBootstrap,
        TimeField::Refreshed,
    ]);
    let path = select(&PATHS[..]).prop_map(|path| ParameterPath::new(path).unwrap());
    let networks = subsequence(&NETWORKS[..], 0..=2)
        .prop_map(|list| list.into_iter().map(|net| net.parse().unwrap()).collect::<Vec<IpNet>>());
    prop_oneof![
        4 => (field, text_test(&TEXTS)).prop_map(|(field, test)| Test::Text(field, test)),
        2 => version_test().prop_map(Test::Version),
        2 => site_test().prop_map(Test::Site),
        2 => text_test(&TAGS).prop_map(Test::Tag),
        1 => text_test(&EVENTS).prop_map(Test::Event),
        1 => networks.prop_map(Test::Address),
        1 => select(groups()).prop_map(Test::Member),
        1 => select(vec![Flag::Online, Flag::Enrolled, Flag::Quarantined]).prop_map(Test::Flag),
        2 => (time, time_test()).prop_map(|(field, test)| Test::Time(field, test)),
        3 => (path, parameter_test()).prop_map(|(path, test)| Test::Parameter(path, test)),
    ]
}

pub(super) fn any_expr() -> impl Strategy<Value = Expr> {
    any_test().prop_map(Expr::Test).prop_recursive(4, 16, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            parts().prop_map(Expr::All),
            parts().prop_map(Expr::Any),
            inner.clone().prop_map(Expr::negated),
        ]
    })
}
