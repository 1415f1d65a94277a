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

#[cfg(test)]
mod tests {
    use imbot::testing::Stage;

    #[tokio::test]
    async fn it_repeats_and_explains_itself() {
        let mut stage = Stage::builder().bot(super::bot()).start().await;
        stage.says(27, "101", "Hello").await;
        stage.says(27, "101", " ").await;
        stage.says(27, "101", "/help").await;
        let heard = ["Hello", "I can only repeat words.", "I repeat what you write."];
        assert_eq!(stage.heard("27"), heard);
        stage.stop().await;
    }
}
