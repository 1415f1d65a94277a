//! What people say on a stage and what they hear: the short words of a conversation test.

use super::stage::Stage;
use crate::portal::{Delivery, Sent};

impl Stage {
    /// A user says something to a bot in private (`dialog` is the bot's id) or in a group (`chat5`), and everything
    /// settles.
    ///
    /// # Panics
    /// If there is no such dialog, or the door refused an event.
    pub async fn says(&mut self, user: i64, dialog: &str, text: &str) -> Sent {
        let sent = self.portal().say(user, dialog, text).await;
        let sent = sent.unwrap_or_else(|error| panic!("{error}"));
        self.taken(&sent.deliveries).await;
        sent
    }

    /// A user presses a button of the last message that has it, in a dialog as [`heard`](Self::heard) names it.
    ///
    /// # Panics
    /// If no message of the dialog has this button, or the door refused the event.
    pub async fn presses(&mut self, user: i64, dialog: &str, button: &str) -> Sent {
        let messages = self.portal().messages(dialog);
        let has = |message: &&crate::portal::PostedMessage| message.keyboard.iter().any(|key| key["TEXT"] == button);
        let message = messages.iter().rev().find(has).map(|message| message.id);
        let message = message.unwrap_or_else(|| panic!("no button `{button}` in dialog {dialog}"));
        let sent = self.portal().press(user, message, button).await;
        let sent = sent.unwrap_or_else(|error| panic!("{error}"));
        self.taken(&sent.deliveries).await;
        sent
    }

    /// A user brings a bot into a dialog, as [`Portal::join`](crate::portal::Portal::join).
    ///
    /// # Panics
    /// If there is no such bot or dialog, or the door refused the event.
    pub async fn joins(&mut self, user: i64, bot: i64, dialog: &str) {
        let deliveries = self.portal().join(user, bot, dialog).await;
        let deliveries = deliveries.unwrap_or_else(|error| panic!("{error}"));
        self.taken(&deliveries).await;
    }

    /// What bots said in a dialog of the first portal: in the group `chatN`, or to the user with this number.
    #[must_use]
    pub fn heard(&self, dialog: &str) -> Vec<String> {
        self.heard_at(0, dialog)
    }

    /// What bots said in a dialog of portal `number`.
    #[must_use]
    pub fn heard_at(&self, number: usize, dialog: &str) -> Vec<String> {
        let messages = self.portal_at(number).messages(dialog).into_iter();
        messages
            .filter(|message| message.bot.is_some())
            .map(|message| message.text)
            .collect()
    }

    pub(super) async fn taken(&mut self, deliveries: &[Delivery]) {
        for Delivery { event, status, .. } in deliveries {
            assert_eq!(*status, Some(200), "the door refused {event}");
        }
        self.settle().await;
    }
}
