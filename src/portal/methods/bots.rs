//! Registering, reading and removing bots. Changing one is in `rotation`.

use super::super::access::{NO_BOT, owner_text, truthy, whole};
use super::super::answer::Refusal;
use super::super::config::Owner;
use super::super::event::Happening;
use super::super::model::{Bot, BotKind, User};
use super::super::state::State;
use super::super::views;
use super::{Call, Done, avatar};
use crate::types::Secret;
use serde_json::{Value, json};

const MODE: Refusal = Refusal::method("BOT_INVALID_EVENT_MODE", "Event mode must be fetch or webhook");
const CALLBACK: Refusal = Refusal::method("BOT_INVALID_CALLBACK", "Webhook address is not acceptable");
const TAKEN: Refusal = Refusal::method("BOT_CODE_ALREADY_TAKEN", "Bot code is already taken");
pub(super) const LONG_TOKEN: Refusal = Refusal::method("BOT_TOKEN_INVALID_LENGTH", "Bot token is too long");
const MOST: usize = 100;
pub(super) const LONGEST_TOKEN: usize = 40;

/// The checks come in the order of a real portal, so an existing bot is given back whatever else is wrong.
pub(super) fn register(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let mut params = call.params.clone();
    if !params.contains_key("botToken")
        && let Some(token) = call.field("botToken")
    {
        params.insert("botToken".to_owned(), token.clone());
    }
    let owner_text = owner_text(call.caller, &params)?;
    let filled = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let code = filled(call.text("code")).ok_or(Refusal::method("BOT_CODE_REQUIRED", "Bot code is required"))?;
    let properties = call.field("properties");
    let name = filled(properties.and_then(|all| all["name"].as_str()));
    let name = name.ok_or(Refusal::method("BOT_PROPERTIES_REQUIRED", "Bot name is required"))?;
    let fetch = mode(call.field("eventMode"))?.unwrap_or(true);
    let url = filled(call.text("webhookUrl"));
    if !fetch && url.is_none() {
        return Err(Refusal::method(
            "BOT_WEBHOOK_URL_REQUIRED",
            "Webhook address is required",
        ));
    }
    if let Some(bot) = state.bots.values().find(|bot| bot.code == code) {
        return if bot.owner.text() == owner_text {
            Ok(Done::quiet(described(state, bot.id, true)))
        } else {
            Err(TAKEN)
        };
    }
    let kind = call.text("type").unwrap_or("bot");
    let kind = BotKind::named(kind).ok_or(Refusal::method("BOT_INVALID_TYPE", "Unknown bot type"))?;
    if !fetch {
        check_callback(url.as_deref(), state)?;
    }
    let owner = owner(call, state, &owner_text)?;
    let has_avatar = avatar::check(properties.and_then(|all| all.get("avatar")))?;
    let own = state.bots.values().filter(|bot| bot.owner.text() == owner_text);
    if own.count() >= MOST {
        return Err(Refusal::method("BOT_LIMIT_EXCEEDED", "Too many bots"));
    }
    let id = state.next_bot();
    let mut user = User::new(id, &name, true);
    dress(&mut user, properties, has_avatar);
    state.users.insert(id, user);
    let subscription = state.subscribe();
    let mut bot = Bot::new(id, &code, owner, subscription);
    (bot.kind, bot.fetch) = (kind, fetch);
    bot.webhook_url = url.filter(|_| !fetch);
    flags(&mut bot, call);
    state.bots.insert(id, bot);
    Ok(Done::quiet(described(state, id, true)))
}

fn owner(call: &Call<'_>, state: &State, text: &str) -> Result<Owner, Refusal> {
    if let super::Caller::App { client_id, .. } = call.caller {
        let app = state.apps.get(client_id);
        return app.map(|app| Owner::App(app.seed())).ok_or(NO_BOT);
    }
    let token = text.strip_prefix("custom").unwrap_or(text);
    if state.knobs.token_length && token.chars().count() > LONGEST_TOKEN {
        return Err(LONG_TOKEN);
    }
    Ok(Owner::Webhook {
        bot_token: Secret::new(token),
    })
}

/// `true`: fetch; `None`: not said.
pub(super) fn mode(value: Option<&Value>) -> Result<Option<bool>, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str() {
            Some("fetch") => Ok(Some(true)),
            Some("webhook") => Ok(Some(false)),
            _ => Err(MODE),
        },
    }
}

/// A portal only reads the address: http or https, and a dot in the host.
pub(super) fn check_callback(url: Option<&str>, state: &State) -> Result<(), Refusal> {
    let parsed = url.and_then(|url| url::Url::parse(url).ok()).ok_or(CALLBACK)?;
    let host = parsed.host_str().unwrap_or_default();
    let reachable = state.knobs.local_callbacks || host.contains('.');
    let sound = matches!(parsed.scheme(), "http" | "https") && !host.is_empty() && reachable;
    sound.then_some(()).ok_or(CALLBACK)
}

/// The profile; what is not said or not allowed stays as it is.
pub(super) fn dress(user: &mut User, properties: Option<&Value>, has_avatar: bool) {
    let text = |name: &str| properties.and_then(|all| all[name].as_str()).map(str::to_owned);
    if let Some(name) = text("name").filter(|name| !name.trim().is_empty()) {
        let (first, last) = name.trim().split_once(' ').unwrap_or((name.trim(), ""));
        (user.first_name, user.last_name) = (first.to_owned(), last.to_owned());
    }
    if let Some(last) = text("lastName").filter(|last| !last.is_empty()) {
        // With a last name of its own the whole name is the first one.
        user.first_name = text("name").unwrap_or_else(|| user.first_name.clone());
        user.last_name = last;
    }
    if let Some(position) = text("workPosition") {
        user.work_position = position;
    }
    if let Some(gender) = text("gender").filter(|gender| gender == "M" || gender == "F") {
        user.gender = gender;
    }
    if let Some(color) = text("color").and_then(|color| super::chats::color(&color)) {
        user.color = color.to_owned();
    }
    if has_avatar {
        user.avatar = format!("/upload/main/avatar{}.png", user.id);
    }
}

/// The flags that are said.
pub(super) fn flags(bot: &mut Bot, call: &Call<'_>) {
    const BACKGROUNDS: [&str; 9] = [
        "azure",
        "mint",
        "steel",
        "slate",
        "teal",
        "cornflower",
        "sky",
        "peach",
        "frost",
    ];
    for (name, flag) in [
        ("isHidden", &mut bot.hidden),
        ("isReactionsEnabled", &mut bot.reactions),
        ("isSupportOpenline", &mut bot.open_line),
    ] {
        if let Some(value) = call.field(name) {
            *flag = truthy(Some(value));
        }
    }
    if let Some(background) = call.field("backgroundId") {
        let known = background.as_str().filter(|name| BACKGROUNDS.contains(name));
        bot.background = known.map(str::to_owned);
    }
}

/// `{bot, users}`.
pub(super) fn described(state: &State, id: i64, full: bool) -> Value {
    json!({ "bot": views::bot(state, id, full), "users": views::users(state, [id]) })
}

pub(super) fn get(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    const NONE: Refusal = Refusal::method("PARAMS_REQUIRED", "botId or code is required");
    let presented = owner_text(call.caller, call.params)?;
    let id = call.int("botId").filter(|id| *id > 0);
    let code = call
        .param("code")
        .and_then(Value::as_str)
        .filter(|code| !code.is_empty());
    let bot = match (id, code) {
        (Some(id), _) => state.bots.get(&id),
        (None, Some(code)) => state.bots.values().find(|bot| bot.code == code),
        (None, None) => return Err(NONE),
    };
    let bot = bot.ok_or(NO_BOT)?;
    let full = bot.owner.text() == presented;
    Ok(Done::quiet(described(state, bot.id, full)))
}

pub(super) fn list(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let presented = owner_text(call.caller, call.params)?;
    let wanted = call.param("filter").and_then(|filter| filter["type"].as_str());
    let kind = wanted.map(BotKind::named);
    let fits = |bot: &&Bot| match kind {
        None => true,
        Some(None) => state.knobs.unknown_filter_lists_all,
        Some(Some(kind)) => bot.kind == kind,
    };
    let number = |name: &str, default: i64| call.param(name).and_then(whole).unwrap_or(default).max(0);
    let limit = usize::try_from(number("limit", 50)).unwrap_or(50);
    let offset = usize::try_from(number("offset", 0)).unwrap_or(0);
    let own = state.bots.values().filter(|bot| bot.owner.text() == presented);
    let ids: Vec<i64> = own.filter(fits).skip(offset).take(limit).map(|bot| bot.id).collect();
    let bots: Vec<Value> = ids.iter().map(|id| views::bot(state, *id, true)).collect();
    Ok(Done::quiet(json!({
        "bots": bots,
        // True for a page that is exactly full, also where nothing follows.
        "hasNextPage": !ids.is_empty() && ids.len() == limit,
        "users": views::users(state, ids),
    })))
}

pub(super) fn unregister(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    if state.knobs.delete_event {
        let actor = Some(call.caller.user());
        let event = state.compose(bot, (None, actor), &Happening::Delete, call.now);
        state.outgoing.extend(event);
    }
    state.remove_bot(bot);
    Ok(Done::yes())
}
