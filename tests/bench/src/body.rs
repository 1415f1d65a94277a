//! The request that is sent: a real capture, made about 4,000 bytes long, in which two numbers change in place. Formatting
//! a request anew each time would cost the generator more than sending it.

use std::net::SocketAddr;

/// A message to a bot of an incoming webhook, as a portal sent it: no event tokens in it.
const CAPTURE: &str = include_str!("../../captures/public/05_message_add_webhook_bot.form");
/// How long the body is to be.
const LENGTH: usize = 4_000;
/// Stand where the numbers go; as wide as those, and nowhere in the capture.
const MESSAGE: &str = "MMMMMMMMMM";
const DIALOG: &str = "DDDDD";
/// The message's text up to the number that tells which event a reply belongs to.
const WORDS: &str = "event ";

/// What the configuration must know of the sender.
pub(crate) const DOMAIN: &str = "acme.bitrix24.com";
pub(crate) const MEMBER_ID: &str = "11aa22bb33cc44dd55ee66ff77008899";
pub(crate) const BOT_ID: i64 = 461;
pub(crate) const BOT_TOKEN: &str = "my_secret_token_123";

/// The domain of portal `number`, as long as [`DOMAIN`].
pub(crate) fn domain(number: usize) -> String {
    DOMAIN.replace("acme", &format!("acm{number}"))
}

/// Its member id.
pub(crate) fn member_id(number: usize) -> String {
    format!("{number}{}", &MEMBER_ID[1..])
}

/// A request with its changing places.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where the number of the message stands, and where the number of the dialog.
    messages: Vec<usize>,
    dialogs: Vec<usize>,
    /// Dialogs that the events are spread over.
    spread: u64,
}

impl Request {
    /// A POST of the event to `/webhook` of this address; the events are spread over so many dialogs.
    pub(crate) fn to(address: SocketAddr, dialogs: u64) -> Self {
        Self::with(address, dialogs, "")
    }

    /// The same, asking imbot to say what became of the event.
    pub(crate) fn asking(address: SocketAddr, dialogs: u64) -> Self {
        Self::with(address, dialogs, "X-Imbot-Ask: 1\r\n")
    }

    /// The same of portal `number` (0 to 9) out of several; `single` puts a sign into the text that keeps the bot's
    /// message out of every batch.
    pub(crate) fn of_portal(address: SocketAddr, dialogs: u64, number: usize, single: bool) -> Self {
        let mut body = body()
            .replace(DOMAIN, &domain(number))
            .replace(MEMBER_ID, &member_id(number));
        if single {
            body = body.replace(&format!("{MESSAGE}+"), &format!("{MESSAGE}+%3C+"));
        }
        Self::of(address, dialogs, "", &body)
    }

    fn with(address: SocketAddr, spread: u64, header: &str) -> Self {
        Self::of(address, spread, header, &body())
    }

    fn of(address: SocketAddr, spread: u64, header: &str, body: &str) -> Self {
        let head = format!(
            "POST /webhook HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Bitrix24 Webhook Engine\r\nAccept: */*\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{header}\r\n",
            body.len()
        );
        let text = head + body;
        let places = |mark: &str| text.match_indices(mark).map(|(at, _)| at).collect();
        Self {
            messages: places(MESSAGE),
            dialogs: places(DIALOG),
            spread,
            bytes: text.into_bytes(),
        }
    }

    /// The same request for event `number`.
    pub(crate) fn stamp(&mut self, number: u64) -> &[u8] {
        for at in &self.messages {
            digits(&mut self.bytes[*at..*at + MESSAGE.len()], number);
        }
        // Neighbours in time are in different dialogs, and each dialog comes round again.
        let dialog = 10_000 + number.wrapping_mul(7) % self.spread.clamp(1, 90_000);
        for at in &self.dialogs {
            digits(&mut self.bytes[*at..*at + DIALOG.len()], dialog);
        }
        &self.bytes
    }
}

/// The event alone, with all its numbers, for the stages.
pub(crate) fn sample_body() -> Vec<u8> {
    body()
        .replace(MESSAGE, "1000000001")
        .replace(DIALOG, "10007")
        .into_bytes()
}

/// Which event a reply repeats, from the reply's text.
pub(crate) fn number_in(text: &str) -> Option<u64> {
    text.strip_prefix(WORDS)?.get(..MESSAGE.len())?.parse().ok()
}

fn body() -> String {
    // The dialog is private, so chat and user change with it. Replaced with their names: `27` is also part of others.
    let mut body = CAPTURE.trim_end().to_owned();
    for (from, to) in [
        (
            "%5Bmessage%5D%5Bid%5D=90001",
            format!("%5Bmessage%5D%5Bid%5D={MESSAGE}"),
        ),
        (
            "%5Bmessage%5D%5BchatId%5D=2001",
            format!("%5Bmessage%5D%5BchatId%5D=20{DIALOG}"),
        ),
        (
            "%5Bmessage%5D%5Bchat_id%5D=2001",
            format!("%5Bmessage%5D%5Bchat_id%5D=20{DIALOG}"),
        ),
        ("%5Bchat%5D%5Bid%5D=2001", format!("%5Bchat%5D%5Bid%5D=20{DIALOG}")),
        ("%5BauthorId%5D=27", format!("%5BauthorId%5D={DIALOG}")),
        ("%5Bauthor_id%5D=27", format!("%5Bauthor_id%5D={DIALOG}")),
        ("%5BdialogId%5D=27", format!("%5BdialogId%5D={DIALOG}")),
        ("%5Buser%5D%5Bid%5D=27", format!("%5Buser%5D%5Bid%5D={DIALOG}")),
    ] {
        body = body.replace(from, &to);
    }
    let text = format!("{}{MESSAGE}", WORDS.replace(' ', "+"));
    let missing = LENGTH.saturating_sub(body.len() + text.len());
    // "+привет": Cyrillic is six bytes a letter on the wire, so a long body is a message of ordinary length.
    let filler = "+%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82".repeat(missing / 37);
    body.replace("%5Btext%5D=ping", &format!("%5Btext%5D={text}{filler}"))
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_number_of_its_own_and_a_dialog_out_of_a_thousand() {
        let mut request = Request::to(SocketAddr::from(([127, 0, 0, 1], 80)), 1_000);
        assert_eq!((request.messages.len(), request.dialogs.len()), (2, 7));
        let text = |request: &mut Request, number| String::from_utf8(request.stamp(number).to_vec()).unwrap();
        let first = text(&mut request, 1);
        assert!(first.contains("%5Bmessage%5D%5Bid%5D=0000000001&") && first.contains("%5BdialogId%5D=10007&"));
        let second = text(&mut request, 1_234_567);
        assert!(second.contains("Btext%5D=event+0001234567+") && second.contains("%5BdialogId%5D=10969&"));
        assert_eq!(first.len(), second.len());
        let length = sample_body().len();
        assert!((3_950..=4_000).contains(&length), "{length}");
    }

    #[test]
    fn a_reply_names_its_event() {
        assert_eq!(number_in("event 0001234567 привет"), Some(1_234_567));
        assert_eq!(number_in("I can only repeat words."), None);
    }
}
