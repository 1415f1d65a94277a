//! `helpdesk` takes a ticket: commands, a keyboard, and a two-step dialogue that survives a restart.

use imbot::method::Color;
use imbot::{Bot, Button, Command, CommandAdd, Ctx, Draft, JoinChat, Keyboard, MessageAdd, Outcome, Profile, markup};
use serde::{Deserialize, Serialize};

/// Where a dialogue stands; remembered for this bot and dialog, so a restart between two messages changes nothing.
#[derive(Debug, Deserialize, Serialize)]
enum Step {
    /// The next message is the subject.
    Subject,
    /// The next message is the description.
    Description { subject: String },
}

/// The bot.
#[must_use]
pub fn bot() -> Bot {
    Bot::new("helpdesk")
        .on(welcome)
        .on(heard)
        .command_with(
            Command::new("/help")
                .title("en", "What I can do")
                .title("de", "Was ich kann"),
            help,
        )
        .command_with(
            Command::new("/ticket")
                .title("en", "Open a ticket")
                .params("en", "subject")
                .title("de", "Eine Anfrage stellen")
                .params("de", "Betreff"),
            ticket,
        )
        .command_with(
            Command::new("/cancel")
                .title("en", "Forget the ticket")
                .title("de", "Die Anfrage vergessen"),
            cancel,
        )
        .profile(
            Profile::new("Helpdesk")
                .work_position("takes your tickets")
                .color(Color::Azure),
        )
}

fn menu() -> Keyboard {
    Keyboard::new()
        .button(Button::command("Open a ticket", "/ticket", ""))
        .button(Button::command("Help", "/help", ""))
}

async fn welcome(ctx: Ctx, _joined: JoinChat) -> Outcome {
    ctx.reply(Draft::new("Hello! I take your tickets.").keyboard(menu()))
}

async fn help(ctx: Ctx, _asked: CommandAdd) -> Outcome {
    ctx.answer("Write /ticket to open a ticket: I ask for a subject and a description. /cancel forgets it.")
}

async fn ticket(ctx: Ctx, asked: CommandAdd) -> Outcome {
    let subject = asked.command.params.trim();
    if subject.is_empty() {
        ctx.remember(&Step::Subject)?;
        return ctx.answer("What is it about?");
    }
    ctx.remember(&Step::Description {
        subject: subject.to_owned(),
    })?;
    ctx.answer("Please describe it.")
}

async fn cancel(ctx: Ctx, _asked: CommandAdd) -> Outcome {
    ctx.forget()?;
    ctx.answer("Forgotten.")
}

async fn heard(ctx: Ctx, heard: MessageAdd) -> Outcome {
    let text = heard.message.text.trim();
    match ctx.recall::<Step>()? {
        None => ctx.reply(Draft::new("What can I do for you?").keyboard(menu())),
        Some(_) if text.is_empty() => ctx.reply("Please write a few words."),
        Some(Step::Subject) => {
            ctx.remember(&Step::Description {
                subject: text.to_owned(),
            })?;
            ctx.reply("Please describe it.")
        }
        Some(Step::Description { subject }) => {
            ctx.forget()?;
            ctx.reply(markup!("[b]Your ticket[/b]\n{}\n{}", subject, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use imbot::testing::with;
    use insta::assert_snapshot;
    use std::time::Duration;

    #[tokio::test]
    async fn a_ticket_takes_two_steps_and_survives_a_restart_and_a_crash() {
        let mut talk = with(super::bot()).await;
        talk.user("Ann").opens_chat().await;
        talk.user("Ann").presses("Open a ticket").await;
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Ann: Hello! I take your tickets.
          [Open a ticket: /ticket] [Help: /help]
        helpdesk -> Ann: What is it about?
        ");
        talk.restart().await;
        talk.user("Ann").says("Printer").await;
        talk.kill().await;
        talk.user("Ann").says(" ").await;
        talk.user("Ann").says("It [b]burns").await;
        talk.pass(Duration::from_secs(5)).await;
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Ann: Please describe it.
        helpdesk -> Ann: Please write a few words.
        helpdesk -> Ann: [b]Your ticket[/b]
          Printer
          It [<ZWSP>b]burns
        ");
        talk.over().await;
    }

    #[tokio::test]
    async fn a_ticket_can_be_begun_with_its_subject_and_cancelled() {
        let mut talk = with(super::bot()).await;
        for said in ["/ticket Printer", "/cancel", "It burns", "/help"] {
            talk.user("Ann").says(said).await;
        }
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Ann: Please describe it.
        helpdesk -> Ann: Forgotten.
        helpdesk -> Ann: What can I do for you?
          [Open a ticket: /ticket] [Help: /help]
        helpdesk -> Ann: Write /ticket to open a ticket: I ask for a subject and a description. /cancel forgets it.
        ");
        talk.over().await;
    }

    #[tokio::test]
    async fn two_people_have_two_tickets() {
        let mut talk = with(super::bot()).await;
        talk.user("Ann").runs("/ticket").await;
        talk.user("Bob").runs("/ticket Screen").await;
        talk.user("Ann").says("Printer").await;
        talk.user("Bob").says("It is dark").await;
        talk.user("Ann").says("It burns").await;
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Ann: What is it about?
        helpdesk -> Ann: Please describe it.
        helpdesk -> Ann: [b]Your ticket[/b]
          Printer
          It burns
        helpdesk -> Bob: Please describe it.
        helpdesk -> Bob: [b]Your ticket[/b]
          Screen
          It is dark
        ");
        talk.over().await;
    }

    #[tokio::test]
    async fn a_ticket_is_taken_once_when_the_portals_answer_is_lost() {
        let mut talk = with(super::bot()).await;
        talk.user("Ann").runs("/ticket Printer").await;
        talk.portal().execute_then_reset(None, 1);
        talk.user("Ann").says("It burns").await;
        talk.pass(Duration::from_secs(10)).await;
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Ann: Please describe it.
        helpdesk -> Ann: [b]Your ticket[/b]
          Printer
          It burns
        ");
        talk.over().await;
    }

    #[tokio::test]
    async fn a_guest_of_an_open_line_is_served_too() {
        let mut talk = with(super::bot()).await;
        talk.guest("Zoe").says("Where is my parcel?").await;
        assert_snapshot!(talk.heard().await, @"
        helpdesk -> Zoe: Hello! I take your tickets.
          [Open a ticket: /ticket] [Help: /help]
        helpdesk -> Zoe: What can I do for you?
          [Open a ticket: /ticket] [Help: /help]
        ");
        talk.over().await;
    }
}
