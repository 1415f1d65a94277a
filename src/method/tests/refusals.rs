//! Each limit of the portal, one step inside and one step outside.

use super::super::*;
use crate::types::{Attachment, Block, Button, Draft, Keyboard, Secret};

const OK: Result<(), Refused> = Ok(());

/// Where a call is refused.
fn field(call: &impl Method) -> String {
    call.check().expect_err("refused").field().to_owned()
}

fn reason(call: &impl Method) -> Reason {
    call.check().expect_err("refused").reason().clone()
}

#[test]
fn texts_over_twenty_thousand_characters_are_refused_everywhere() {
    let (fits, long) = ("ä".repeat(Draft::MAX_CHARS), "ä".repeat(Draft::MAX_CHARS + 1));
    let (length, most) = (20_001, 20_000);
    assert_eq!(MessageSend::new("27", fits.as_str()).check(), OK);
    assert_eq!(
        reason(&MessageSend::new("27", long.as_str())),
        Reason::TooLong { length, most }
    );
    assert_eq!(field(&MessageSend::new("27", long.as_str())), "fields.message");
    assert_eq!(field(&CommandAnswer::new(1, 2, "27", long.as_str())), "fields.message");
    assert_eq!(MessageUpdate::new(1).text(fits.as_str()).check(), OK);
    assert_eq!(field(&MessageUpdate::new(1).text(long.as_str())), "fields.message");
    assert_eq!(field(&ChatAdd::new().message(long.as_str())), "fields.message");
    assert_eq!(
        field(&FileUpload::new("27", "a.txt", b"a").message(long.as_str())),
        "fields.message"
    );
    assert_eq!(
        field(&UserFileUpload::new("27", "a.txt", b"a").message(long.as_str())),
        "fields.message"
    );
    assert_eq!(field(&SessionMessageSend::text(1, long.as_str())), "MESSAGE");
}

#[test]
fn a_message_that_shows_nothing_is_refused() {
    assert_eq!(reason(&MessageSend::new("27", " \n")), Reason::Blank);
    assert_eq!(MessageSend::forwarding("27", [("u", 1)]).check(), OK);
    let blocks = Draft::new("").attachment(Attachment::new().block(Block::delimiter()));
    assert_eq!(MessageSend::new("27", blocks.clone()).check(), OK);
    assert_eq!(CommandAnswer::new(1, 2, "27", blocks).check(), OK);
    assert_eq!(field(&CommandAnswer::new(1, 2, "27", "")), "fields.message");
    assert_eq!(field(&SessionMessageSend::text(1, " ")), "MESSAGE");
}

#[test]
fn a_hundred_forwards_are_the_most() {
    let forwards = |count: i64| (1..=count).map(|id| (format!("u-{id}"), id));
    assert_eq!(MessageSend::forwarding("27", forwards(100)).check(), OK);
    let (count, most) = (101, 100);
    assert_eq!(
        reason(&MessageSend::forwarding("27", forwards(101))),
        Reason::TooMany { count, most }
    );
    assert_eq!(field(&MessageSend::forwarding("27", forwards(0))), "fields.forwardIds");
    assert_eq!(field(&MessageSend::forwarding("27", [("u", 0)])), "fields.forwardIds");
}

#[test]
fn attachments_are_checked_wherever_they_go() {
    let fat = Attachment::new().block(Block::message("x".repeat(Attachment::MAX_CHARS)));
    let draft = Draft::new("x").attachment(fat.clone());
    assert!(matches!(
        reason(&MessageSend::new("27", draft.clone())),
        Reason::TooLong { most: 60_000, .. }
    ));
    assert_eq!(field(&MessageSend::new("27", draft.clone())), "fields.attach");
    assert_eq!(field(&CommandAnswer::new(1, 2, "27", draft)), "fields.attach");
    assert_eq!(field(&MessageUpdate::new(1).attachment(&fat)), "fields.attach");
    let empty = Attachment::new();
    assert_eq!(field(&MessageUpdate::new(1).attachment(&empty)), "fields.attach.BLOCKS");
}

#[test]
fn keyboards_are_checked_wherever_they_go() {
    let dumb = Keyboard::new().button(Button::command("", "/x", ""));
    let draft = Draft::new("x").keyboard(dumb.clone());
    assert_eq!(field(&MessageSend::new("27", draft.clone())), "fields.keyboard.0.TEXT");
    assert_eq!(field(&CommandAnswer::new(1, 2, "27", draft)), "fields.keyboard.0.TEXT");
    assert_eq!(field(&MessageUpdate::new(1).keyboard(&dumb)), "fields.keyboard.0.TEXT");
}

#[test]
fn tokens_have_at_most_forty_characters() {
    let token = |length: usize| Secret::new("t".repeat(length));
    assert_eq!(BotRegister::new("a", "b").token(&token(40)).check(), OK);
    let long = BotRegister::new("a", "b").token(&token(41));
    assert_eq!(field(&long), "fields.botToken");
    assert!(
        !format!("{long:?} {}", long.check().unwrap_err()).contains("ttt"),
        "nor is the token shown"
    );
    assert_eq!(BotUpdate::new().new_token(&token(40)).check(), OK);
    assert_eq!(field(&BotUpdate::new().new_token(&token(41))), "fields.botToken");
    assert_eq!(field(&BotUpdate::new().new_token(&token(0))), "fields.botToken");
}

#[test]
fn ranges_include_their_ends() {
    let people = |limit| ChatUserList::new("chat5").limit(limit).check();
    let range = |range| MessageGetContext::new(1).range(range).check();
    let typing = |seconds| InputActionNotify::new("27").seconds(seconds).check();
    let poll = |limit| EventGet::new().limit(limit).check();
    let user_poll = |limit| UserEventGet::new().limit(limit).check();
    for (inside, outside, path) in [
        (people(1), people(0), "limit"),
        (people(200), people(201), "limit"),
        (range(1), range(0), "range"),
        (range(50), range(51), "range"),
        (typing(1), typing(0), "duration"),
        (typing(600), typing(601), "duration"),
        (poll(1), poll(0), "limit"),
        (poll(1000), poll(1001), "limit"),
        (user_poll(1), user_poll(0), "limit"),
        (user_poll(1000), user_poll(1001), "limit"),
        (
            EventGet::new().from(0).check(),
            EventGet::new().from(-1).check(),
            "offset",
        ),
        (
            BotList::new().limit(1).check(),
            BotList::new().limit(0).check(),
            "limit",
        ),
        (
            BotList::new().offset(0).check(),
            BotList::new().offset(-1).check(),
            "offset",
        ),
    ] {
        assert_eq!(inside, OK);
        let outside = outside.expect_err("refused");
        assert_eq!(outside.field(), path);
        assert!(matches!(outside.reason(), Reason::OutOfRange { .. }));
    }
}

#[test]
fn numbers_of_things_begin_at_one() {
    for (refused, path) in [
        (field(&MessageUpdate::new(0).text("x")), "messageId"),
        (field(&MessageDelete::new(-1)), "messageId"),
        (field(&MessageGet::new(0)), "messageId"),
        (field(&MessageSend::new("27", "x").reply_to(0)), "fields.replyId"),
        (field(&ReactionAdd::new(0, Reaction::Like)), "messageId"),
        (field(&CommandUnregister::new(0)), "commandId"),
        (field(&CommandAnswer::new(0, 1, "27", "x")), "commandId"),
        (field(&FileDownload::new(0)), "fileId"),
        (field(&BotGet::by_id(0)), "botId"),
        (field(&ChatSetOwner::new("chat5", 0)), "userId"),
        (field(&ChatUserAdd::new("chat5", [1, 0])), "userIds"),
        (field(&ChatAdd::new().owner(0)), "fields.ownerId"),
        (field(&SessionOperator::new(0)), "CHAT_ID"),
        (field(&SessionTransfer::to_user(1, 0)), "USER_ID"),
        (field(&SessionTransfer::to_queue(1, 0)), "QUEUE_ID"),
    ] {
        assert_eq!(refused, path);
    }
}

#[test]
fn lists_of_people_are_not_empty() {
    for call in [
        ChatUserAdd::new("chat5", []).check(),
        ChatManagerAdd::new("chat5", []).check(),
        ChatManagerDelete::new("chat5", []).check(),
    ] {
        assert_eq!(call.unwrap_err().reason(), &Reason::Empty);
    }
    assert_eq!(field(&ChatAdd::new().users([])), "fields.userIds");
}

#[test]
fn dialogs_have_their_form_and_some_methods_take_groups_only() {
    assert_eq!(ChatGet::new("27").check(), OK);
    for refused in [
        field(&ChatGet::new("sg4")),
        field(&MessageSend::new("chat", "x")),
        field(&ChatLeave::new("27")),
        field(&ChatSetOwner::new("27", 1)),
        field(&ChatUserAdd::new("27", [1])),
        field(&ChatUserDelete::new("27", 1)),
        field(&ChatUserList::new("27")),
        field(&ChatManagerAdd::new("27", [1])),
        field(&ChatManagerDelete::new("27", [1])),
    ] {
        assert_eq!(refused, "dialogId");
    }
}

#[test]
fn a_bot_needs_code_name_and_an_address_that_can_be_reached() {
    assert_eq!(field(&BotRegister::new("", "b")), "fields.code");
    assert_eq!(field(&BotRegister::new("a", " ")), "fields.properties.name");
    assert_eq!(field(&BotGet::by_code("")), "code");
    for url in [
        "ftp://a.b/",
        "https://localhost/",
        "bots.example.com",
        "https:///a.b",
        "",
    ] {
        assert_eq!(
            field(&BotRegister::new("a", "b").webhook_url(url)),
            "fields.webhookUrl",
            "{url}"
        );
        assert_eq!(field(&BotUpdate::new().webhook_url(url)), "fields.webhookUrl", "{url}");
    }
    let addressless = BotRegister::new("a", "b").event_mode(EventMode::Webhook);
    assert_eq!(field(&addressless), "fields.webhookUrl");
    assert_eq!(
        BotUpdate::new().event_mode(EventMode::Webhook).check(),
        OK,
        "it may have its address already"
    );
    assert_eq!(field(&BotList::new().kind(BotType::Network)), "filter.type");
}

#[test]
fn pictures_are_not_empty_and_at_most_five_thousand_pixels() {
    let png = |width: u32| {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        [head, width.to_be_bytes().to_vec(), 5_000_u32.to_be_bytes().to_vec()].concat()
    };
    assert_eq!(BotRegister::new("a", "b").avatar(&png(5_000)).check(), OK);
    assert_eq!(
        field(&BotRegister::new("a", "b").avatar(&png(5_001))),
        "fields.properties.avatar"
    );
    assert_eq!(field(&BotUpdate::new().avatar(b"")), "fields.properties.avatar");
    assert_eq!(field(&ChatUpdate::new("chat5").avatar(&png(5_001))), "fields.avatar");
}

#[test]
fn files_have_a_name_and_at_most_a_hundred_megabytes() {
    assert_eq!(field(&FileUpload::new("27", "", b"a")), "fields.name");
    assert_eq!(field(&FileUpload::new("27", "a.txt", b"")), "fields.content");
    let bytes = vec![0; 100 * 1024 * 1024 + 1];
    assert_eq!(field(&UserFileUpload::new("27", "a.bin", &bytes)), "fields.content");
}

#[test]
fn commands_have_one_word_and_a_title_unless_hidden() {
    assert_eq!(field(&CommandRegister::new("help")), "fields.title");
    assert_eq!(CommandRegister::new("help").hidden(true).check(), OK);
    assert_eq!(field(&CommandRegister::new("/").hidden(true)), "fields.command");
    assert_eq!(field(&CommandRegister::new("help me").hidden(true)), "fields.command");
    assert_eq!(field(&CommandUpdate::new(1).command("")), "fields.command");
    for language in ["EN", "eng", "", "e.n"] {
        assert_eq!(
            field(&CommandRegister::new("help").title(language, "x")),
            "fields.title",
            "{language}"
        );
    }
    assert_eq!(
        field(&CommandRegister::new("help").title("en", "x").params("de", "y")),
        "fields.params"
    );
    assert_eq!(field(&CommandUpdate::new(1).params("de", "y")), "fields.params");
}

#[test]
fn an_update_that_changes_nothing_is_refused() {
    assert_eq!(field(&BotUpdate::new()), "fields");
    assert_eq!(field(&ChatUpdate::new("chat5")), "fields");
    assert_eq!(field(&CommandUpdate::new(42)), "fields");
    assert_eq!(field(&MessageUpdate::new(789)), "fields");
}

#[test]
fn a_transfer_names_a_user_or_a_queue() {
    assert_eq!(SessionTransfer::to(1, "12").check(), OK);
    for target in ["", "queue", "queue x", "12a", "-1"] {
        assert_eq!(field(&SessionTransfer::to(1, target)), "TRANSFER_ID", "{target}");
    }
    assert_eq!(field(&ReactionAdd::code(1, " ")), "reaction");
}

#[test]
fn a_call_that_is_fine_reads_as_a_sentence_when_it_is_not() {
    let refused = InputActionNotify::new("27").seconds(900).check().unwrap_err();
    assert_eq!(refused.to_string(), "duration: is 900; the portal takes 1 to 600");
}
