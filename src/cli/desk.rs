//! What `imbot dev` and `imbot portal` share: the bots of a program, registered at an emulated portal by the same REST
//! calls as at a real one, and the line that tells of a call. Seeds nothing.

use super::decode::{Undecoded, decode};
use super::register::Wish;
use crate::dispatch::Bot;
use crate::method::{BotReply, Method};
use crate::portal::{Decision, LogEntry, Portal};
use crate::rest::{Client, Credentials};
use crate::settings::{EventMode, Wishes};
use crate::types::Secret;
use serde_json::{Value, json};

/// A bot that the portal knows now.
#[derive(Debug)]
pub(super) struct Registered {
    /// Its name in the program, which is its code at the portal.
    pub(super) name: String,
    /// The number that the portal gave it.
    pub(super) id: i64,
    /// Made for this run: whoever does not know it can forge no event.
    pub(super) token: Secret,
}

/// Registers every bot with its commands; their events go to `webhook`.
///
/// # Errors
/// What the portal refused, for people.
pub(super) async fn register(portal: &Portal, bots: &[Bot], webhook: &str) -> Result<Vec<Registered>, String> {
    let client = Client::new().map_err(|error| format!("cannot call the emulated portal: {error}"))?;
    let mut registered = Vec::new();
    for bot in bots {
        let token = random_token()?;
        let caller = Caller {
            client: &client,
            credentials: Credentials::Webhook {
                url: Secret::new(portal.incoming_webhook()),
                bot_token: Some(token.clone()),
            },
        };
        let wish = Wish::of(bot, &Wishes::default(), (EventMode::Webhook, None))?;
        let call = wish.registration(bot.name()).webhook_url(webhook).openlines(true);
        let answer: BotReply = caller.call(call, None).await?;
        for command in bot.commands() {
            let _: Value = caller.call(command.registration(), Some(answer.bot.id)).await?;
        }
        registered.push(Registered {
            name: bot.name().to_owned(),
            id: answer.bot.id,
            token,
        });
    }
    Ok(registered)
}

struct Caller<'a> {
    client: &'a Client,
    credentials: Credentials,
}

impl Caller<'_> {
    async fn call<M: Method, T: serde::de::DeserializeOwned>(&self, call: M, bot: Option<i64>) -> Result<T, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{} at the emulated portal: {why}", M::NAME);
        call.check().map_err(|refused| failed(&refused))?;
        let mut params = call.params();
        if let Some(bot) = bot {
            M::ADDRESS.put_bot(&mut params, bot);
        }
        let params = Value::Object(params).to_string();
        let answer = self.client.call(&self.credentials, M::NAME, &params).await;
        let answer = answer.map_err(|fault| failed(&fault))?;
        serde_json::from_value(answer.result).map_err(|error| failed(&error))
    }
}

fn random_token() -> Result<Secret, String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    Ok(Secret::new(
        random.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    ))
}

/// What a handler of imbot gets for an event body, for the page's inspector.
pub(super) fn normalized(body: &[u8]) -> String {
    let shown = decode(body, None, false);
    shown.unwrap_or_else(|undecoded| match undecoded {
        Undecoded::Refused(why) => format!("The door would refuse it: {why}"),
        Undecoded::Unusable(why) => format!("It would be kept for a person to look at: {why}"),
    })
}

/// A line about a REST call.
pub(super) fn call_line(request: &LogEntry) -> String {
    let what = match &request.decision {
        Decision::Executed { message_id: Some(id) } => format!("shown as message {id}"),
        Decision::Executed { message_id: None } => "done".to_owned(),
        Decision::Repeated { message_id } => format!("already shown as message {message_id}"),
        Decision::Refused { code } => format!("refused: {code}"),
        Decision::Fault { name } => format!("fault: {name}"),
    };
    let status = request
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let dialog = request.params["dialogId"].as_str();
    let dialog = dialog.map(|dialog| format!("  dialog {dialog}")).unwrap_or_default();
    let text = request
        .text()
        .map(|text| format!("  {}", json!(text)))
        .unwrap_or_default();
    format!(
        "call    {status}  {}  {}{dialog}{text}  {what}\n",
        request.method, request.identity
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::{Ctx, Outcome};
    use crate::event::CommandAdd;
    use crate::portal::PortalConfig;
    use crate::types::Clock;

    #[tokio::test]
    async fn bots_get_their_ids_from_the_portal_and_their_commands_are_there() {
        async fn deaf(_ctx: Ctx, _asked: CommandAdd) -> Outcome {
            Ok(())
        }
        let portal = Portal::start(PortalConfig::new(Clock::system())).await.unwrap();
        let bots = [
            Bot::new("echo").command("/help", "What I can do", deaf),
            Bot::new("other"),
        ];
        let known = register(&portal, &bots, "http://127.0.0.1:9/webhook").await.unwrap();
        let ids: Vec<i64> = known.iter().map(|bot| bot.id).collect();
        assert_eq!(ids, [601, 602]);
        assert_ne!(known[0].token.expose(), known[1].token.expose());
        let log = portal.log();
        let methods: Vec<&str> = log.iter().map(|entry| entry.method.as_str()).collect();
        assert_eq!(
            methods,
            [
                "imbot.v2.Bot.register",
                "imbot.v2.Command.register",
                "imbot.v2.Bot.register"
            ]
        );
        assert_eq!(log[0].params["fields"]["properties"]["name"], "Echo");
        assert_eq!(log[1].params["botId"], 601);
        assert!(!format!("{log:?}").contains(known[0].token.expose()));
        let sent = portal.say(27, "601", "/help").await.unwrap();
        assert_eq!(sent.deliveries[0].event, "ONIMBOTV2COMMANDADD");
        let line = call_line(&log[1]);
        assert!(
            line.starts_with("call    200  imbot.v2.Command.register  webhook 1"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn a_bot_that_the_portal_refuses_is_named_with_the_reason() {
        let portal = Portal::start(PortalConfig::new(Clock::system())).await.unwrap();
        let long = Bot::new("x".repeat(10));
        let failed = register(&portal, &[long], "http://nodots/webhook").await.unwrap_err();
        assert!(
            failed.contains("imbot.v2.Bot.register") && failed.contains("dot"),
            "{failed}"
        );
    }
}
