//! Reactions that bots put on messages. What people put is in `people`.

use super::super::answer::Refusal;
use super::super::model::Message;
use super::super::state::State;
use super::{Call, DENIED, Done};
use serde_json::Value;

const UNKNOWN: Refusal = Refusal::method("REACTION_NOT_FOUND", "Reaction not found");
const ALREADY: Refusal = Refusal::method("REACTION_ALREADY_SET", "Reaction is already set");

/// Every reaction, separated by blanks.
const CODES: &str = "like dislike faceWithTearsOfJoy redHeart neutralFace fire cry slightlySmilingFace winkingFace \
    laugh kiss wonder slightlyFrowningFace loudlyCryingFace faceWithStuckOutTongue \
    faceWithStuckOutTongueAndWinkingEye smilingFaceWithSunglasses confusedFace flushedFace thinkingFace angry \
    smilingFaceWithHorns faceWithThermometer facepalm poo flexedBiceps clappingHands raisedHand \
    smilingFaceWithHeartEyes smilingFaceWithHearts pleadingFace relievedFace foldedHands okHand signHorns \
    loveYouGesture clownFace partyingFace questionMark exclamationMark lightBulb bomb sleepingSymbol crossMark \
    whiteHeavyCheckMark eyes handshake hundredPoints";

/// The bot, the message in its reach, and the reaction.
fn asked(call: &Call<'_>, state: &State) -> Result<(i64, Message, String), Refusal> {
    let bot = call.bot(state)?;
    let message = state.messages.get(&call.int("messageId").unwrap_or_default());
    let message = message.filter(|message| !message.deleted && state.inside(message.chat, bot));
    let message = message.cloned().ok_or(DENIED)?;
    let code = call.param("reaction").and_then(Value::as_str);
    let code = code.filter(|code| CODES.split_whitespace().any(|known| known == *code));
    Ok((bot, message, code.ok_or(UNKNOWN)?.to_owned()))
}

pub(super) fn add(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, message, code) = asked(call, state)?;
    if !state.react(message.id, bot, &code, true) {
        return Err(ALREADY);
    }
    let raised = state.raise_reaction(bot, &message, (&code, true), call.now);
    state.outgoing.extend(raised);
    Ok(Done::yes())
}

pub(super) fn delete(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, message, code) = asked(call, state)?;
    if state.react(message.id, bot, &code, false) {
        let raised = state.raise_reaction(bot, &message, (&code, false), call.now);
        state.outgoing.extend(raised);
    }
    Ok(Done::yes())
}

impl State {
    /// Puts or takes back a reaction; `false`: nothing changed.
    pub(in super::super) fn react(&mut self, message: i64, user: i64, code: &str, added: bool) -> bool {
        let Some(message) = self.messages.get_mut(&message) else {
            return false;
        };
        let users = message.reactions.entry(code.to_owned()).or_default();
        if added { users.insert(user) } else { users.remove(&user) }
    }
}
