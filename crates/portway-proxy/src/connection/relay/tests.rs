use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const IDLE: Duration = Duration::from_secs(10);
const SILENCE: Silence = Silence { open: IDLE, half_closed: Duration::from_secs(1) };

fn scratch() -> RefCell<Box<[u8]>> {
    RefCell::new(vec![0; 1024].into())
}

/// Runs a relay between two pipes that hold 64 bytes each; `peers` get the far ends.
async fn with_relay<F>(peers: impl FnOnce(DuplexStream, DuplexStream) -> F) -> (End, Counts)
where
    F: Future<Output = ()>,
{
    let (client, mut near_client) = duplex(64);
    let (upstream, mut near_upstream) = duplex(64);
    let (scratch, counts) = (scratch(), Counts::default());
    let relayed = async {
        let end = relay(&mut near_client, &mut near_upstream, SILENCE, &scratch, &counts).await;
        drop((near_client, near_upstream));
        end
    };
    let (end, ()) = tokio::join!(relayed, peers(client, upstream));
    (end, counts)
}

#[tokio::test]
async fn a_half_closed_client_still_gets_the_answer() {
    let (end, counts) = with_relay(|mut client, mut upstream| async move {
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        upstream.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        upstream.write_all(b"a late answer").await.unwrap();
        drop(upstream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "a late answer");
    })
    .await;
    assert!(matches!(end, End::Closed), "{end:?}");
    assert_eq!((counts.received.get(), counts.sent.get()), (8, 13));
}

#[tokio::test]
async fn large_amounts_both_ways_arrive_whole() {
    let data: Vec<u8> = (0..300_000_u32).map(|it| (it % 251) as u8).collect();
    let (end, counts) = with_relay(|client, upstream| async move {
        let exchange = async |stream: DuplexStream| {
            let (mut read, mut write) = tokio::io::split(stream);
            let send = async {
                write.write_all(&data).await.unwrap();
                write.shutdown().await.unwrap();
            };
            let mut got = Vec::new();
            let (_, ()) = tokio::join!(async { read.read_to_end(&mut got).await.unwrap() }, send);
            assert!(got == data);
        };
        tokio::join!(exchange(client), exchange(upstream));
    })
    .await;
    assert!(matches!(end, End::Closed), "{end:?}");
    assert_eq!((counts.received.get(), counts.sent.get()), (300_000, 300_000));
}

#[tokio::test]
async fn reading_stops_when_the_other_side_does_not_read() {
    let (_, counts) = with_relay(|mut client, upstream| async move {
        let write = client.write_all(&[0; 10_000]);
        let blocked = tokio::time::timeout(Duration::from_millis(50), write).await;
        assert!(blocked.is_err(), "all was taken though nobody reads");
        drop(upstream);
    })
    .await;
    // Two pipes and what is kept.
    assert!(counts.received.get() <= 64 + 64 + 1024, "{}", counts.received.get());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_it_but_not_while_bytes_move() {
    let start = Instant::now();
    let (end, _) = with_relay(|mut client, mut upstream| async move {
        for _ in 0..5 {
            tokio::time::sleep(IDLE * 9 / 10).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(upstream.read_u8().await.unwrap(), b'x');
        }
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    })
    .await;
    assert!(matches!(end, End::Idle), "{end:?}");
    let expected = IDLE * 9 / 10 * 5 + IDLE;
    assert!(start.elapsed().abs_diff(expected) < IDLE / 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn tells_whose_connection_failed() {
    let (end, _) = with_relay(|mut client, upstream| async move {
        drop(upstream);
        client.write_all(b"to nobody").await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    })
    .await;
    assert!(matches!(end, End::Upstream(_)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_connection_may_be_silent_for_less_time() {
    let start = Instant::now();
    let (end, _) = with_relay(|mut client, upstream| async move {
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(upstream);
    })
    .await;
    assert!(matches!(end, End::Idle), "{end:?}");
    assert!(start.elapsed() < SILENCE.half_closed * 2, "{:?}", start.elapsed());
}
