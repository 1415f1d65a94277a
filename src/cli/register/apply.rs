//! Carries out what the comparison found: only changed fields are sent, and what cannot be read is kept once it is set.
//! Decides nothing about what is wanted.

use super::compare::{AVATAR, Row, Seen, Step, URL, word};
use super::office::Office;
use super::targets::Target;
use super::texts::kept_as;
use super::wish::{Field, Wish};
use super::words::Problem;
use crate::cli::exit;
use crate::cli::output::complain;
use crate::cli::text::one_line;
use crate::dispatch::Command;
use crate::method::{BotReply, CommandReply, Method};
use crate::settings::EventMode;
use crate::types::put;
use serde_json::{Map, Value, json};

/// A bot whose registration is being put right.
pub(super) struct Work<'a> {
    pub(super) office: &'a Office<'a>,
    pub(super) target: &'a Target<'a>,
    pub(super) wish: &'a Wish,
    /// As the portal has it before anything is done.
    pub(super) seen: &'a Seen,
}

/// Makes a new bot, in fetch mode so that no event comes before the door can check it, and keeps its number.
pub(super) async fn register(office: &Office<'_>, target: &mut Target<'_>, wish: &Wish) -> Result<(), Problem> {
    let refused = |why: &str| Problem::new(exit::REFUSED, format!("{}: {why}", target.name()));
    if wish.mode.0 == EventMode::Webhook && wish.url.is_none() {
        return Err(refused(
            "a new bot in webhook mode needs event_url: where the portal shall post its events",
        ));
    }
    if target.long_token {
        return Err(refused(
            "bot_token is longer than 40 characters, which the portal refuses for a new bot",
        ));
    }
    let call = wish
        .registration(&target.code)
        .event_mode(crate::method::EventMode::Fetch);
    call.check().map_err(|wrong| refused(&wrong.to_string()))?;
    if let Some(gone) = target.id.take() {
        // The number that it had is nobody's any more.
        office.forget(target, gone).await?;
        target.kept.clear();
    }
    let made: BotReply = office
        .call(target, "imbot.v2.Bot.register", Value::Object(call.params()))
        .await?;
    office.learn(target, made.bot.id).await?;
    target.id = Some(made.bot.id);
    complain(&format!("{}: registered as bot {}", target.name(), made.bot.id));
    if let Some((image, _)) = &wish.avatar {
        office
            .keep(target, made.bot.id, &json!({ AVATAR: image.digest }))
            .await?;
        target
            .kept
            .insert(AVATAR.to_owned(), (image.digest.clone(), String::new()));
    }
    Ok(())
}

impl Work<'_> {
    /// Does what the rows ask for, as far as no problem comes between.
    pub(super) async fn carry_out(&self, rows: &mut [Row], prune: bool) -> Result<(), Problem> {
        self.learn(rows).await?;
        self.update(rows).await?;
        for command in &self.wish.commands {
            let mine = |row: &Row| row.command.as_deref() == Some(command.name());
            if rows.iter().any(|row| mine(row) && row.step == Step::Command) {
                self.make(command).await?;
            } else {
                self.change(command, rows).await?;
            }
            self.finish(rows, |row| mine(row) && !row.is_stray());
        }
        if prune {
            self.prune(rows).await?;
        }
        // Last: from here on events may come another way.
        self.switch(rows).await
    }

    async fn learn(&self, rows: &mut [Row]) -> Result<(), Problem> {
        if rows.iter().any(|row| row.step == Step::Learn) {
            self.office.learn(self.target, self.seen.bot.id).await?;
            self.finish(rows, |row| row.step == Step::Learn);
        }
        Ok(())
    }

    /// Profile, flags, address and picture, in one call.
    async fn update(&self, rows: &mut [Row]) -> Result<(), Problem> {
        let is_field = |row: &Row| matches!(row.step, Step::Field(_) | Step::Url | Step::Avatar);
        let (mut params, mut kept) = (Map::new(), Map::new());
        for row in rows.iter().filter(|row| is_field(row)) {
            match (&row.step, &row.wanted) {
                (Step::Field(field), Some(wanted)) => put(&mut params, field.path(), wanted.clone()),
                (Step::Url, Some(url)) => {
                    put(&mut params, "fields.webhookUrl", url.clone());
                    kept.insert(URL.to_owned(), url.clone());
                }
                (Step::Avatar, _) => {
                    if let Some((image, _)) = &self.wish.avatar {
                        let picture = crate::method::BotUpdate::new().avatar(&image.bytes).params();
                        let picture = picture["fields"]["properties"]["avatar"].clone();
                        put(&mut params, "fields.properties.avatar", picture);
                        kept.insert(AVATAR.to_owned(), json!(image.digest));
                    }
                }
                _ => {}
            }
        }
        if params.is_empty() {
            return Ok(());
        }
        self.whole_name(&mut params);
        params.insert("botId".to_owned(), json!(self.seen.bot.id));
        let _: BotReply = self.call("imbot.v2.Bot.update", params).await?;
        self.keep(kept).await?;
        self.finish(rows, is_field);
        Ok(())
    }

    /// A portal that gets a first name alone may take its second word for the last name.
    fn whole_name(&self, params: &mut Map<String, Value>) {
        let (first, last) = (self.wish.field(Field::Name), self.wish.field(Field::LastName));
        let properties = params.get("fields").and_then(|fields| fields.get("properties"));
        let named = properties.is_some_and(|given| given.get("name").is_some() || given.get("lastName").is_some());
        if let (true, Some(first), Some(last)) = (named, first, last) {
            put(params, Field::Name.path(), first.clone());
            put(params, Field::LastName.path(), last.clone());
        }
    }

    async fn make(&self, command: &Command) -> Result<(), Problem> {
        let mut params = Method::params(command.registration());
        params.insert("botId".to_owned(), json!(self.seen.bot.id));
        let _: CommandReply = self.call("imbot.v2.Command.register", params).await?;
        let mut kept = Map::new();
        for (text, texts) in [("title", command.titles()), ("params", command.all_params())] {
            for (language, said) in texts {
                kept.insert(kept_as(command.name(), text, language), json!(said));
            }
        }
        self.keep(kept).await
    }

    async fn change(&self, command: &Command, rows: &[Row]) -> Result<(), Problem> {
        let (mut params, mut kept) = (Map::new(), Map::new());
        for row in rows.iter().filter(|row| row.command.as_deref() == Some(command.name())) {
            let wanted = row.wanted.clone().unwrap_or(Value::Null);
            match &row.step {
                Step::Flag(path) => put(&mut params, &format!("fields.{path}"), wanted),
                Step::Text(text, language) => {
                    kept.insert(kept_as(command.name(), text, language), wanted.clone());
                    put(&mut params, &format!("fields.{text}.{language}"), wanted);
                    // The portal takes parameters only where it is given a title.
                    if let (&"params", Some(title)) = (text, command.titles().get(language)) {
                        put(&mut params, &format!("fields.title.{language}"), json!(title));
                    }
                }
                _ => {}
            }
        }
        if params.is_empty() {
            return Ok(());
        }
        let found = self.seen.commands.iter().find(|found| found.command == command.name());
        let Some(id) = found.map(|found| found.id) else {
            return Ok(());
        };
        params.insert("botId".to_owned(), json!(self.seen.bot.id));
        params.insert("commandId".to_owned(), json!(id));
        let _: CommandReply = self.call("imbot.v2.Command.update", params).await?;
        self.keep(kept).await
    }

    async fn prune(&self, rows: &mut [Row]) -> Result<(), Problem> {
        for row in rows.iter_mut() {
            let Step::StrayCommand(id) = row.step else { continue };
            let params = Map::from_iter([
                ("botId".to_owned(), json!(self.seen.bot.id)),
                ("commandId".to_owned(), json!(id)),
            ]);
            let gone: Result<Value, Problem> = self.call("imbot.v2.Command.unregister", params).await;
            gone.map(drop)
                .or_else(|problem| gone_already(problem, "COMMAND_NOT_FOUND"))?;
            let command = row.command.as_deref().unwrap_or_default();
            let prefix = format!("{command} ");
            let kept = self.target.kept.keys().filter(|field| field.starts_with(&prefix));
            self.keep(kept.map(|field| (field.clone(), Value::Null)).collect())
                .await?;
            row.done = true;
            complain(&format!("{}: {} is removed", self.target.name(), one_line(command)));
        }
        Ok(())
    }

    async fn switch(&self, rows: &mut [Row]) -> Result<(), Problem> {
        let wanted = rows.iter().find_map(|row| match row.step {
            Step::Mode(mode) => Some(mode),
            _ => None,
        });
        let Some(mode) = wanted else { return Ok(()) };
        if let (EventMode::Webhook, Some(url)) = (mode, &self.wish.url) {
            self.office.way_is_open(self.target, url).await?;
        }
        self.office.switch(self.target, self.seen.bot.id, word(mode)).await?;
        if let (EventMode::Webhook, Some(url)) = (mode, &self.wish.url) {
            self.keep(Map::from_iter([(URL.to_owned(), json!(url))])).await?;
        }
        self.finish(rows, |row| matches!(row.step, Step::Mode(_)));
        Ok(())
    }

    async fn keep(&self, kept: Map<String, Value>) -> Result<(), Problem> {
        if kept.is_empty() {
            return Ok(());
        }
        self.office
            .keep(self.target, self.seen.bot.id, &Value::Object(kept))
            .await
    }

    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<T, Problem> {
        self.office.call(self.target, method, Value::Object(params)).await
    }

    /// Marks rows as done, and says so.
    fn finish(&self, rows: &mut [Row], which: impl Fn(&Row) -> bool) {
        let mut done = Vec::new();
        for row in rows
            .iter_mut()
            .filter(|row| which(row) && row.step != Step::Same && !row.done)
        {
            row.done = true;
            done.push(row.name());
        }
        if !done.is_empty() {
            complain(&format!("{}: set {}", self.target.name(), done.join(", ")));
        }
    }
}

/// A removal that comes second is as good as done.
pub(super) fn gone_already(problem: Problem, code: &str) -> Result<(), Problem> {
    if problem.code == code { Ok(()) } else { Err(problem) }
}
