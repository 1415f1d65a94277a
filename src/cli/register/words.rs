//! What goes wrong while registering, in sentences that say what to do. Shows no credential.

use crate::cli::beside::Trouble;
use crate::cli::exit;

/// Something that could not be done, and the exit code it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) exit: u8,
    pub(super) text: String,
    /// Bitrix24's error code, where it gave one.
    pub(super) code: String,
}

impl Problem {
    pub(super) fn new(exit: u8, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
            code: String::new(),
        }
    }

    /// A call that brought no result; `whose` is the bot for people.
    pub(super) fn of_call(whose: &str, trouble: &Trouble) -> Self {
        let code = match trouble {
            Trouble::Refused { body, .. } => body["code"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let text = match sentence(&code, trouble) {
            Some(sentence) => format!("{whose}: {sentence} ({trouble})"),
            None => format!("{whose}: {trouble}"),
        };
        let exit = match trouble {
            Trouble::Refused { reason, .. } => match reason.as_str() {
                "no_identity" | "identity" | "parked" | "paused" => exit::IDENTITY,
                "unknown_outcome" => exit::UNKNOWN,
                "no_budget" | "busy" | "stopping" => exit::NO_BUDGET,
                "storage_failed" => exit::STORE_FAILED,
                _ => exit::REFUSED,
            },
            other => other.exit(),
        };
        Self { exit, text, code }
    }
}

/// A bot that is somebody else's, as far as our token goes.
pub(super) const FOREIGN: &str = "it belongs to another application or incoming webhook, or bot_token is not the one it was \
     registered with: give the right bot_token, or another code";

/// What an error code means here, and what to do.
fn sentence(code: &str, trouble: &Trouble) -> Option<&'static str> {
    Some(match code {
        "BOT_CODE_ALREADY_TAKEN" | "BOT_OWNERSHIP_ERROR" => FOREIGN,
        "BOT_NOT_FOUND" => {
            "the portal has no such bot: remove id from its [[portal.bot]], leave code and bot_token, and it is made anew"
        }
        "BOT_TOKEN_NOT_SPECIFIED" => "the portal wants a bot_token: give it one in its [[portal.bot]]",
        "BOT_TOKEN_INVALID_LENGTH" => {
            "bot_token is longer than 40 characters: make a shorter one (`openssl rand -hex 20`)"
        }
        "BOT_INVALID_CALLBACK" | "BOT_WEBHOOK_URL_REQUIRED" => {
            "the portal does not take event_url: it needs http or https and a public name with a dot in it"
        }
        "BOT_LIMIT_EXCEEDED" => {
            "the portal has 100 bots of this owner already: `imbot register --prune` shows what is left over"
        }
        "BOT_AVATAR_INCORRECT_TYPE" => "the portal does not take the avatar for an image: give a PNG, JPEG or GIF file",
        "BOT_AVATAR_INCORRECT_SIZE" => "the avatar is larger than 5000 x 5000 pixels: give a smaller one",
        "insufficient_scope" => "the incoming webhook or application lacks the right `imbot`: tick it at the portal",
        "NO_AUTH_FOUND" | "INVALID_CREDENTIALS" => {
            "the portal does not know the incoming webhook, or the application's token: check incoming_webhook, or reinstall"
        }
        _ => match trouble {
            Trouble::Refused { reason, .. } if reason == "no_identity" => {
                "nobody to call the portal as: set incoming_webhook and bot_token, or install its application first"
            }
            _ => return None,
        },
    })
}
