//! Many calls in one request: which may share it, how they are written, what its answer says of each. Owns no budget;
//! whether a call may be repeated after an unknown outcome is the caller's question. The encoding of one command is
//! `method::batch_command`. Source: outbound rules, "batch".

use super::client::Credentials;
use super::fault::{Executed, Fault};
use super::reply::{Reply, error_of};
use crate::method;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The most commands of one batch: the portal answers the surplus with errors.
pub(crate) const MOST: usize = 50;
/// The longest expected run of one batch in seconds: the cloud kills a request after 60.
pub(crate) const LONGEST_RUN: f64 = 20.0;
/// Expected of a method that has not been called yet, in seconds.
const UNKNOWN_RUN: f64 = 0.2;
/// How much of an estimate a quicker call takes off.
const QUICKER: f64 = 0.3;
/// As long as a bot's token may be: it is added to the command when it is sent.
const LONGEST_TOKEN: &str = "0123456789012345678901234567890123456789";

/// One call of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) method: &'a str,
    /// A JSON object without credentials, as stored.
    pub(crate) params: &'a str,
    /// As which bot, where the batch goes through an incoming webhook: the bot's own credentials. `None` = those of the
    /// batch. Only their bot token is used.
    pub(crate) bot: Option<&'a Credentials>,
}

/// Whether the call may share a request with others: the method is one of the catalogue that a batch takes, and a URL
/// can say its parameters unharmed.
pub(crate) fn fits(name: &str, params: &str) -> bool {
    let Some(entry) = method::find(name).filter(|entry| entry.batch) else {
        return false;
    };
    let Ok(mut params) = serde_json::from_str::<Map<String, Value>>(params) else {
        return false;
    };
    entry.address.put_token(&mut params, LONGEST_TOKEN);
    method::must_go_alone(name, &params).is_none()
}

/// How long calls of each method have taken lately, to keep a batch within [`LONGEST_RUN`]. One for each portal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(HashMap<&'static str, f64>);

impl Runs {
    /// A call of this method took so many seconds in the portal (`time.duration`). A slow one counts at once, quick ones
    /// bring the estimate down little by little.
    pub(crate) fn observe(&mut self, name: &str, seconds: f64) {
        let known = self.0.entry(method::label(name)).or_insert(seconds);
        *known = seconds.max(*known + (seconds - *known) * QUICKER);
    }

    /// What one more call of this method will add to a batch, in seconds.
    pub(crate) fn expected(&self, name: &str) -> f64 {
        self.0.get(method::label(name)).copied().unwrap_or(UNKNOWN_RUN)
    }
}

/// The body of the request. A command whose stored parameters are no JSON object is left out.
pub(super) fn encode(credentials: &Credentials, commands: &[Command<'_>]) -> String {
    let lines = commands.iter().map(|command| line(credentials, command)).collect();
    let auth = match credentials {
        Credentials::Token { token, .. } => Some(token.expose()),
        Credentials::Webhook { .. } => None,
    };
    // Strings only: this cannot fail.
    serde_json::to_string(&Body { lines, auth }).unwrap_or_default()
}

fn line(credentials: &Credentials, command: &Command<'_>) -> Option<String> {
    let mut params = serde_json::from_str::<Map<String, Value>>(command.params).ok()?;
    // An access token goes around the batch once, a bot's token into every command.
    if matches!(credentials, Credentials::Webhook { .. }) {
        command.bot.unwrap_or(credentials).add_to(command.method, &mut params);
    }
    Some(method::batch_command(command.method, &params))
}

struct Body<'a> {
    lines: Vec<Option<String>>,
    auth: Option<&'a str>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry("halt", &0)?;
        body.serialize_entry("cmd", &Lines(&self.lines))?;
        if let Some(auth) = self.auth {
            body.serialize_entry("auth", auth)?;
        }
        body.end()
    }
}

/// Written in the order of the commands: the portal carries them out in the order of the text.
struct Lines<'a>(&'a [Option<String>]);

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = self.0.iter().enumerate();
        serializer.collect_map(lines.filter_map(|(at, line)| Some((key(at), line.as_ref()?))))
    }
}

/// Never a bare number: of those PHP would make a list.
fn key(at: usize) -> String {
    format!("c{at}")
}

/// What the answer says of each command, in their order. `result` is the batch's own; a command that it does not
/// mention may have been carried out or not.
pub(super) fn decode(result: &Value, commands: &[Command<'_>]) -> Vec<Result<Reply, Fault>> {
    let find = |map: &str, at: usize| result.get(map).and_then(|map| map.get(key(at)));
    let outcome = |(at, command): (usize, &Command<'_>)| {
        if serde_json::from_str::<Map<String, Value>>(command.params).is_err() {
            return Err(Fault::coded("stored_params_broken", "", 400));
        }
        if let Some(error) = find("result_error", at) {
            let unreadable = || Fault::transport("batch_no_code", Executed::Unknown);
            return Err(error
                .as_object()
                .and_then(|error| error_of(error, 200))
                .unwrap_or_else(unreadable));
        }
        match find("result", at) {
            Some(result) => Ok(Reply::new(result.clone(), find("result_time", at))),
            None => Err(Fault::transport("batch_no_entry", Executed::Unknown)),
        }
    };
    commands.iter().enumerate().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Class;
    use crate::types::{Secret, Timestamp};
    use serde_json::json;

    const SEND: &str = "imbot.v2.Chat.Message.send";

    fn webhook(token: &str) -> Credentials {
        Credentials::Webhook {
            url: Secret::new("https://a.example/rest/1/code/"),
            bot_token: Some(Secret::new(token)),
        }
    }

    fn command<'a>(method: &'a str, params: &'a str) -> Command<'a> {
        let bot = None;
        Command { method, params, bot }
    }

    #[test]
    fn commands_are_written_in_order_with_the_token_in_each() {
        let other = webhook("tok2");
        let commands: Vec<_> = (0..12)
            .map(|at| Command {
                bot: (at == 11).then_some(&other),
                ..command(SEND, r#"{"botId":5,"fields":{"message":"a&b"}}"#)
            })
            .collect();
        let body = encode(&webhook("tok1"), &commands);
        let parsed: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["halt"], 0);
        assert_eq!(parsed["cmd"].as_object().unwrap().len(), 12);
        let line = "imbot.v2.Chat.Message.send?botId=5&botToken=tok1&fields[message]=a%26b";
        assert_eq!(parsed["cmd"]["c3"], line);
        assert_eq!(parsed["cmd"]["c11"], line.replace("tok1", "tok2"));
        assert!(
            body.find("\"c2\"") < body.find("\"c10\""),
            "in the order of the commands"
        );
        assert!(!body.contains("auth"));
    }

    #[test]
    fn an_access_token_goes_around_the_batch_once() {
        let token = Credentials::Token {
            endpoint: "https://a.example/rest/".into(),
            token: Secret::new("acc"),
        };
        let bot = webhook("tok");
        let send = Command {
            bot: Some(&bot),
            ..command(SEND, r#"{"botId":5}"#)
        };
        let body = encode(&token, &[send]);
        let expected = json!({ "halt": 0, "cmd": { "c0": "imbot.v2.Chat.Message.send?botId=5" }, "auth": "acc" });
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn each_command_has_an_outcome_of_its_own() {
        let commands = [
            command(SEND, "{}"),
            command(SEND, "{}"),
            command(SEND, "broken"),
            command(SEND, "{}"),
            command(SEND, "{}"),
            command(SEND, "{}"),
        ];
        let answer = json!({
            "result": { "c0": { "id": 7 }, "c5": null },
            "result_error": {
                "c1": { "error": "OPERATION_TIME_LIMIT", "error_description": "" },
                "c3": "?",
            },
            "result_total": [], "result_next": [],
            "result_time": { "c0": { "duration": 0.5, "operating": 3.0, "operating_reset_at": 600 } },
        });
        let replies = decode(&answer, &commands);
        let reply = replies[0].as_ref().unwrap();
        assert_eq!((&reply.result, reply.seconds), (&json!({ "id": 7 }), Some(0.5)));
        assert_eq!(reply.operating.unwrap().reset_at, Some(Timestamp(600_000)));
        let fault = |at: usize| replies[at].as_ref().unwrap_err().clone();
        assert_eq!(
            (fault(1).class, fault(1).executed),
            (Class::OperatingTime, Executed::No)
        );
        assert_eq!(
            (fault(2).code.as_str(), fault(2).executed),
            ("stored_params_broken", Executed::No)
        );
        assert_eq!(
            (fault(3).code.as_str(), fault(3).executed),
            ("batch_no_code", Executed::Unknown)
        );
        assert_eq!(
            (fault(4).code.as_str(), fault(4).executed),
            ("batch_no_entry", Executed::Unknown)
        );
        assert_eq!(replies[5].as_ref().unwrap().result, Value::Null);
    }

    #[test]
    fn an_empty_map_is_a_list() {
        let commands = [command(SEND, "{}")];
        let failed = json!({
            "result": [], "result_error": { "c0": { "error": "EMPTY_MESSAGE" } }, "result_time": [],
        });
        let replies = decode(&failed, &commands);
        assert_eq!(replies[0].as_ref().unwrap_err().class, Class::Invalid);
        let well = json!({ "result": { "c0": true }, "result_error": [], "result_time": [] });
        assert!(decode(&well, &commands)[0].is_ok());
        for strange in [json!([]), json!(true), json!({ "result": {} })] {
            let outcome = decode(&strange, &commands).remove(0).unwrap_err();
            assert_eq!(outcome.executed, Executed::Unknown, "{strange}");
        }
    }

    #[test]
    fn only_what_a_batch_carries_unharmed_may_share_it() {
        assert!(fits(SEND, r#"{"dialogId":"chat5","fields":{"message":"50% & more"}}"#));
        for (name, params) in [
            (SEND, r#"{"fields":{"message":"$RESULT[c0]"}}"#),
            (SEND, r#"{"fields":{"message":"<b>"}}"#),
            (SEND, r#"{"fields":{"attach":[]}}"#),
            (SEND, "broken"),
            ("imbot.v2.File.upload", "{}"),
            ("crm.deal.get", "{}"),
        ] {
            assert!(!fits(name, params), "{name} {params}");
        }
        // The token is added later and counts too: `botToken=` and forty characters.
        let message = |length: usize| format!(r#"{{"m":"{}"}}"#, "x".repeat(length));
        let room = 8192 - format!("{SEND}?m=&botToken={LONGEST_TOKEN}").len();
        assert!(fits(SEND, &message(room)));
        assert!(!fits(SEND, &message(room + 1)));
    }

    #[test]
    fn a_slow_call_counts_at_once_and_is_forgotten_slowly() {
        let mut runs = Runs::default();
        assert!(runs.expected(SEND) * 50.0 < LONGEST_RUN, "a first batch may be full");
        runs.observe(SEND, 0.1);
        runs.observe(SEND, 2.0);
        assert!((runs.expected(SEND) - 2.0).abs() < 1e-9);
        runs.observe(SEND, 0.1);
        assert!((runs.expected(SEND) - 1.43).abs() < 1e-9);
        (0..50).for_each(|_| runs.observe(SEND, 0.1));
        assert!(runs.expected(SEND) < 0.11);
        assert!((runs.expected("imbot.v2.Chat.get") - UNKNOWN_RUN).abs() < 1e-9);
    }
}
