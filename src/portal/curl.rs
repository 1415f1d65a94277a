//! A line for a terminal that posts an event by hand: every required field in clear, and nothing else.

use super::Portal;
use super::error::PortalError;

/// Message id from the clock: 18 digits where `date` knows nanoseconds, whole seconds elsewhere.
const FRESH_ID: &str = r#"-d "data[message][id]=$(date +%s%N | tr -d N | cut -c1-18)""#;

impl Portal {
    /// One `curl` that posts `Hello, bot` from user 27 to the bot in private. Pasted twice it makes two messages.
    /// The portal must be [on demand](super::PortalConfig::on_demand): it does not know this message.
    ///
    /// # Errors
    /// There is no such bot.
    pub fn curl(&self, bot_id: i64, webhook_url: &str) -> Result<String, PortalError> {
        let user = 27;
        let mut state = self.shared().state();
        let state = &mut state.portal;
        let bot = state.bots.get(&bot_id).ok_or(PortalError::UnknownBot(bot_id))?;
        let proof = bot.owner.application_token();
        let chat = state.enter(user, &bot_id.to_string())?;
        let config = &self.shared().config;
        let (user, ts) = (user.to_string(), r#"-d "ts=$(date +%s)""#);
        let line = [
            format!("curl -sS {}", quoted(webhook_url)),
            field("event", "ONIMBOTV2MESSAGEADD"),
            field("data[bot][id]", &bot_id.to_string()),
            FRESH_ID.to_owned(),
            field("data[message][chatId]", &chat.to_string()),
            field("data[message][authorId]", &user),
            field("data[message][text]", "Hello, bot"),
            field("data[chat][id]", &chat.to_string()),
            field("data[chat][dialogId]", &user),
            field("data[chat][type]", "private"),
            field("data[user][id]", &user),
            field("data[user][name]", "Ann"),
            ts.to_owned(),
            field("auth[domain]", &config.host),
            field("auth[member_id]", &config.member_id),
            field("auth[application_token]", &proof),
        ];
        Ok(line.join(" "))
    }
}

/// Plain values as they are, all others encoded by curl itself.
fn field(name: &str, value: &str) -> String {
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let flag = if plain { "-d" } else { "--data-urlencode" };
    format!("{flag} {}", quoted(&format!("{name}={value}")))
}

/// In single quotes, inside which a shell touches nothing.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_reaches_the_shell() {
        assert_eq!(field("a[b]", "plain_1.x-y"), "-d 'a[b]=plain_1.x-y'");
        assert_eq!(field("a", "it's $(x)&"), r"--data-urlencode 'a=it'\''s $(x)&'");
    }
}
