//! Answers of Prometheus, Loki and Tempo, from recorded bytes and from a server that behaves badly.
#![allow(clippy::unwrap_used, reason = "a test that fails ends")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use universal_orchestrator_investigation::logs::LogSummary;
use universal_orchestrator_investigation::source::prometheus::{
    Answer, AnswerError, AskError, Labels, Metadata, PrometheusClient, PrometheusError,
    PrometheusQuestion, QueryData, Targets, gather_prometheus,
};
use universal_orchestrator_investigation::source::tempo::{parse_tempo_search, parse_tempo_trace};
use universal_orchestrator_investigation::{Metric, Signal};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("recorded/", $name, ".json")).as_slice()
    };
}

#[test]
fn c7_recorded_bytes_of_every_kind_of_answer_are_parsed() {
    let data = |bytes: &[u8]| Answer::<QueryData>::parse(bytes).map(|answer| answer.data);
    let Ok(QueryData::Vector(vector)) = data(recorded!("prometheus-vector")) else {
        panic!("no vector")
    };
    let jobs: Vec<&str> = vector.iter().map(|sample| &*sample.metric["job"]).collect();
    assert_eq!(jobs, ["ledger", "pay", "shop"]);
    assert_eq!(vector[0].value.map(|point| point.value), Some(10.0));
    let Ok(QueryData::Matrix(matrix)) = data(recorded!("prometheus-matrix")) else {
        panic!("no matrix")
    };
    assert_eq!(matrix[0].values.len(), 11);
    let latency = matrix[0].values[3];
    assert!(
        (latency.value - 0.11).abs() < 1e-9 && latency.at == 1_795_285_530.0,
        "{latency:?}"
    );
    assert!(
        matches!(data(recorded!("prometheus-scalar")), Ok(QueryData::Scalar(point)) if point.value.is_nan())
    );
    assert!(
        matches!(data(recorded!("prometheus-string")), Ok(QueryData::String(text)) if text.1 == "hello")
    );
    let series = Answer::<Vec<Labels>>::parse(recorded!("prometheus-series")).unwrap();
    assert_eq!(series.data.len(), 2);
    assert_eq!(series.data[0]["server"], "ledger");
    let targets = Answer::<Targets>::parse(recorded!("prometheus-targets")).unwrap();
    let health: Vec<&str> = targets
        .data
        .active_targets
        .iter()
        .map(|target| target.health.as_str())
        .collect();
    assert_eq!(health, ["down", "up"]);
    assert_eq!(targets.data.active_targets[0].scrape_interval, "1s");
    type AllMetadata = BTreeMap<String, Vec<Metadata>>;
    let metadata = Answer::<AllMetadata>::parse(recorded!("prometheus-metadata")).unwrap();
    assert_eq!(metadata.data["prometheus_build_info"][0].kind, "gauge");
    for (bytes, says) in [
        (recorded!("prometheus-error"), "unclosed left parenthesis"),
        (recorded!("prometheus-error-points"), "11,000 points"),
    ] {
        let error = data(bytes).unwrap_err();
        assert!(
            matches!(&error, AnswerError::Refused { kind, text } if kind == "bad_data" && text.contains(says)),
            "{error}"
        );
    }
}

#[test]
fn c7_lines_of_loki_become_a_log() {
    let answer = Answer::<QueryData>::parse(recorded!("loki-streams")).unwrap();
    let QueryData::Streams(streams) = answer.data else {
        panic!("no streams")
    };
    assert_eq!(streams.len(), 2);
    assert_eq!(streams[0].stream["service"], "payments");
    assert!((streams[0].values[0].at - 1_795_293_219.25).abs() < 1e-6);
    let mut log = LogSummary::new("payments", streams[0].values[0].at);
    for entry in streams[0].values.iter().rev() {
        log.add_line("loki", entry.at, &entry.line);
    }
    let templates = log.templates();
    assert_eq!(templates.len(), 1);
    assert_eq!(
        (templates[0].lines, templates[0].first_at),
        (2, Some(1_795_293_218.0))
    );
    assert!(templates[0].level.is_some_and(|level| level.is_error()));
}

#[test]
fn c7_traces_of_tempo_are_parsed() {
    let found = parse_tempo_search(recorded!("tempo-search")).unwrap();
    assert_eq!((found.len(), found[0].duration_ms), (2, 557.0));
    assert_eq!(found[1].root_trace_name, "GET /health");
    let spans = parse_tempo_trace(recorded!("tempo-trace")).unwrap();
    let told: Vec<(&str, bool)> = spans
        .iter()
        .map(|span| (span.service.as_str(), span.failed))
        .collect();
    assert_eq!(told, [("shop", true), ("payments", false)]);
    assert_eq!(spans[1].parent_id, spans[0].span_id);
    assert!((spans[1].seconds - 0.5).abs() < 1e-6);
}

#[test]
fn what_is_cut_off_anywhere_is_an_error_and_no_panic() {
    for bytes in [
        recorded!("prometheus-matrix"),
        recorded!("prometheus-vector"),
        recorded!("loki-streams"),
    ] {
        // Of the recorded bytes only white space follows the last brace.
        for end in 0..bytes.trim_ascii_end().len() {
            assert!(Answer::<QueryData>::parse(&bytes[..end]).is_err(), "{end}");
        }
    }
}

/// A server that answers each request with what a function says: status and body.
struct Fake {
    url: String,
    /// The first line and the headers of each request, in lower case.
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinHandle<()>,
}

impl Fake {
    fn new(answer: impl Fn(usize, &str) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let server = std::thread::spawn(move || {
            let mut silent: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = String::new();
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap_or_default();
                    if line.is_empty() {
                        break;
                    }
                    head.push_str(&line.to_lowercase());
                    head.push('\n');
                }
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(head.clone());
                    seen.len()
                };
                match answer(number, &head) {
                    Some((status, body)) => {
                        let length = body.len();
                        // Who has heard enough may be gone.
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                        );
                    }
                    // Kept open, never answered.
                    None => silent.push(stream),
                }
            }
        });
        Self {
            url,
            asked,
            _server: server,
        }
    }

    fn client(&self) -> PrometheusClient {
        let soon = Instant::now() + Duration::from_secs(60);
        PrometheusClient::new(&self.url, soon).unwrap()
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn vector(result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#)
}

#[test]
fn a_server_that_is_overwhelmed_is_asked_once_more_and_one_that_refuses_is_not() {
    let passing = Fake::new(|number, _| {
        Some(match number {
            1 => (503, "busy".to_owned()),
            _ => (200, vector("")),
        })
    });
    let answer = passing.client().instant("up", 1.0).unwrap();
    assert_eq!(
        (answer.data, passing.count()),
        (QueryData::Vector(Vec::new()), 2)
    );

    let busy = Fake::new(|_, _| Some((503, "busy".to_owned())));
    let error = busy.client().instant("up", 1.0).unwrap_err();
    assert!(
        matches!(error, AskError::Status { status: 503, .. }),
        "{error}"
    );
    assert_eq!(busy.count(), 2);

    let refusing = Fake::new(|_, _| {
        let body = r#"{"status":"error","errorType":"bad_data","error":"no"}"#;
        Some((400, body.to_owned()))
    });
    let error = refusing.client().instant("up", 1.0).unwrap_err();
    assert!(
        error.to_string().contains("refused it (bad_data): no"),
        "{error}"
    );
    assert_eq!(refusing.count(), 1);

    let page = Fake::new(|_, _| Some((404, "<html>".to_owned())));
    let error = page.client().instant("up", 1.0).unwrap_err();
    assert!(
        matches!(error, AskError::Status { status: 404, .. }),
        "{error}"
    );
    let half = Fake::new(|_, _| Some((200, vector(r#"{"metric":{"#))));
    assert!(matches!(
        half.client().instant("up", 1.0),
        Err(AskError::Answer { .. })
    ));
}

#[test]
fn a_silent_server_ends_with_the_deadline() {
    let silent = Fake::new(|_, _| None);
    let soon = Instant::now() + Duration::from_millis(300);
    let client = PrometheusClient::new(&silent.url, soon).unwrap();
    let error = client.instant("up", 1.0).unwrap_err();
    assert!(matches!(error, AskError::Http { .. }), "{error}");
    assert!(Instant::now() >= soon);
    let late = client.instant("up", 1.0).unwrap_err();
    assert!(matches!(late, AskError::Deadline { .. }), "{late}");
}

#[test]
fn a_token_is_sent_and_never_shown() {
    let server = Fake::new(|_, _| Some((200, vector(""))));
    let client = server.client().bearer("s3cret");
    client.instant("up", 1.0).unwrap();
    let asked = server.asked.lock().unwrap().join("\n");
    assert!(asked.contains("authorization: bearer s3cret"), "{asked}");
    assert!(!format!("{client:?}").contains("s3cret"));
    for url in [
        "",
        "localhost:9090",
        "ftp://x",
        "http://",
        "http://a b",
        "http:///x",
        "http://x/?a",
    ] {
        let refused = PrometheusClient::new(url, Instant::now());
        assert!(matches!(refused, Err(AskError::Url { .. })), "{url}");
    }
}

/// A server that knows the service `pay` and answers what is asked of it, but for one query.
fn pay(failing: &'static str) -> Fake {
    Fake::new(move |_, head| {
        let head = decoded(head);
        if !failing.is_empty() && head.contains(failing) {
            return Some((
                422,
                r#"{"status":"error","errorType":"execution","error":"no"}"#.to_owned(),
            ));
        }
        if head.contains("/query_range") {
            let start = parameter(&head, "start=");
            let values: Vec<String> = (0..60)
                .map(|row| format!(r#"[{}, "{}"]"#, start + f64::from(row) * 60.0, 6))
                .collect();
            return Some((
                200,
                format!(
                    r#"{{"status":"success","warnings":["half of it"],"data":{{"resultType":"matrix","result":[{{"metric":{{"job":"pay"}},"values":[{}]}}]}}}}"#,
                    values.join(",")
                ),
            ));
        }
        if head.contains("count by") && head.contains("http_requests_total") {
            let found = |name: &str| {
                format!(
                    r#"{{"metric":{{"__name__":"{name}","job":"pay","code":"200"}},"value":[1,"1"]}}"#
                )
            };
            let found = [
                found("http_request_duration_seconds_count"),
                found("http_requests_total"),
            ];
            return Some((200, vector(&found.join(","))));
        }
        Some((200, vector("")))
    })
}

/// The text with `%5b` and its like as what they stand for.
fn decoded(head: &str) -> String {
    let mut parts = head.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(code, 16) {
            Ok(byte) => text.push(char::from(byte)),
            Err(_) => text.push_str(code),
        }
        text.push_str(rest);
    }
    text
}

fn parameter(head: &str, name: &str) -> f64 {
    let rest = head.split(name).nth(1).unwrap();
    rest.split(['&', ' ']).next().unwrap().parse().unwrap()
}

fn question(service: &str) -> PrometheusQuestion {
    let mut question = PrometheusQuestion::new(service, 1_795_293_000.0, 1_795_299_999.0);
    question.baseline = 3_600.0;
    question
}

#[test]
fn a_service_is_read_with_the_exact_query_of_each_series() {
    let server = pay("");
    let (target, gathered) = gather_prometheus(&server.client(), &question("pay")).unwrap();
    assert_eq!((&*target.node, target.at), ("pay", Some(1_795_293_000.0)));
    let telemetry = &gathered.telemetry;
    assert_eq!(
        (telemetry.starts().len(), telemetry.step()),
        (30, Some(60.0))
    );
    let latency = telemetry.series("pay", Signal::LatencyAverage).unwrap();
    assert!(latency.iter().all(|value| *value == 1.0), "{latency:?}");
    let failed = telemetry.series("pay", Signal::Availability).unwrap();
    assert!(failed.iter().all(|value| *value == 0.0), "{failed:?}");
    assert_eq!(
        telemetry.query("pay", Signal::Requests),
        Some("sum by (job) (increase(http_requests_total[60000ms]))")
    );
    assert_eq!(gathered.baseline.unwrap().starts().len(), 60);
    assert_eq!(gathered.unknown, []);
    let warned = |note: &&String| note.contains("half of it");
    assert_eq!(gathered.notes.iter().filter(warned).count(), 1);
}

#[test]
fn p4_a_query_that_fails_is_unknown_and_costs_its_own_series() {
    let server = pay("increase(http_requests_total[");
    let (_, gathered) = gather_prometheus(&server.client(), &question("pay")).unwrap();
    let has = |signal| gathered.telemetry.series("pay", signal).is_some();
    assert!(has(Signal::LatencyAverage) && !has(Signal::Requests) && !has(Signal::Availability));
    let unknown: Vec<&str> = gathered.unknown.iter().map(|u| u.what.as_str()).collect();
    assert_eq!(unknown, ["requests", "requests in normal operation"]);
    assert!(
        gathered.unknown[0]
            .reason
            .contains("sum by (job) (increase(http_requests_total[")
    );
}

#[test]
fn what_cannot_be_investigated_is_refused_with_what_would_help() {
    let server = pay("");
    let ask =
        |question: &PrometheusQuestion| gather_prometheus(&server.client(), question).unwrap_err();
    let error = ask(&question("shop"));
    assert!(error.to_string().contains("no service \"shop\""), "{error}");
    assert!(error.to_string().ends_with("it knows pay"), "{error}");
    let mut late = question("pay");
    late.at = late.now - 10.0;
    assert!(matches!(ask(&late), PrometheusError::NothingAfter { .. }));
    let mut odd = question("pay");
    odd.window = f64::NAN;
    assert!(matches!(
        ask(&odd),
        PrometheusError::BadTime { what: "window", .. }
    ));
    let empty = Fake::new(|_, _| Some((200, vector(""))));
    let error = gather_prometheus(&empty.client(), &question("pay")).unwrap_err();
    assert!(matches!(error, PrometheusError::NoServices));
    let broken = pay("http_request_duration_seconds_sum");
    let error = gather_prometheus(&broken.client(), &question("pay")).unwrap_err();
    assert!(
        matches!(error, PrometheusError::NoSymptom { .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains(&Metric::Requests.to_string()),
        "{error}"
    );
}
