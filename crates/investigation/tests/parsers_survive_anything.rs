//! Whatever bytes come in, parsers of logs, events and answers return a value or a typed error.

use proptest::prelude::*;

use universal_orchestrator_investigation::events::{read_events_csv, read_events_json};
use universal_orchestrator_investigation::logs::{LOG_TEMPLATES_MAX, LogLine, LogSummary, time_of};
use universal_orchestrator_investigation::source::prometheus::{
    Answer, Labels, QueryData, Targets, duration_of,
};
use universal_orchestrator_investigation::source::tempo::{parse_tempo_search, parse_tempo_trace};
use universal_orchestrator_investigation::{
    CallGraph, Incident, IncidentFiles, Signal, Target, Telemetry,
};

/// Lines that look like those of logs, with anything in between.
fn log_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("2026-11-21T20:33:39Z ".to_owned()),
        Just("Nov 21 20:33:39 host ".to_owned()),
        Just("1795293219.5 ".to_owned()),
        Just("ERROR ".to_owned()),
        Just("{\"ts\":1795293219,\"level\":50,\"msg\":\"".to_owned()),
        Just("level=error msg=\"".to_owned()),
        Just("\n".to_owned()),
        Just("\n\tat ".to_owned()),
        "\\PC{0,12}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn lines_of_logs(text in log_text(), near in any::<f64>()) {
        for line in text.lines() {
            let parsed = LogLine::parse(line, near);
            prop_assert!(parsed.at.is_none_or(f64::is_finite));
        }
    }

    #[test]
    fn a_log_keeps_account_of_its_lines(
        text in log_text(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        near in prop_oneof![Just(1_795_293_219.0), any::<f64>()],
        onset in prop_oneof![Just(1_795_293_219.0), any::<f64>()],
        covered in prop::option::of((any::<f64>(), any::<f64>())),
    ) {
        let mut log = LogSummary::new("node", near);
        log.read("a.log", text.as_bytes()).unwrap();
        log.read("b.log", noise.as_slice()).unwrap();
        let templates = log.templates();
        prop_assert!(templates.len() <= LOG_TEMPLATES_MAX);
        let lines: u64 = templates.iter().map(|template| template.lines).sum();
        prop_assert_eq!(lines + log.lines_without_template(), log.lines());
        for template in &templates {
            let shown = template.text.chars().chain(template.sample.chars());
            prop_assert!(shown.filter(|c| c.is_control()).count() == 0);
        }
        if let Some(changes) = log.changes(onset, covered) {
            for change in changes.changes {
                prop_assert!((0.0..=1.0).contains(&change.surprise), "{:?}", change);
                prop_assert!(change.after <= change.template.lines);
            }
        }
    }

    #[test]
    fn times_and_durations(text in "[0-9a-zA-Z:.+ -]{0,30}") {
        prop_assert!(time_of(&text).is_none_or(|at| (1.0e9..4.2e9).contains(&at) || at.is_finite()));
        prop_assert!(duration_of(&text).is_none_or(|seconds| seconds > 0.0));
    }

    #[test]
    fn events(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\",:a-z0-9\n]{0,80}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = read_events_json("events.json", bytes);
            let _ = read_events_csv("events.csv", bytes);
        }
        let with_head = format!("time,node,kind,text\n{text}");
        let _ = read_events_csv("events.csv", with_head.as_bytes());
    }

    #[test]
    fn answers(bytes in prop::collection::vec(any::<u8>(), 0..200), place in 0..2_000_usize, byte in any::<u8>()) {
        let _ = Answer::<QueryData>::parse(&bytes);
        for recorded in [
            include_bytes!("recorded/prometheus-matrix.json").as_slice(),
            include_bytes!("recorded/prometheus-targets.json"),
            include_bytes!("recorded/loki-streams.json"),
            include_bytes!("recorded/tempo-trace.json"),
        ] {
            // One byte is another one.
            let mut damaged = recorded.to_vec();
            let place = place % damaged.len();
            damaged[place] = byte;
            let _ = Answer::<QueryData>::parse(&damaged);
            let _ = Answer::<Targets>::parse(&damaged);
            let _ = Answer::<Vec<Labels>>::parse(&damaged);
            let _ = parse_tempo_search(&damaged);
            let _ = parse_tempo_trace(&damaged);
        }
    }

    #[test]
    fn what_is_saved_is_read_again(
        names in prop::collection::btree_set("[a-z,\"';= é<>-]{1,8}[a-z]", 1..5),
        values in prop::collection::vec(prop_oneof![0.0..1e6_f64, Just(f64::NAN)], 12),
    ) {
        let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        let mut telemetry = Telemetry::over(vec![1_000.0, 1_060.0, 1_120.5]);
        let mut graph = CallGraph::new();
        for (number, name) in names.iter().enumerate() {
            telemetry.insert(name, Signal::LatencyP99, values[number..number + 3].to_vec());
            graph.add_call(&names[0], name);
        }
        let incident = Incident {
            target: Some(Target {
                node: names[0].as_str().into(),
                signal: Signal::LatencyP99,
                at: Some(1_060.0),
            }),
            telemetry,
            graph,
            ..Incident::default()
        };
        let folder = tempfile::tempdir().unwrap();
        incident.save(folder.path()).unwrap();
        let again = IncidentFiles::in_folder(folder.path()).read().unwrap();
        prop_assert_eq!(&again.target, &incident.target);
        prop_assert_eq!(again.telemetry.starts(), incident.telemetry.starts());
        for name in &names {
            let series = |incident: &Incident| -> Vec<u64> {
                let values = incident.telemetry.series(name, Signal::LatencyP99).unwrap();
                values.iter().map(|value| value.to_bits()).collect()
            };
            prop_assert_eq!(series(&again), series(&incident));
        }
        let calls = |incident: &Incident| -> Vec<(String, String)> {
            let calls = incident.graph.calls();
            calls.map(|(a, b)| (a.to_string(), b.to_string())).collect()
        };
        let (mut ours, mut theirs) = (calls(&incident), calls(&again));
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs);
    }
}
