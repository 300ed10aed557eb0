//! W3C trace context, in and out.
//!
//! Source: W3C Recommendation "Trace Context", Level 1, 2021.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The longest `tracestate` that is passed on, as the recommendation asks for at least.
const STATE_BYTES_MAX: usize = 512;

/// Why a text is no trace context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// It does not have the form of a `traceparent`.
    #[error(
        "traceparent {text:?} has not the form version-traceid-parentid-flags (00-32 hex-16 hex-2 hex, lower case): pass the header as it came in"
    )]
    Malformed {
        /// The beginning of the text.
        text: String,
    },
    /// An id is all zeros, which marks an invalid one.
    #[error(
        "traceparent {text:?} has an id of zeros alone: leave the trace out to start a new one"
    )]
    Zero {
        /// The text.
        text: String,
    },
    /// The `tracestate` is too long or holds other than printable ASCII.
    #[error(
        "tracestate has {bytes} bytes or holds other than printable ASCII, the limit is {max} bytes: drop it"
    )]
    State {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// A place in a distributed trace. A cheap clone; written, it is a `traceparent`.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// The start of a new trace, not sampled.
    #[must_use]
    pub fn start() -> Self {
        Self {
            trace_id: fastrand::u128(1..),
            span_id: fastrand::u64(1..),
            flags: 0,
            state: None,
        }
    }

    /// Reads the headers of a caller.
    ///
    /// A later version of the format is read as far as this one goes.
    ///
    /// # Errors
    /// [`TraceError`] when the `traceparent` has another form or names no trace.
    ///
    /// ```
    /// use universal_orchestrator_patterns::TraceContext;
    /// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let caller = TraceContext::parse(header, Some("vendor=1"))?;
    /// assert!(caller.is_sampled());
    /// let ours = caller.child();
    /// assert_eq!(ours.trace_id(), caller.trace_id());
    /// assert_ne!(ours.to_string(), header);
    /// # Ok::<(), universal_orchestrator_patterns::TraceError>(())
    /// ```
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Result<Self, TraceError> {
        let shown = || traceparent.chars().take(80).collect();
        let Some((trace_id, span_id, flags)) = fields(traceparent) else {
            return Err(TraceError::Malformed { text: shown() });
        };
        if trace_id == 0 || span_id == 0 {
            return Err(TraceError::Zero { text: shown() });
        }
        let state = tracestate.map(str::trim).filter(|s| !s.is_empty());
        if let Some(state) = state
            && (state.len() > STATE_BYTES_MAX
                || !state.bytes().all(|b| b.is_ascii_graphic() || b == b' '))
        {
            return Err(TraceError::State {
                bytes: state.len(),
                max: STATE_BYTES_MAX,
            });
        }
        Ok(Self {
            trace_id,
            span_id,
            flags,
            state: state.map(Arc::from),
        })
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: fastrand::u64(1..),
            ..self.clone()
        }
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether the caller records the trace.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// What vendors added, as it came in.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

fn fields(text: &str) -> Option<(u128, u64, u8)> {
    let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (main, rest) = text.split_at_checked(55)?;
    let mut parts = main.split('-');
    let (version, trace_id, span_id, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version.len(), trace_id.len(), span_id.len(), flags.len()];
    let all_hex = [version, trace_id, span_id, flags].into_iter().all(hex);
    if lengths != [2, 32, 16, 2] || !all_hex || version == "ff" {
        return None;
    }
    if !rest.is_empty() && (version == "00" || !rest.starts_with('-')) {
        return None;
    }
    Some((
        u128::from_str_radix(trace_id, 16).ok()?,
        u64::from_str_radix(span_id, 16).ok()?,
        u8::from_str_radix(flags, 16).ok()?,
    ))
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span, flags) = (self.trace_id, self.span_id, self.flags & 1);
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_came_in_goes_out() {
        let trace = TraceContext::parse(GOOD, Some(" a=1,b=2 ")).unwrap();
        assert_eq!(trace.to_string(), GOOD);
        assert_eq!(trace.state(), Some("a=1,b=2"));
        let child = trace.child();
        assert_eq!(
            (child.trace_id(), child.state()),
            (trace.trace_id(), trace.state())
        );
        assert_ne!(child.span_id(), trace.span_id());
        assert!(TraceContext::parse(&TraceContext::start().to_string(), None).is_ok());
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        let later = format!("cc{}-what-ever", &GOOD[2..]);
        assert_eq!(TraceContext::parse(&later, None).unwrap().to_string(), GOOD);
    }

    #[test]
    fn other_texts_are_refused() {
        let upper = GOOD.to_uppercase();
        let trailing = format!("{GOOD}-x");
        let glued = format!("01{}x", &GOOD[2..]);
        let of_no_version = format!("ff{}", &GOOD[2..]);
        let wide = "é".repeat(28);
        for text in [
            "",
            "00",
            &upper,
            &trailing,
            &glued,
            &of_no_version,
            &wide,
            &GOOD[..54],
        ] {
            let error = TraceContext::parse(text, None).unwrap_err();
            assert!(matches!(error, TraceError::Malformed { .. }), "{text}");
        }
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let error = TraceContext::parse(&zero, None).unwrap_err();
        assert!(matches!(error, TraceError::Zero { .. }));
        for state in ["x".repeat(513), "ä=1".to_owned()] {
            let error = TraceContext::parse(GOOD, Some(&state)).unwrap_err();
            assert!(matches!(error, TraceError::State { max: 512, .. }));
        }
    }
}
