//! Events built from plain data against the bodies of the captures, byte for byte.

use super::super::config::{AppSeed, Owner};
use super::super::event::{Credentials, Happening, Scene, body, install, uninstall};
use super::super::payload::{Site, Tokens};
use super::super::state::{Bot, Chat, ChatKind, Command, Message, User};
use crate::types::{Secret, Timestamp};
use serde_json::json;

const APPLICATION: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// The date of every captured message.
const WRITTEN: Timestamp = Timestamp(1_772_097_963_000);

macro_rules! capture {
    ($name:literal) => {
        String::from_utf8_lossy(include_bytes!(concat!(
            "../../../tests/captures/public/",
            $name,
            ".form"
        )))
    };
}

fn site() -> Site {
    Site {
        domain: "acme.bitrix24.com".to_owned(),
        client_endpoint: "https://acme.bitrix24.com/rest/".to_owned(),
        server_endpoint: "https://oauth.bitrix.info/rest/".to_owned(),
        member_id: "11aa22bb33cc44dd55ee66ff77008899".to_owned(),
    }
}

fn tokens(user_id: i64, access_token: &str, refresh_token: &str) -> Tokens {
    Tokens {
        access_token: access_token.to_owned(),
        refresh_token: refresh_token.to_owned(),
        expires: 1_772_097_600,
        scope: "imbot,im,imopenlines".to_owned(),
        user_id,
        client_id: "local.65a1b2c3d4e5f6.12345678".to_owned(),
    }
}

fn app_bot() -> (Bot, Credentials) {
    let app = AppSeed {
        client_id: String::new(),
        access_token: Secret::new(""),
        application_token: Secret::new(APPLICATION),
        scope: String::new(),
    };
    let bot = bot(456, "support_bot", Owner::App(app), 111);
    let credentials = Credentials {
        bot: Some(tokens(
            456,
            "e18cf66a239ac6308b0b5388ef6f768d46a222eb8918ea9fd0d9731a37e04b17543a04",
            "d6195ed0922ac6953556fb66fcfdc673a96babbcb2ef9a2120c640fa598f77dc837bed",
        )),
        actor: Some(tokens(
            27,
            "411ae654a8e175d911be48aaa41a9757394962fdf8612e2c559cd5fd735b6894909fd9",
            "354fea0725ae783b91590496b88ed54ad3a65daede2e19553699a5db9011c6750ef3bc",
        )),
        application_token: bot.owner.application_token(),
    };
    (bot, credentials)
}

fn webhook_bot(first_subscription: i64) -> (Bot, Credentials) {
    let bot_token = Secret::new("my_secret_token_123");
    let bot = bot(461, "webhook_bot", Owner::Webhook { bot_token }, first_subscription);
    let credentials = Credentials {
        bot: None,
        actor: None,
        application_token: bot.owner.application_token(),
    };
    (bot, credentials)
}

fn bot(id: i64, code: &str, owner: Owner, first_subscription: i64) -> Bot {
    Bot {
        id,
        code: code.to_owned(),
        owner,
        webhook_url: None,
        first_subscription,
    }
}

fn svetlana() -> User {
    User {
        work_position: "Developer".to_owned(),
        gender: "F",
        departments: vec![1, 5],
        email: "svetlana@example.com".to_owned(),
        ..User::new(27, "Svetlana Ivanova", false)
    }
}

fn private(id: i64, bot: i64, user: i64) -> Chat {
    Chat {
        id,
        kind: ChatKind::Private,
        owner: bot,
        is_new: false,
        members: [bot, user].into(),
    }
}

fn group(is_new: bool, color: &str) -> Chat {
    Chat {
        id: 1157,
        kind: ChatKind::Group {
            name: "Brown Chat #18".to_owned(),
            color: color.to_owned(),
            disk_folder: 5357,
        },
        owner: 27,
        is_new,
        members: [27, 456].into(),
    }
}

fn message(id: i64, chat: i64, author: i64, text: &str) -> Message {
    Message {
        id,
        ..Message::new(chat, author, text, WRITTEN)
    }
}

/// The body of an event of Svetlana's in this chat.
fn built((bot, credentials): &(Bot, Credentials), ts: i64, chat: &Chat, happening: &Happening<'_>) -> String {
    let svetlana = svetlana();
    let scene = Scene {
        chat: Some(chat),
        user: Some(&svetlana),
    };
    let bytes = body((&site(), "en", ts), bot, credentials, &scene, happening);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn messages_are_the_captured_bytes() {
    let chat = private(1407, 456, 27);
    let hello = message(84331, 1407, 27, "Hello");
    let made = built(&app_bot(), 1_772_094_000, &chat, &Happening::MessageAdd(&hello));
    assert_eq!(made, capture!("01_message_add_private"));

    let edited = Message {
        edited: true,
        viewed: true,
        text: "Hello (edited)".to_owned(),
        ..hello
    };
    let made = built(&app_bot(), 1_772_094_060, &chat, &Happening::MessageUpdate(&edited));
    assert_eq!(made, capture!("16_message_update"));

    let made = built(&app_bot(), 1_772_094_090, &chat, &Happening::MessageDelete(84331));
    assert_eq!(made, capture!("17_message_delete"));
}

#[test]
fn a_webhook_bots_message_carries_no_tokens_and_is_the_captured_bytes() {
    let ping = message(90001, 2001, 27, "ping");
    let happening = Happening::MessageAdd(&ping);
    let made = built(&webhook_bot(975), 1_772_094_100, &private(2001, 461, 27), &happening);
    assert_eq!(made, capture!("05_message_add_webhook_bot"));
}

#[test]
fn joining_is_the_captured_bytes() {
    let made = built(&app_bot(), 1_772_094_000, &private(1407, 456, 27), &Happening::JoinChat);
    assert_eq!(made, capture!("18_join_chat_private"));
    let made = built(&app_bot(), 1_772_094_000, &group(true, "#ab7761"), &Happening::JoinChat);
    assert_eq!(made, capture!("19_join_chat_group"));
}

#[test]
fn a_bots_end_is_the_captured_bytes() {
    let made = built(&app_bot(), 1_772_094_500, &private(1407, 456, 27), &Happening::Delete);
    assert_eq!(made, capture!("20_bot_delete"));
}

#[test]
fn a_context_is_the_captured_bytes() {
    let context = json!({ "action": "openTask", "taskId": 456 });
    let john = User {
        work_position: "Developer".to_owned(),
        email: "john@example.com".to_owned(),
        ..User::new(274, "John Smith", false)
    };
    let (bot, mut credentials) = app_bot();
    credentials.actor = Some(tokens(
        274,
        "d2e13cb25a68017b411095800d338458c5f6b6eda628a2aea399fec9c9e2a6d4806326",
        "9eb1602b10c521fa7a614cdff9acf31622cd7b9ddfc0a332b83260a600e73283d54a0c",
    ));
    let chat = private(4511, 456, 274);
    let scene = Scene {
        chat: Some(&chat),
        user: Some(&john),
    };
    let head = (&site(), "en", 1_772_094_200);
    let bytes = body(head, &bot, &credentials, &scene, &Happening::ContextGet(&context));
    assert_eq!(String::from_utf8(bytes).unwrap(), capture!("22_context_get_private"));
}

#[test]
fn commands_are_the_captured_bytes() {
    let command = |id, bot, name: &str| Command {
        id,
        bot,
        name: name.to_owned(),
    };
    let typed = message(84370, 1157, 27, "/help topic one");
    let happening = Happening::CommandAdd {
        command: &command(78, 456, "help"),
        params: "topic one",
        context: "textarea",
        message: &typed,
    };
    let made = built(&app_bot(), 1_772_094_300, &group(false, "#ab7761"), &happening);
    assert_eq!(made, capture!("24_command_add_textarea"));

    let offered = Message {
        keyboard: vec![json!({ "BOT_ID": 456, "TEXT": "👍 Yes", "COMMAND": "feedback", "COMMAND_PARAMS": "like 42" })],
        ..message(84363, 1407, 456, "Select action")
    };
    let happening = Happening::CommandAdd {
        command: &command(79, 456, "feedback"),
        params: "like 42",
        context: "keyboard",
        message: &offered,
    };
    let made = built(&app_bot(), 1_772_094_301, &private(1407, 456, 27), &happening);
    assert_eq!(made, capture!("25_command_add_keyboard"));
}

#[test]
fn reactions_are_the_captured_bytes() {
    let chat = private(1407, 456, 27);
    let mut message = message(84363, 1407, 456, "Hello! How can I help?");
    let taken_back = Happening::ReactionChange {
        reaction: "like",
        added: false,
        message: &message,
    };
    let made = built(&app_bot(), 1_772_094_401, &chat, &taken_back);
    assert_eq!(made, capture!("28_reaction_delete"));
    message.viewed = true;
    let set = Happening::ReactionChange {
        reaction: "faceWithTearsOfJoy",
        added: true,
        message: &message,
    };
    let made = built(&app_bot(), 1_772_094_400, &chat, &set);
    assert_eq!(made, capture!("27_reaction_add"));
}

#[test]
fn installing_and_uninstalling_are_the_captured_bytes() {
    let installer = tokens(
        1,
        "7efac97dc971c437640403f744b7cdbb66c7e1ecf6fdbfc41eba41544db863d649dc20",
        "baa8a6bd714cf5b8129b7877c9606d9360e8fe1f9335b44708cdd0b2b7803ba61ae956",
    );
    let made = install(&site(), "de", 1_772_090_000, &installer, APPLICATION);
    assert_eq!(String::from_utf8(made).unwrap(), capture!("29_app_install"));
    let made = uninstall(&site(), "de", 1_772_099_999, APPLICATION);
    assert_eq!(String::from_utf8(made).unwrap(), capture!("30_app_uninstall"));
}

#[test]
fn the_application_token_of_a_webhook_bot_is_cut_at_fifty() {
    let long = Secret::new("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    let owner = Owner::Webhook { bot_token: long };
    assert_eq!(
        owner.application_token(),
        "custom9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b"
    );
}
