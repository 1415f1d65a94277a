//! A bot that keeps a shopping list for each dialog.

use imbot::{App, Bot, Button, CommandAdd, Ctx, Draft, Keyboard, MessageAdd, Outcome};
use std::process::ExitCode;

fn main() -> ExitCode {
    App::new().bot(bot()).run()
}

fn bot() -> Bot {
    Bot::new("list")
        .on(note)
        .command("/list", "Show the list", show)
        .command("/clear", "Empty the list", clear)
}

async fn note(ctx: Ctx, heard: MessageAdd) -> Outcome {
    let mut list: Vec<String> = ctx.recall()?.unwrap_or_default();
    list.push(heard.message.text);
    ctx.remember(&list)?;
    ctx.reply(format!("Noted. On the list: {}", list.len()))
}

async fn show(ctx: Ctx, _asked: CommandAdd) -> Outcome {
    let list: Vec<String> = ctx.recall()?.unwrap_or_default();
    if list.is_empty() {
        return ctx.answer("The list is empty.");
    }
    let buttons = Keyboard::new().button(Button::command("Clear", "/clear", ""));
    ctx.answer(Draft::new(list.join("\n")).keyboard(buttons))
}

async fn clear(ctx: Ctx, _asked: CommandAdd) -> Outcome {
    ctx.forget()?;
    ctx.answer("The list is empty now.")
}

#[cfg(test)]
mod tests;
