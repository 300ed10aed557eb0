//! The section `[plugins.context]`.

use serde::{Deserialize, Serialize};

use crate::tokens::{Encoding, UnknownModel};

/// How assembled context reaches agents outside of this process. Agents of this process read [`AssembledContext`](crate::AssembledContext) from the task's extensions in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delivery {
    /// As the metadata `context.text` of the task.
    #[default]
    Metadata,
    /// As the field `context` of a payload that is an object; of another payload as metadata.
    Payload,
    /// Not at all.
    None,
}

/// The section `[plugins.context]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ContextConfig {
    /// The encoding whose tokens are counted: `o200k_base` or `cl100k_base`. Default `o200k_base`. Not changed at run time.
    pub encoding: Option<Encoding>,
    /// A model whose encoding is used instead; give one of the two. Default none. Not changed at run time.
    pub model: Option<String>,
    /// Whether the vocabulary is loaded at start, beside everything else, and not when the first session is named. Default false. Read at start only.
    pub preload: bool,
    /// Time that a task waits for its context at start, in milliseconds; after it, the task goes on without, and its extensions say so. Keep it below `hooks.timeout_ms`. Default 80; 1 to 600_000.
    pub attach_timeout_ms: u64,
    /// Tokens of a context when a task names no budget. Default 8_000; 1 to 10_000_000.
    pub budget_tokens: usize,
    /// Tokens that a task can ask for at most with `context.budget_tokens`; a task that asks for more gets this many. Default 128_000; `budget_tokens` to 10_000_000.
    pub budget_tokens_max: usize,
    /// Tokens that a fragment which is not shown whole gets at least, or it is left out. Default 200; 16 to 100_000.
    pub excerpt_tokens_min: usize,
    /// Bits of 64 in which the fingerprints of near-duplicates differ at most. Default 3; 0 to 16; 0 drops only texts of the same terms.
    pub near_duplicate_bits: u32,
    /// How context reaches agents outside of this process: `metadata`, `payload` or `none`. Default `metadata`.
    pub delivery: Delivery,
    /// Bytes of context that are delivered in metadata or payload; a longer one is kept back and counted. Keep it below `tasks.payload_bytes_max`. Default 524_288; 1_024 to 16_777_216.
    pub delivery_bytes_max: usize,
    /// Whether the result of a task becomes a fragment of its session. Default true.
    pub store_results: bool,
    /// Whether the failure of a task becomes a fragment of its session. Default true.
    pub store_failures: bool,
    /// Whether a task that names an unknown session opens it. Default true; otherwise the task goes on without context, counted.
    pub open_sessions: bool,
    /// Results on their way into the store. Default 1_024; 1 to 1_000_000; more are dropped and counted.
    pub pending_max: usize,
    /// Sessions. Default 1_024; 1 to 1_000_000; more are refused.
    pub sessions_max: usize,
    /// Fragments of one session. Default 4_096; 1 to 1_000_000; above, the least recently used go.
    pub fragments_max: usize,
    /// Tokens of one session. Default 1_000_000; 1 to 1_000_000_000; above, the least recently used fragments go.
    pub session_tokens_max: usize,
    /// Bytes of one session, working data included. Default 16_777_216; 1_024 to 1_099_511_627_776.
    pub session_bytes_max: usize,
    /// Bytes of all sessions, working data included. Default 52_428_800 (50 MiB); 1_024 to 1_099_511_627_776.
    pub store_bytes_max: usize,
    /// Bytes of the content of one fragment. Default 4_194_304; 1 to 1_073_741_824; a longer one is refused, a longer result of a task dropped and counted.
    pub fragment_bytes_max: usize,
    /// Percent of a session's limit from which its fragments are compressed lightly. Default 70; 1 to 100. Critical ones never are.
    pub compress_light_percent: u32,
    /// The same for the level medium. Default 80; `compress_light_percent` to 100.
    pub compress_medium_percent: u32,
    /// The same for the level heavy. Default 90; `compress_medium_percent` to 100.
    pub compress_heavy_percent: u32,
    /// Age at which a fragment is dropped unless it is critical, in seconds. Default 86_400; 0 keeps all.
    pub fragment_ttl_s: u64,
    /// Time without any use after which a session is closed with all it has, in seconds. Default 604_800; 0 keeps all.
    pub session_ttl_s: u64,
    /// Tokens of an agent's context window when its metadata has no `context_window_tokens`. Default 128_000; 0 watches only agents that say theirs.
    pub window_tokens: usize,
    /// Percent of its window from which an agent is warned about. Default 70; 1 to 100.
    pub window_warn_percent: u32,
    /// Percent of its window from which an agent is shown compressed fragments only. Default 80; `window_warn_percent` to 100.
    pub window_compress_percent: u32,
    /// Percent of its window from which sleep is recommended. Default 95; `window_compress_percent` to 100.
    pub window_sleep_percent: u32,
    /// Agents whose windows are watched. Default 10_000; 1 to 1_000_000; the least recently used give way.
    pub agents_max: usize,
    /// Agents and sessions that the status lists. Default 10; 0 to 100.
    pub status_top: usize,
    /// Summaries that one call of [`ContextService::assemble`](crate::ContextService::assemble) asks the summarizer for, if there is one. Default 4; 0 to 64; 0 asks for none.
    pub summaries_max: usize,
    /// Time for one summary, in milliseconds. Default 10_000; 1 to 600_000.
    pub summary_timeout_ms: u64,
}

impl Default for ContextConfig {
    fn default() -> Self {
        Self {
            encoding: None,
            model: None,
            preload: false,
            attach_timeout_ms: 80,
            budget_tokens: 8_000,
            budget_tokens_max: 128_000,
            excerpt_tokens_min: 200,
            near_duplicate_bits: 3,
            delivery: Delivery::Metadata,
            delivery_bytes_max: 524_288,
            store_results: true,
            store_failures: true,
            open_sessions: true,
            pending_max: 1_024,
            sessions_max: 1_024,
            fragments_max: 4_096,
            session_tokens_max: 1_000_000,
            session_bytes_max: 16 << 20,
            store_bytes_max: 50 << 20,
            fragment_bytes_max: 4 << 20,
            compress_light_percent: 70,
            compress_medium_percent: 80,
            compress_heavy_percent: 90,
            fragment_ttl_s: 86_400,
            session_ttl_s: 604_800,
            window_tokens: 128_000,
            window_warn_percent: 70,
            window_compress_percent: 80,
            window_sleep_percent: 95,
            agents_max: 10_000,
            status_top: 10,
            summaries_max: 4,
            summary_timeout_ms: 10_000,
        }
    }
}

/// A configuration that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// A value is out of its range.
    #[error("{key} = {value} does not fit: give {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least that it may be.
        least: u64,
        /// The most that it may be.
        most: u64,
    },
    /// Both `encoding` and `model` were given, and they differ.
    #[error(
        "encoding = {encoding:?} is not the one of model = {model:?}: give one of the two keys"
    )]
    Both {
        /// The encoding.
        encoding: &'static str,
        /// The model.
        model: String,
    },
    /// The model is not known.
    #[error(transparent)]
    Model(#[from] UnknownModel),
    /// A key cannot change while the plugin runs.
    #[error("{key} cannot change at run time, all counts rest on it: restart with the new section")]
    Fixed {
        /// The key.
        key: &'static str,
    },
}

impl ContextConfig {
    /// The encoding that `encoding` or `model` names.
    ///
    /// # Errors
    /// [`ConfigFault`] when the model is unknown or the two differ.
    pub fn encoding(&self) -> Result<Encoding, ConfigFault> {
        match (self.encoding, self.model.as_deref()) {
            (encoding, None) => Ok(encoding.unwrap_or_default()),
            (None, Some(model)) => Ok(Encoding::of_model(model)?),
            (Some(encoding), Some(model)) if Encoding::of_model(model)? == encoding => Ok(encoding),
            (Some(encoding), Some(model)) => Err(ConfigFault::Both {
                encoding: encoding.as_str(),
                model: model.to_owned(),
            }),
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigFault`] names key, value and range.
    pub fn validate(&self) -> Result<(), ConfigFault> {
        self.encoding()?;
        let n = |value: usize| value as u64;
        let bytes_max = 1 << 40;
        let light = u64::from(self.compress_light_percent);
        let medium = u64::from(self.compress_medium_percent);
        let warn = u64::from(self.window_warn_percent);
        let compress = u64::from(self.window_compress_percent);
        for (key, value, least, most) in [
            ("attach_timeout_ms", self.attach_timeout_ms, 1, 600_000),
            ("budget_tokens", n(self.budget_tokens), 1, 10_000_000),
            (
                "budget_tokens_max",
                n(self.budget_tokens_max),
                n(self.budget_tokens),
                10_000_000,
            ),
            (
                "excerpt_tokens_min",
                n(self.excerpt_tokens_min),
                16,
                100_000,
            ),
            (
                "near_duplicate_bits",
                u64::from(self.near_duplicate_bits),
                0,
                16,
            ),
            (
                "delivery_bytes_max",
                n(self.delivery_bytes_max),
                1_024,
                16_777_216,
            ),
            ("pending_max", n(self.pending_max), 1, 1_000_000),
            ("sessions_max", n(self.sessions_max), 1, 1_000_000),
            ("fragments_max", n(self.fragments_max), 1, 1_000_000),
            (
                "session_tokens_max",
                n(self.session_tokens_max),
                1,
                1_000_000_000,
            ),
            (
                "session_bytes_max",
                n(self.session_bytes_max),
                1_024,
                bytes_max,
            ),
            ("store_bytes_max", n(self.store_bytes_max), 1_024, bytes_max),
            ("fragment_bytes_max", n(self.fragment_bytes_max), 1, 1 << 30),
            ("compress_light_percent", light, 1, 100),
            ("compress_medium_percent", medium, light, 100),
            (
                "compress_heavy_percent",
                u64::from(self.compress_heavy_percent),
                medium,
                100,
            ),
            ("window_warn_percent", warn, 1, 100),
            ("window_compress_percent", compress, warn, 100),
            (
                "window_sleep_percent",
                u64::from(self.window_sleep_percent),
                compress,
                100,
            ),
            ("agents_max", n(self.agents_max), 1, 1_000_000),
            ("status_top", n(self.status_top), 0, 100),
            ("summaries_max", n(self.summaries_max), 0, 64),
            ("summary_timeout_ms", self.summary_timeout_ms, 1, 600_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(ConfigFault::Range {
                    key,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(toml: &str) -> String {
        let config: ContextConfig = toml::from_str(toml).unwrap();
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_fit_and_faults_name_key_value_and_remedy() {
        ContextConfig::default().validate().unwrap();
        assert_eq!(
            fault("budget_tokens = 0"),
            "budget_tokens = 0 does not fit: give 1 to 10000000"
        );
        assert_eq!(
            fault("budget_tokens_max = 10"),
            "budget_tokens_max = 10 does not fit: give 8000 to 10000000"
        );
        assert_eq!(
            fault("window_sleep_percent = 75"),
            "window_sleep_percent = 75 does not fit: give 80 to 100"
        );
        let text = fault("model = \"gpt-2\"");
        assert!(
            text.contains("\"gpt-2\"") && text.contains("set `encoding`"),
            "{text}"
        );
        let text = fault("model = \"gpt-4\"\nencoding = \"o200k_base\"");
        assert!(text.contains("give one of the two"), "{text}");
        assert!(toml::from_str::<ContextConfig>("budget = 1").is_err());
    }

    #[test]
    fn a_model_names_its_encoding() {
        let config: ContextConfig = toml::from_str("model = \"gpt-4\"").unwrap();
        assert_eq!(config.encoding(), Ok(Encoding::Cl100kBase));
        assert_eq!(ContextConfig::default().encoding(), Ok(Encoding::O200kBase));
    }
}
