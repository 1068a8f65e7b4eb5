#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;

const BAD: Uuid = Uuid::from_u128(1);
const GOOD: Uuid = Uuid::from_u128(2);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn host(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

#[test]
fn an_address_is_blocked_for_the_rest_of_its_window_and_a_good_token_never() {
    let tokens = Tokens::default();
    let address = host(1);
    tokens.right(GOOD);
    for n in 1..=20 {
        assert_eq!(tokens.blocked(&address, &BAD, at(10)), None);
        assert_eq!(tokens.wrong(address, &BAD, at(10)), n == 20);
    }
    assert_eq!(tokens.blocked(&address, &BAD, at(20)), Some(51));
    assert_eq!(tokens.blocked(&address, &GOOD, at(20)), None);
    assert_eq!(tokens.blocked(&host(2), &BAD, at(20)), None);
    assert_eq!(tokens.blocked(&address, &BAD, at(70)), None);
    assert!(!tokens.wrong(address, &BAD, at(70)), "a new window");
}

#[test]
fn a_host_does_not_escape_by_changing_its_ipv6_address() {
    let near = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | n));
    assert_eq!(network(near(1)), network(near(0xffff)));
    assert_ne!(network(near(1)), network(near(1 << 64)));
    assert_eq!(prefix(near(1)), prefix(near(0xffff << 64)));
    assert_ne!(prefix(near(1)), prefix(near(1 << 80)));
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!((network(mapped), prefix(mapped)), (host(1), None));
}

#[test]
fn guessing_at_one_login_takes_longer_and_longer() {
    let logins = Logins::default();
    let mut now = at(0);
    let mut waits = Vec::new();
    for n in 0..14_u8 {
        // From another address each time.
        if let Err(seconds) = logins.attempt("Ann", host(n), None, now) {
            waits.push(seconds);
            now += TimeDelta::seconds(seconds.into());
            logins.attempt("ann", host(n), None, now).unwrap();
        }
    }
    assert_eq!(waits, [3, 5, 9, 17, 33, 65, 129, 257], "2, 4, 8 ... seconds, rounded up");
    assert!(logins.attempt("bob", host(1), None, now).is_ok());
}

#[test]
fn a_browser_that_is_known_is_held_back_by_its_own_mistakes_alone() {
    let logins = Logins::default();
    let (home, other) = (Uuid::from_u128(3), Uuid::from_u128(4));
    while logins.attempt("ann", host(1), None, at(0)).is_ok() {}
    for n in 0..50 {
        let _ = logins.attempt(&format!("u{n}"), host(1), None, at(0));
    }
    assert!(logins.attempt("bob", host(1), None, at(0)).is_err(), "the address is held back");
    for _ in 0..6 {
        assert!(logins.attempt("ann", host(1), Some(home), at(0)).is_ok());
    }
    assert_eq!(logins.attempt("ann", host(1), Some(home), at(0)), Err(3));
    assert!(logins.attempt("ann", host(1), Some(other), at(0)).is_ok());
    assert!(logins.attempt("ann", host(2), None, at(0)).is_err(), "others are, as before");
    assert!(logins.attempt("ann", host(1), Some(home), at(3)).is_ok());
    logins.proved("ann", host(1), Some(home));
    assert!(logins.attempt("ann", host(1), Some(home), at(3)).is_ok(), "forgotten");
}

#[test]
fn one_address_cannot_try_all_logins() {
    let logins = Logins::default();
    let tried = |from: IpAddr| {
        let names = (0..100).map(|n| format!("u{n} {from}"));
        names.filter(|login| logins.attempt(login, from, None, at(0)).is_ok()).count()
    };
    assert_eq!(tried(host(1)), 31);
    assert!(logins.attempt("u", host(1), None, at(3600)).is_ok(), "a new window");
    let net = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (n << 64)));
    let all: Vec<usize> = (0..5).map(|n| tried(net(n))).collect();
    assert_eq!(all, [31, 31, 31, 28, 0], "of one /48");
    assert_eq!(tried(net(1 << 16)), 31);
}

#[test]
fn what_is_refused_by_login_or_was_right_does_not_count_for_the_address() {
    let logins = Logins::default();
    while logins.attempt("ann", host(1), None, at(0)).is_ok() {}
    for _ in 0..100 {
        assert!(logins.attempt("ann", host(1), None, at(0)).is_err());
        assert!(logins.attempt("bob", host(1), None, at(0)).is_ok());
        logins.proved("bob", host(1), None);
    }
}

#[test]
fn codes_are_few_and_a_challenge_is_void_before_the_next() {
    let codes = Attempts::default().codes;
    let mut now = at(0);
    for _ in 0..4 {
        codes.attempt(GOOD, now).unwrap();
    }
    now += TimeDelta::minutes(15);
    for _ in 0..5 {
        codes.attempt(GOOD, now).unwrap();
    }
    let mut waits = Vec::new();
    while waits.len() < 6 {
        let seconds = codes.attempt(GOOD, now).unwrap_err();
        waits.push(seconds / 60);
        now += TimeDelta::seconds(seconds.into());
        codes.attempt(GOOD, now).unwrap();
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    assert!(codes.blocked(&GOOD, now).is_some() && codes.blocked(&BAD, now).is_none());
    codes.forget(&GOOD);
    assert!(codes.blocked(&GOOD, now).is_none());
}

#[test]
fn the_maps_are_bounded_and_a_flood_frees_nobody() {
    let tokens = Tokens::default();
    let logins = Logins::default();
    while logins.attempt("ann", host(1), None, at(0)).is_ok() {}
    for n in 0..u32::try_from(MAX).unwrap() + 5 {
        let from = IpAddr::from(n.to_be_bytes());
        tokens.wrong(from, &BAD, at(0));
        tokens.right(Uuid::from_u128(n.into()));
        logins.attempt(&format!("u{n}"), from, None, at(1)).unwrap();
    }
    assert_eq!(tokens.by_address.lock().len(), MAX);
    assert!(tokens.good().len() <= MAX);
    assert_eq!(logins.by_login.lock().len(), MAX);
    assert!(logins.attempt("ann", host(2), None, at(1)).is_err());
}

#[test]
fn what_strangers_do_is_told_once_a_minute() {
    let strangers = Tally::default();
    assert_eq!(strangers.tell(at(0)), Some(1));
    for _ in 0..100 {
        assert_eq!(strangers.tell(at(59)), None);
    }
    assert_eq!(strangers.tell(at(60)), Some(101));
    assert_eq!(strangers.tell(at(61)), None);
}
