//! What a handler says about its own success: done, try again, or give up. Never decides when.

use std::fmt;

/// What a handler returns. `Ok(())` = the event is done and the queued words go out.
pub type Outcome = Result<(), Failure>;

/// A handler could not do its work. `?` on any error makes a failure that is tried again.
///
/// ```
/// use imbot::Failure;
/// fn read() -> Result<u32, Failure> {
///     Ok("12".parse::<u32>()?)
/// }
/// assert_eq!(read().ok(), Some(12));
/// ```
#[derive(Debug)]
pub struct Failure {
    again: bool,
    reason: String,
}

impl Failure {
    /// Trying again later may help. Nothing that the handler queued is sent.
    #[must_use]
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self {
            again: true,
            reason: reason.to_string(),
        }
    }

    /// Trying again cannot help: the event goes to the dead letters at once.
    #[must_use]
    pub fn fatal(reason: impl fmt::Display) -> Self {
        Self {
            again: false,
            reason: reason.to_string(),
        }
    }

    /// Whether another try may help.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.again
    }

    /// The handler's own words. Kept with the dead letter, never logged above debug.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

// `Failure` itself is no `Error`, else this would collide with `From<T> for T`.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_means_try_again() {
        let parse = || -> Result<u32, Failure> { Ok("x".parse::<u32>()?) };
        let failure = parse().unwrap_err();
        assert!(failure.may_retry());
        assert!(failure.reason().contains("invalid digit"));
        assert!(!Failure::fatal("never").may_retry());
    }
}
