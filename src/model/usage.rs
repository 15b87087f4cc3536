//! Token counts as Codex reports them.

use serde::{Deserialize, Serialize};

/// Tokens used. `cached_input_tokens` is a part of `input_tokens`, and `reasoning_output_tokens` is a
/// part of `output_tokens`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens sent to the model.
    #[serde(default)]
    pub input_tokens: u64,
    /// Of these, tokens that the provider had cached.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Tokens that the model wrote.
    #[serde(default)]
    pub output_tokens: u64,
    /// Of these, tokens of reasoning. Codex says so from 0.153 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_output_tokens: Option<u64>,
}

impl Usage {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_output_tokens: match (
                self.reasoning_output_tokens,
                other.reasoning_output_tokens,
            ) {
                (Some(one), Some(two)) => Some(one.saturating_add(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// What was used since `before`, an earlier reading of the same counter. `None` if it cannot be
    /// one, because it is larger.
    pub(crate) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            input_tokens: self.input_tokens.checked_sub(before.input_tokens)?,
            cached_input_tokens: self
                .cached_input_tokens
                .saturating_sub(before.cached_input_tokens),
            output_tokens: self.output_tokens.checked_sub(before.output_tokens)?,
            reasoning_output_tokens: self
                .reasoning_output_tokens
                .map(|tokens| tokens.saturating_sub(before.reasoning_output_tokens.unwrap_or(0))),
        })
    }
}
