//! `helpdesk` takes a ticket: commands, a keyboard, and a two-step dialogue that survives a restart.

use imbot::{Bot, Button, CommandAdd, Ctx, Draft, JoinChat, Keyboard, MessageAdd, Outcome, markup};
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
        .command("/help", "What I can do", help)
        .command("/ticket", "Open a ticket", ticket)
        .command("/cancel", "Forget the ticket", cancel)
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
    use imbot::testing::Stage;

    #[tokio::test]
    async fn a_ticket_takes_two_steps_and_survives_a_restart() {
        let mut stage = Stage::builder().bot(super::bot()).start().await;
        stage.joins(27, 101, "101").await;
        stage.presses(27, "27", "Open a ticket").await;
        stage.says(27, "101", "Printer").await;
        stage.restart().await;
        stage.says(27, "101", " ").await;
        stage.says(27, "101", "It [b]burns").await;
        let heard = [
            "Hello! I take your tickets.",
            "What is it about?",
            "Please describe it.",
            "Please write a few words.",
            "[b]Your ticket[/b]\nPrinter\nIt [\u{200B}b]burns",
        ];
        assert_eq!(stage.heard("27"), heard);
        stage.stop().await;
    }

    #[tokio::test]
    async fn a_ticket_can_be_begun_with_its_subject_and_cancelled() {
        let mut stage = Stage::builder().bot(super::bot()).start().await;
        for text in ["/ticket Printer", "/cancel", "It burns", "/help"] {
            stage.says(27, "101", text).await;
        }
        let help = "Write /ticket to open a ticket: I ask for a subject and a description. /cancel forgets it.";
        let heard = ["Please describe it.", "Forgotten.", "What can I do for you?", help];
        assert_eq!(stage.heard("27"), heard);
        stage.stop().await;
    }
}
