//! Why a request failed, for the log and for the caller.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A request that failed. The caller gets the status and the text.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    /// The process itself failed.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text: text.into(),
        }
    }

    /// A callee failed.
    pub(crate) fn upstream(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            text: text.into(),
        }
    }

    /// There is no capacity now.
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: text.into(),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = match error.as_db_error() {
            Some(cause) => format!(
                "database error {}: {}",
                cause.code().code(),
                cause.message()
            ),
            None => format!("database error: {error}"),
        };
        Self::internal(text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::warn!(
            status = self.status.as_u16(),
            "request failed: {}",
            self.text
        );
        (self.status, self.text).into_response()
    }
}
