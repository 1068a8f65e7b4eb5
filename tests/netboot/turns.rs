//! What two benches settle in the database: turns that end before their time, and boards that both write.
//! No wire is needed.

use chrono::Utc;
use muster::store::bench::{TURN, end_turn, lock_boards, take_turn};
use uuid::Uuid;

use crate::harness::kit::server;

#[tokio::test]
async fn a_bench_that_gives_its_turn_back_leaves_the_board_to_another() {
    let (muster, _) = server().await;
    let (pool, now, mac) = (&muster.pool, Utc::now(), "02:4D:42:00:01:00");
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let take =
        async |bench_id: Uuid| take_turn(pool, mac, bench_id, now, now + TURN).await.unwrap();
    assert!(take(one).await);
    // That of another bench is not its to give.
    end_turn(pool, mac, other).await.unwrap();
    assert!(!take(other).await);
    end_turn(pool, mac, one).await.unwrap();
    assert!(take(other).await);
    assert!(!take(one).await);
}

#[tokio::test]
async fn two_benches_that_write_the_same_boards_do_not_wait_for_each_other() {
    let (muster, _) = server().await;
    let macs: Vec<String> = (0..40).map(|n| format!("02:4D:42:00:02:{n:02X}")).collect();
    let back: Vec<String> = macs.iter().rev().cloned().collect();
    let write = async |macs: &[String]| {
        for _ in 0..50 {
            let mut tx = muster.pool.begin().await.unwrap();
            lock_boards(&mut tx, macs).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(write(&macs), write(&back));
}
