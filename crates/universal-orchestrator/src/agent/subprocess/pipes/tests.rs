use super::*;
use tokio::io::duplex;

/// The lines of a text that arrives in parts of a few bytes, then how it ended.
async fn lines_of(text: &str, part: usize, bytes_max: usize) -> (Vec<String>, Heard) {
    let (mut far, near) = duplex(part);
    let mut reader = LineReader::new(Some(near), bytes_max);
    let read = async {
        let mut lines = Vec::new();
        loop {
            match reader.next().await {
                Heard::Line(line) => lines.push(String::from_utf8(line).expect("text is UTF-8")),
                end => return (lines, end),
            }
        }
    };
    let write = async {
        // Nobody may be left to read it all.
        let _ = far.write_all(text.as_bytes()).await;
        drop(far);
    };
    tokio::join!(read, write).0
}

#[tokio::test]
async fn lines_are_the_same_however_they_arrive() {
    for part in [1, 2, 3, 64] {
        let (lines, end) = lines_of("one\n\ntwo\r\nthree", part, 5).await;
        assert_eq!(lines, ["one", "", "two\r", "three"]);
        assert!(matches!(end, Heard::Closed), "{end:?}");
    }
}

#[tokio::test]
async fn the_limit_is_inclusive_and_counts_one_line() {
    for part in [1, 64] {
        let (lines, end) = lines_of("12345\n12345\n123456\n", part, 5).await;
        assert_eq!(lines, ["12345", "12345"]);
        assert!(matches!(end, Heard::TooLong), "{end:?}");
    }
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let (mut far, near) = duplex(64);
    let mut reader = LineReader::new(Some(near), 64);
    far.write_all(b"hal").await.unwrap();
    assert!(futures::FutureExt::now_or_never(reader.next()).is_none());
    far.write_all(b"ves\n").await.unwrap();
    let heard = reader.next().await;
    assert!(
        matches!(&heard, Heard::Line(line) if line == b"halves"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn what_is_discarded_has_no_limit() {
    let (mut far, near) = duplex(64);
    let mut reader = LineReader::new(Some(near), 1);
    reader.discard_rest();
    let write = async {
        far.write_all(&[b'x'; 10_000]).await.unwrap();
        drop(far);
    };
    let (heard, ()) = tokio::join!(reader.next(), write);
    assert!(matches!(heard, Heard::Closed), "{heard:?}");
}

async fn tail_of(text: &str) -> String {
    let mut tail = StderrTail::new(Some(text.as_bytes()));
    while tail.is_open() {
        tail.read().await;
    }
    tail.text()
}

#[tokio::test]
async fn the_tail_begins_with_a_whole_line() {
    assert_eq!(tail_of("a\nb\n").await, "a\nb");
    let long: String = (0..1000).map(|n| format!("line {n}\n")).collect();
    let tail = tail_of(&long).await;
    assert!(
        tail.starts_with("line 5") && tail.ends_with("\nline 999"),
        "{tail}"
    );
    assert!(tail.len() > STDERR_BYTES_MAX - 10, "{}", tail.len());
    assert_eq!(
        tail_of(&"x".repeat(9999)).await,
        "x".repeat(STDERR_BYTES_MAX)
    );
}

#[tokio::test]
async fn the_request_is_written_in_parts_and_the_pipe_closed() {
    let (mut far, near) = duplex(3);
    let mut request = RequestPipe::new(Some(near), b"a request".to_vec());
    let write = async {
        while request.is_open() {
            request.write().await;
        }
    };
    let mut text = String::new();
    let (read, ()) = tokio::join!(far.read_to_string(&mut text), write);
    assert_eq!((read.unwrap(), text.as_str()), (9, "a request"));
}
