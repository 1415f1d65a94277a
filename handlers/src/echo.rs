//! `echo` repeats what it hears. The smallest bot there is.

use imbot::{Bot, CommandAdd, Ctx, MessageAdd, Outcome};

/// The bot.
#[must_use]
pub fn bot() -> Bot {
    Bot::new("echo").on(echo).command("/help", "What I can do", help)
}

async fn echo(ctx: Ctx, heard: MessageAdd) -> Outcome {
    if heard.message.text.trim().is_empty() {
        return ctx.reply("I can only repeat words.");
    }
    ctx.reply(heard.message.text)
}

async fn help(ctx: Ctx, _asked: CommandAdd) -> Outcome {
    ctx.answer("I repeat what you write.")
}
