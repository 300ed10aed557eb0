//! A Prometheus of its own, and questions to it.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::{Child, Command};

use super::Programs;
use crate::role::{EXPORTER_PORT, PROMETHEUS_PORT, Role};

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    server: Child,
    base: String,
    http: reqwest::Client,
}

/// One series of an answer: its labels, and pairs of time and value.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    #[serde(default)]
    pub(crate) metric: std::collections::BTreeMap<String, String>,
    pub(crate) values: Vec<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Matrix>,
}

#[derive(Debug, Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

impl Prometheus {
    pub(super) async fn start(folder: &Path, base_port: u16, programs: &Programs) -> Result<Self> {
        let config = folder.join("prometheus.yml");
        std::fs::write(&config, configuration(base_port))
            .with_context(|| format!("failed to write {}", config.display()))?;
        let log = File::create(folder.join("logs/prometheus.log"))
            .context("failed to make the log of Prometheus")?;
        let address = format!("127.0.0.1:{}", base_port + PROMETHEUS_PORT);
        let server = Command::new(&programs.prometheus)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", programs.prometheus.display()))?;
        let started = Self {
            server,
            base: format!("http://{address}"),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()
                .context("failed to make an HTTP client")?,
        };
        for _ in 0..150 {
            let ready = started.http.get(format!("{}/-/ready", started.base));
            if ready
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(started);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("Prometheus does not answer; see logs/prometheus.log")
    }

    /// The answer to a range query: evaluated at `start`, and every `step` seconds up to `end`.
    pub(crate) async fn range(
        &self,
        query: &str,
        start: u64,
        end: u64,
        step: u64,
    ) -> Result<Vec<Series>> {
        let answer: Answer = self
            .http
            .get(format!("{}/api/v1/query_range", self.base))
            .query(&[("query", query)])
            .query(&[("start", start), ("end", end), ("step", step)])
            .send()
            .await
            .with_context(|| format!("failed to ask Prometheus for {query}"))?
            .json()
            .await
            .with_context(|| format!("Prometheus did not answer {query} with JSON"))?;
        ensure!(
            answer.status == "success",
            "Prometheus refused {query}: {}",
            answer.error
        );
        Ok(answer.data.map(|data| data.result).unwrap_or_default())
    }

    pub(super) async fn stop(mut self) {
        // It may have ended by itself.
        let _ = self.server.kill().await;
    }
}

fn configuration(base_port: u16) -> String {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n".to_owned();
    let shown = Role::ALL.into_iter().filter(|role| !role.is_provider());
    let targets = shown
        .map(|role| (role.name(), role.port(base_port)))
        .chain([("exporter", base_port + EXPORTER_PORT)]);
    for (name, port) in targets {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "- {{job_name: {name}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
        );
    }
    text
}
