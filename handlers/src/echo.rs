//! `echo` repeats what it hears. The smallest bot there is.

use imbot::{Bot, CommandAdd, Ctx, MessageAdd, Outcome, Profile};

/// The bot.
#[must_use]
pub fn bot() -> Bot {
    Bot::new("echo")
        .on(echo)
        .command("/help", "What I can do", help)
        .profile(Profile::new("Echo").work_position("repeats what you write"))
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
    use imbot::testing::with;
    use insta::assert_snapshot;

    #[tokio::test]
    async fn it_repeats_and_explains_itself() {
        let mut talk = with(super::bot()).await;
        talk.user("Ann").says("Hello").await;
        talk.user("Ann").says(" ").await;
        talk.user("Ann").runs("/help").await;
        assert_snapshot!(talk.heard().await, @"
        echo -> Ann: Hello
        echo -> Ann: I can only repeat words.
        echo -> Ann: I repeat what you write.
        ");
        talk.over().await;
    }

    #[tokio::test]
    async fn in_a_group_it_answers_who_calls_it_and_makes_marks_harmless() {
        let mut talk = with(super::bot()).await;
        talk.user("Ann").in_chat("Team").says("not for you").await;
        assert_snapshot!(talk.heard().await, @"");
        talk.user("Bob").in_chat("Team").says("[b]now[/b]").await;
        talk.user("Bob").in_chat("Team").says("@echo [b]now[/b]").await;
        assert_snapshot!(talk.heard().await, @"echo -> Team: [<ZWSP>USER=101]echo[<ZWSP>/USER] [<ZWSP>b]now[<ZWSP>/b]");
        talk.over().await;
    }
}
