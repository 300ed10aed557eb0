//! Loading: defaults of the mode, then TOML, then environment.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;
use toml::{Table, Value};

use super::{ConfigError, Mode, OrchestratorConfig, env, shape};

impl OrchestratorConfig {
    /// Reads a configuration from TOML; keys that are not there have the default of the mode that
    /// the text names.
    ///
    /// # Errors
    ///
    /// Fails with the first problem: syntax, an unknown key, a wrong type, a value outside its
    /// limits, or keys that contradict each other.
    ///
    /// # Examples
    ///
    /// ```
    /// # use universal_orchestrator::config::OrchestratorConfig;
    /// let config = OrchestratorConfig::from_toml_str("mode = \"sandbox\"\nmax_agents = 50")?;
    /// assert_eq!((config.max_agents, config.max_concurrent_tasks), (50, 100));
    ///
    /// let refused = OrchestratorConfig::from_toml_str("[queue]\nmax_task = 5").unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "unknown key `queue.max_task`; did you mean `queue.max_tasks`?",
    /// );
    /// # Ok::<(), universal_orchestrator::config::ConfigError>(())
    /// ```
    pub fn from_toml_str(text: &str) -> Result<Self, ConfigError> {
        build(parse(text)?)
    }

    /// Reads a configuration from a TOML file; see [`from_toml_str`](Self::from_toml_str).
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read as UTF-8, and for all that `from_toml_str` refuses; the
    /// error names the file.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        build(parse_file(path)?).map_err(|problem| problem.in_file(path))
    }

    /// Lays the `UO_…` variables of this process over this configuration; see
    /// [`with_env_from`](Self::with_env_from).
    ///
    /// # Errors
    ///
    /// Fails on a variable that is not Unicode, and for all that `with_env_from` refuses.
    pub fn with_env(self) -> Result<Self, ConfigError> {
        self.with_env_from(env::of_process()?)
    }

    /// Lays variables over this configuration: `UO_MAX_AGENTS`, `UO_QUEUE__MAX_TASKS`.
    ///
    /// Variables that do not start with `UO_` are skipped, and so are `UO_DATA_DIR` and
    /// `UO_SLA_FILE`, which programs of the project read and which are no keys. Text is taken as it stands, numbers and
    /// booleans as in TOML, arrays and tables as inline TOML; a table is laid over what is there
    /// key by key.
    ///
    /// When the variables change the mode, each key that still has the default of the old mode
    /// takes the default of the new one: a value that is equal to a default cannot be told from one
    /// that nobody wrote. Where that matters, use [`load`](Self::load), which knows.
    ///
    /// # Errors
    ///
    /// Fails on an unknown `UO_…` variable, and on a value that its key does not take; the error
    /// names the variable. Fails when this configuration is not valid, before or after.
    ///
    /// # Examples
    ///
    /// ```
    /// # use universal_orchestrator::config::OrchestratorConfig;
    /// let variables = [("UO_QUEUE__MAX_TASKS".to_owned(), "10".to_owned())];
    /// let config = OrchestratorConfig::default().with_env_from(variables)?;
    /// assert_eq!(config.queue.max_tasks, 10);
    /// # Ok::<(), universal_orchestrator::config::ConfigError>(())
    /// ```
    pub fn with_env_from(
        self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        self.validate()?;
        let layer = env::table(variables)?;
        // TOML integers end at `i64::MAX`; a larger seed cannot take part in the merge, and goes
        // around it.
        let seed_beyond_toml = self.seed.filter(|seed| i64::try_from(*seed).is_err());
        let replaces_seed = layer.contains_key("seed");
        let mut table = table_of(&self)?;
        if let Some(mode) = mode_of(&layer).filter(|mode| *mode != self.mode) {
            let written = difference(&table_of(&Self::for_mode(self.mode))?, &table);
            table = table_of(&Self::for_mode(mode))?;
            merge(&mut table, written);
        }
        merge(&mut table, layer);
        let mut result = decode(table)?;
        if !replaces_seed {
            result.seed = seed_beyond_toml.or(result.seed);
        }
        result.validate()?;
        Ok(result)
    }

    /// Loads what a program starts with: defaults of the mode, the file if there is one, this
    /// process's environment.
    ///
    /// # Errors
    ///
    /// Fails for all that [`from_toml_file`](Self::from_toml_file) and [`with_env`](Self::with_env)
    /// refuse. A file that is named must exist.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(file, env::of_process()?)
    }

    /// Does what [`load`](Self::load) does, with the given variables in place of this process's.
    ///
    /// # Errors
    ///
    /// Fails as `load` does.
    pub fn load_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut written = match file {
            Some(path) => parse_file(path)?,
            None => Table::new(),
        };
        merge(&mut written, env::table(variables)?);
        build(written)
    }
}

/// Parses and checks a text by itself, so that its mistakes are told apart from those of other
/// layers.
fn parse(text: &str) -> Result<Table, ConfigError> {
    let table: Table = text.parse().map_err(|error| syntax(text, &error))?;
    shape::root().check("", &table_to_json(&table))?;
    Ok(table)
}

fn parse_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|problem| problem.in_file(path))
}

fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ConfigError::Syntax {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: error.message().trim().replace('\n', ", "),
    }
}

/// Fills what was written up with the defaults of the mode that it names.
fn build(written: Table) -> Result<OrchestratorConfig, ConfigError> {
    let mode = mode_of(&written).unwrap_or_default();
    let mut table = table_of(&OrchestratorConfig::for_mode(mode))?;
    merge(&mut table, written);
    let config = decode(table)?;
    config.validate()?;
    Ok(config)
}

fn decode(table: Table) -> Result<OrchestratorConfig, ConfigError> {
    OrchestratorConfig::deserialize(table).map_err(|error| ConfigError::Decode {
        message: error.message().to_owned(),
    })
}

fn mode_of(table: &Table) -> Option<Mode> {
    let name = table.get("mode")?.as_str()?;
    Mode::ALL.into_iter().find(|mode| mode.as_str() == name)
}

/// Writes a configuration as TOML, but for a seed that TOML cannot hold.
pub(super) fn table_of(config: &OrchestratorConfig) -> Result<Table, ConfigError> {
    let mut config = config.clone();
    config.seed = config.seed.filter(|seed| i64::try_from(*seed).is_ok());
    Table::try_from(&config).map_err(|error| ConfigError::Decode {
        message: error.to_string(),
    })
}

/// Lays one table over another: tables key by key, everything else as a whole.
pub(super) fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The part of `other` that is not the same in `base`.
pub(super) fn difference(base: &Table, other: &Table) -> Table {
    let mut result = Table::new();
    for (key, value) in other {
        match (base.get(key), value) {
            (Some(same), value) if same == value => {}
            (Some(Value::Table(base)), Value::Table(other)) => {
                result.insert(key.clone(), Value::Table(difference(base, other)));
            }
            (_, value) => {
                result.insert(key.clone(), value.clone());
            }
        }
    }
    result
}

/// Shows a TOML value to the schema, which speaks JSON. What JSON lacks becomes text, which no
/// number key takes.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) if number.is_finite() => Json::from(*number),
        Value::Float(number) => Json::from(number.to_string()),
        Value::Boolean(flag) => Json::from(*flag),
        Value::Datetime(time) => Json::from(time.to_string()),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Table(table) => table_to_json(table),
    }
}

fn table_to_json(table: &Table) -> Json {
    let entries = table
        .iter()
        .map(|(key, value)| (key.clone(), to_json(value)));
    Json::Object(entries.collect())
}
