//! Asks a server over HTTP, within bounds of time and size.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::answer::{Answer, AnswerError, QueryData};

/// Bytes of one answer at most: 64 MiB.
pub const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a refusal that are looked at.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;
/// Time for one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time until one more attempt.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Why the server has not answered a question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The address is none.
    #[error("{url:?} is no address of a server; write for example http://localhost:9090")]
    Url {
        /// What was given.
        url: String,
    },
    /// The server cannot be reached, or the connection broke, or took too long.
    #[error("{url} does not answer: {source}; is the address right, and the server up?")]
    Http {
        /// What was asked.
        url: String,
        /// What the connection said.
        #[source]
        source: ureq::Error,
    },
    /// The server answers with a status other than success, and not in the form of the API.
    #[error("{url} answers with HTTP status {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// The answer cannot be used.
    #[error("{url}: {source}")]
    Answer {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: AnswerError,
    },
    /// There was no time left to ask.
    #[error("no time was left to ask {url}; allow more than the deadline")]
    Deadline {
        /// What would have been asked.
        url: String,
    },
}

impl AskError {
    /// Whether to ask once more can help.
    fn passes(&self) -> bool {
        match self {
            Self::Http { source, .. } => !matches!(
                source,
                ureq::Error::BadUri(_)
                    | ureq::Error::BodyExceedsLimit(_)
                    | ureq::Error::HostNotFound
            ),
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Answer {
                source: AnswerError::Refused { kind, .. },
                ..
            } => matches!(kind.as_str(), "timeout" | "unavailable" | "internal"),
            _ => false,
        }
    }
}

/// A connection to one server.
#[derive(Clone, Debug)]
pub struct PrometheusClient {
    agent: ureq::Agent,
    base: String,
    /// Kept out of `Debug` by its type.
    bearer: Option<Secret>,
    deadline: Instant,
}

#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl PrometheusClient {
    /// A client of the server at `url`, for example `http://localhost:9090` or `https://example.net/prometheus`,
    /// that answers or fails by the deadline.
    ///
    /// # Errors
    ///
    /// The address does not begin with `http://` or `https://`, or names no host.
    pub fn new(url: &str, deadline: Instant) -> Result<Self, AskError> {
        let host = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        let fits = |host: &str| {
            !host.is_empty()
                && !host.starts_with('/')
                && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "?#".contains(c))
        };
        if !host.is_some_and(fits) {
            return Err(AskError::Url {
                url: url.to_owned(),
            });
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("uo-investigate/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: ureq::Agent::new_with_config(config),
            base: url.trim_end_matches('/').to_owned(),
            bearer: None,
            deadline,
        })
    }

    /// Sends a bearer token with every question.
    #[must_use]
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.bearer = Some(Secret(token.into()));
        self
    }

    /// Values at one moment, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// The server does not answer in time, or refuses, or what it answers cannot be read.
    pub fn instant(&self, query: &str, at: f64) -> Result<Answer<QueryData>, AskError> {
        self.get("/api/v1/query", &[("query", query), ("time", &seconds(at))])
    }

    /// Values at `start`, `start + step` and so on up to `end`, in seconds.
    ///
    /// # Errors
    ///
    /// As [`instant`](Self::instant).
    pub fn range(
        &self,
        query: &str,
        start: f64,
        end: f64,
        step: f64,
    ) -> Result<Answer<QueryData>, AskError> {
        let (start, end, step) = (seconds(start), seconds(end), seconds(step));
        self.get(
            "/api/v1/query_range",
            &[
                ("query", query),
                ("start", &start),
                ("end", &end),
                ("step", &step),
            ],
        )
    }

    /// Any question of the API: a path that begins with a slash, and its parameters.
    ///
    /// A question that fails because of the connection, HTTP status 429 or 5xx is asked once more.
    ///
    /// # Errors
    ///
    /// As [`instant`](Self::instant).
    pub fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer<T>, AskError> {
        match self.attempt(path, parameters) {
            Err(error) if error.passes() => {
                let left = self.deadline.saturating_duration_since(Instant::now());
                if left <= RETRY_AFTER {
                    return Err(error);
                }
                std::thread::sleep(RETRY_AFTER);
                self.attempt(path, parameters)
            }
            answered => answered,
        }
    }

    fn attempt<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer<T>, AskError> {
        let url = format!("{}{path}", self.base);
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(AskError::Deadline { url });
        }
        let mut request = self
            .agent
            .get(&url)
            .query_pairs(parameters.iter().copied())
            .config()
            .timeout_global(Some(left.min(ATTEMPT_TIMEOUT)))
            .build();
        if let Some(Secret(token)) = &self.bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let fail = |source| AskError::Http {
            url: url.clone(),
            source,
        };
        let mut response = request.call().map_err(fail)?;
        let status = response.status().as_u16();
        let success = (200..300).contains(&status);
        let limit = if success {
            ANSWER_BYTES_MAX
        } else {
            REFUSAL_BYTES_MAX
        };
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let bytes = match body {
            Ok(bytes) => bytes,
            Err(_) if !success => return Err(AskError::Status { url, status }),
            Err(source) => return Err(fail(source)),
        };
        match Answer::parse(&bytes) {
            Ok(answer) if success => Ok(answer),
            // A refusal in the form of the API says more than the status.
            Err(source @ AnswerError::Refused { .. }) => Err(AskError::Answer { url, source }),
            _ if !success => Err(AskError::Status { url, status }),
            parsed => parsed.map_err(|source| AskError::Answer { url, source }),
        }
    }
}

/// Seconds with milliseconds, which is what the API keeps.
fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}
