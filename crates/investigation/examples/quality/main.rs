//! The proving ground: measures, and fits, how well causes are found.
#![expect(clippy::print_stdout, reason = "the table is its purpose")]
mod inject;
mod fit;
use std::collections::BTreeMap;
use std::path::{Path,PathBuf};
use fastrand::Rng;
use inject::*;
use universal_orchestrator_investigation::*;

pub(crate) struct Sample { group: String, cause: Option<String>, a: Assessment, train: bool }

fn real(data: &Path, own_rows_only: bool) -> Vec<Sample> {
    let mut out = vec![];
    for s in ["high_traffic","low_traffic","temporal_traffic1","temporal_traffic2"] {
        let d = data.join("petshop").join(s);
        let base = if s.starts_with("temporal") { None } else { Some(d.join("noissue/metrics.csv")) };
        for i in 0..100 {
            let f = d.join(format!("train/issue_{i}"));
            if !f.exists() { break }
            let mut files = IncidentFiles::in_folder(&f).graph(d.join("graph.csv"));
            if let (Some(b), false) = (&base, own_rows_only) { files = files.baseline(b); }
            let inc = files.read().unwrap();
            let t: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("target.json")).unwrap()).unwrap();
            out.push(Sample { group: format!("real{} {:?}", if own_rows_only {" own rows"} else {""}, inc.target.signal.metric()), cause: Some(t["root_cause"]["node"].as_str().unwrap().into()), a: assess_with(inc, None), train: false });
        }
    }
    out
}
fn main() {
    let Some(data) = std::env::var_os("UO_DATA_DIR").map(PathBuf::from) else { println!("UO_DATA_DIR is not set"); return };
    let seeds: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(2);
    let verbose = std::env::args().any(|a| a == "-v");
    let mut samples = real(&data, false);
    samples.extend(real(&data, true));
    for s in ["high_traffic","low_traffic"] {
        let d = data.join("petshop").join(s);
        let inc = IncidentFiles::in_folder(d.join("train/issue_0")).graph(d.join("graph.csv")).baseline(d.join("noissue/metrics.csv")).read().unwrap();
        let g = Ground { name: s.into(), graph: inc.graph.clone(), normal: inc.baseline.unwrap(), target: inc.target.node.to_string() };
        for w in 0..g.windows() {
            for signal in [Signal::LatencyAverage, Signal::Availability] {
                samples.push(Sample { group: format!("healthy {} {:?}", g.name, signal.metric()), cause: None, a: assess_with(g.window(w, signal, 0.5), None), train: false });
                // healthy but drifted, for the fit
            }
        }
        for seed in 0..seeds {
            let mut rng = Rng::with_seed(seed * 7919 + s.len() as u64);
            for fault in [Fault::Delay, Fault::Errors, Fault::Overload] {
                for cause in g.reachable() {
                    let w = rng.usize(0..g.windows() / 2) * 2 + usize::from(seed % 2 == 1);
                    let strength = 1.5 * (rng.f64() * (20f64).ln()).exp();
                    if let Some(i) = inject(&g, w, fault, &cause, strength, &mut rng) {
                        let vis = if i.visible < 2.0 { "faint" } else if i.visible < 5.0 { "weak" } else { "clear" };
                        let own = rng.u8(0..5) == 0;
                        let mut inc = i.incident; if own { inc.baseline = None; }
                        samples.push(Sample { group: format!("{fault:?} {vis}{}", if own {" own rows"} else {""}), cause: (i.visible >= 2.0).then_some(i.cause.clone()).or(Some(i.cause)), a: assess_with(inc, None), train: seed % 2 == 0 });
                    }
                }
            }
            for _ in 0..20 {
                let w = rng.usize(0..g.windows() / 2) * 2 + usize::from(seed % 2 == 1);
                let signal = if rng.bool() { Signal::LatencyAverage } else { Signal::Availability };
                let inc = drifted(&g, w, signal, &mut rng);
                samples.push(Sample { group: "None".into(), cause: None, a: assess_with(inc, None), train: seed % 2 == 0 });
            }
        }
    }
    if std::env::args().any(|a| a == "fit") {
        let w = fit::fit(&samples);
        for s in &mut samples { fit::rescore(s, &w); }
    }
    if verbose { let mut g: BTreeMap<String,Vec<f64>> = BTreeMap::new(); for s in &samples { g.entry(s.group.clone()).or_default().push(s.a.symptom.as_ref().map_or(f64::NAN, |y| y.strength)); } for (k, mut v) in g { v.sort_by(f64::total_cmp); let q = |p: f64| v[((v.len()-1) as f64*p) as usize]; println!("strength {k:40} {:.2} {:.2} {:.2} {:.2} {:.2} {:.2} {:.2}", q(0.0), q(0.1), q(0.25), q(0.5), q(0.75), q(0.9), q(1.0)); } }
    for lim in [0.5, 0.6,0.7,0.75,0.8,0.85,0.9] { let d = |s:&Sample| 1.0 - s.a.no_fault > lim; let c = |p: &dyn Fn(&Sample)->bool| { let v: Vec<_> = samples.iter().filter(|s| !s.train && p(s)).collect(); (v.iter().filter(|s| d(s)).count(), v.len()) };
      println!("limit {lim}: healthy hiLat {:?} hiAv {:?} loLat {:?} loAv {:?} None {:?} clear {:?} weak {:?} faint {:?} real {:?}", c(&|s| s.group=="healthy high_traffic Latency"), c(&|s| s.group=="healthy high_traffic Availability"), c(&|s| s.group=="healthy low_traffic Latency"), c(&|s| s.group=="healthy low_traffic Availability"), c(&|s| s.group=="None"), c(&|s| s.group.contains("clear")), c(&|s| s.group.contains("weak")), c(&|s| s.group.contains("faint")), c(&|s| s.group.contains("real"))); }
    { let mut g: BTreeMap<(bool,String),(usize,usize)> = BTreeMap::new(); for s in samples.iter().filter(|s| s.group.contains("clear") && !s.train) { let e = g.entry((s.group.contains("Err"), s.cause.clone().unwrap())).or_default(); e.0+=1; if s.a.ranking[0].node == *s.cause.as_ref().unwrap() { e.1+=1 } } for (k,v) in g { if v.0!=v.1 { println!("cause {k:?} {v:?}") } } }
    let mut t: BTreeMap<String,(usize,usize,usize,usize,f64)> = BTreeMap::new();
    for s in &samples {
        if s.train && std::env::args().any(|a| a == "fit") { continue }
        let e = t.entry(s.group.clone()).or_default();
        e.0 += 1;
        let diagnosed = s.a.no_fault < NULLMAX && s.a.ranking.first().is_some_and(|r| r.confidence > 0.25);
        if diagnosed { e.3 += 1; }
        let rank = s.cause.as_ref().and_then(|c| s.a.ranking.iter().position(|r| r.node == *c));
        if diagnosed && rank == Some(0) { e.1 += 1 }
        if diagnosed && rank.is_some_and(|r| r < 3) { e.2 += 1 }
        let conf = s.a.ranking.first().map_or(0.0, |r| r.confidence);
        let right = rank == Some(0);
        e.4 += (conf - f64::from(u8::from(right))).powi(2);
        if verbose && (s.group.starts_with("real") && rank != Some(0) || s.cause.is_none() && s.group.starts_with("healthy") && diagnosed || s.group.contains("clear") && rank != Some(0)) {
            println!("-- {} cause {:?} rank {:?} null {:.3} {:?}", s.group, s.cause, rank, s.a.no_fault, s.a.symptom);
            for r in s.a.ranking.iter().take(3).chain(s.a.ranking.iter().filter(|r| Some(&r.node) == s.cause.as_ref())) { let f=&r.features; println!("     {:.3} {:40.40} dev {:.2} expl {:.2} own {:.2} cov {:.2} pat {:.2} oth {:.2} surge {:.2}", r.confidence, r.node, f.deviation, f.explained, f.own, f.coverage, f.pattern, f.other_metric, f.surge); }
        }
    }
    println!("{:45} {:>5} {:>5} {:>5} {:>5} {:>6}", "group", "n", "top1", "top3", "diag", "brier");
    for (k, v) in t { println!("{k:45} {:5} {:5} {:5} {:5} {:6.3}   {:.2} {:.2}", v.0, v.1, v.2, v.3, v.4 / v.0 as f64, v.1 as f64 / v.0 as f64, v.3 as f64 / v.0 as f64); }
}
const NULLMAX: f64 = 0.5;
fn drifted(g: &Ground, w: usize, signal: Signal, rng: &mut Rng) -> Incident {
    let mut inc = g.window(w, signal, rng.f64());
    if rng.bool() { inject::drift(&mut inc.telemetry, rng); }
    if rng.u8(0..5) == 0 { inc.baseline = None; }
    inc
}
