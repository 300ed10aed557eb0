//! What a Prometheus server answers: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Labels of a series, by name.
pub type Labels = BTreeMap<String, String>;

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is no JSON of the documented form, or it ends early.
    #[error("the answer is not what the HTTP API documents: {0}")]
    Form(#[source] serde_json::Error),
    /// The server says that it failed.
    #[error("the server refused it ({kind}): {text}")]
    Refused {
        /// The server's kind of error, for example `bad_data`, `timeout`, `execution`.
        kind: String,
        /// The server's words.
        text: String,
    },
    /// The answer has neither data nor an error.
    #[error("the answer has no data")]
    Empty,
}

/// An answer with what the server says beside it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// What was asked for.
    pub data: T,
    /// Warnings, for example that a part of the storage did not answer, and infos.
    pub warnings: Vec<String>,
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
#[non_exhaustive]
pub enum QueryData {
    /// One value a series: of an instant query.
    Vector(Vec<Sample>),
    /// Values over time: of a range query.
    Matrix(Vec<Series>),
    /// One number.
    Scalar(Point),
    /// One text.
    String(StringPoint),
    /// Lines of logs: of Loki.
    Streams(Vec<Stream>),
}

/// A moment and a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since 1970.
    pub at: f64,
    /// The value; may be infinite or no number.
    pub value: f64,
}

/// A moment and a text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StringPoint(pub f64, pub String);

/// A series with one value. A native histogram has none.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sample {
    /// Its labels.
    pub metric: Labels,
    /// Its value.
    pub value: Option<Point>,
}

/// A series with values over time. A native histogram has none.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Series {
    /// Its labels.
    pub metric: Labels,
    /// Its values, in order of time.
    #[serde(default)]
    pub values: Vec<Point>,
}

/// Lines of one source of logs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stream {
    /// Its labels.
    pub stream: Labels,
    /// Its lines, in the order of the server.
    pub values: Vec<LogEntry>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Seconds since 1970.
    pub at: f64,
    /// The line.
    pub line: String,
}

/// What the server scrapes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Targets {
    /// What it tries to scrape now.
    pub active_targets: Vec<ScrapeTarget>,
}

/// One thing that is scraped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScrapeTarget {
    /// Its labels.
    pub labels: Labels,
    /// Where it is scraped.
    pub scrape_url: String,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// `up`, `down` or `unknown`.
    pub health: String,
    /// How often, for example `15s`; empty for servers that do not tell.
    pub scrape_interval: String,
}

/// What is known about a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means.
    pub help: String,
    /// Its unit, if told.
    pub unit: String,
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    status: String,
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

impl<T: DeserializeOwned> Answer<T> {
    /// Reads an answer of `/api/v1/query`, `/query_range`, `/series`, `/targets`, `/metadata` and of those of Loki.
    ///
    /// # Errors
    ///
    /// It is not of the documented form, cut off, an error of the server, or empty.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnswerError> {
        // An error may come with data of another form: look for it first.
        let said: Envelope<serde::de::IgnoredAny> =
            serde_json::from_slice(bytes).map_err(AnswerError::Form)?;
        if said.status == "error" {
            return Err(AnswerError::Refused {
                kind: said.error_type,
                text: said.error,
            });
        }
        let envelope: Envelope<T> = serde_json::from_slice(bytes).map_err(AnswerError::Form)?;
        let mut warnings = envelope.warnings;
        warnings.extend(envelope.infos);
        Ok(Self {
            data: envelope.data.ok_or(AnswerError::Empty)?,
            warnings,
        })
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (at, value) = <(f64, String)>::deserialize(deserializer)?;
        let value = match value.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text => text
                .parse()
                .map_err(|_| D::Error::custom(format_args!("{text:?} is no value")))?,
        };
        Ok(Self { at, value })
    }
}

impl<'de> Deserialize<'de> for LogEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A third element holds structured metadata of the line.
        let fields: Vec<serde_json::Value> = Vec::deserialize(deserializer)?;
        let text = |place: usize| fields.get(place).and_then(serde_json::Value::as_str);
        let (Some(nanoseconds), Some(line)) = (text(0), text(1)) else {
            return Err(D::Error::custom("a log entry is a time and a line"));
        };
        let nanoseconds: f64 = nanoseconds
            .parse()
            .map_err(|_| D::Error::custom(format_args!("{nanoseconds:?} is no time")))?;
        Ok(Self {
            at: nanoseconds / 1e9,
            line: line.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Answer<QueryData>, AnswerError> {
        Answer::parse(text.as_bytes())
    }

    #[test]
    fn every_kind_of_result_is_read() {
        let data = |text: &str| {
            let text = format!(r#"{{"status":"success","data":{text}}}"#);
            query(&text).unwrap().data
        };
        let QueryData::Vector(samples) = data(
            r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"+Inf"]},{"metric":{},"histogram":[1,{}]}]}"#,
        ) else {
            panic!("no vector")
        };
        assert_eq!(samples[0].value.unwrap().value, f64::INFINITY);
        assert_eq!(samples[1].value, None);
        let QueryData::Matrix(series) = data(
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[2,"NaN"]]}]}"#,
        ) else {
            panic!("no matrix")
        };
        assert_eq!(
            series[0].values[0],
            Point {
                at: 1.0,
                value: 2.0
            }
        );
        assert!(series[0].values[1].value.is_nan());
        assert_eq!(
            data(r#"{"resultType":"scalar","result":[1,"-Inf"]}"#),
            QueryData::Scalar(Point {
                at: 1.0,
                value: f64::NEG_INFINITY
            })
        );
        assert_eq!(
            data(r#"{"resultType":"string","result":[1,"text"]}"#),
            QueryData::String(StringPoint(1.0, "text".to_owned()))
        );
    }

    #[test]
    fn errors_and_warnings_are_told() {
        let error = query(
            r#"{"status":"error","errorType":"bad_data","error":"parse error","data":{"resultType":"other"}}"#,
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server refused it (bad_data): parse error"
        );
        let answer = query(
            r#"{"status":"success","warnings":["a store did not answer"],"infos":["metric might not be a counter"],"data":{"resultType":"vector","result":[]}}"#,
        )
        .unwrap();
        assert_eq!(answer.warnings.len(), 2);
        assert!(matches!(
            query(r#"{"status":"success"}"#),
            Err(AnswerError::Empty)
        ));
        for broken in [
            "",
            "<html>",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric""#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}"#,
            r#"{"status":"success","data":{"resultType":"novel","result":[]}}"#,
        ] {
            assert!(
                matches!(query(broken), Err(AnswerError::Form(_))),
                "{broken}"
            );
        }
    }
}
