//! The rich part of a message: blocks below its text. Owns their JSON shape and their rules; never sends.
//!
//! Source: Bitrix24 documentation, attachments. An attachment is not shown in mail, push and XMPP.

use super::blocks::Block;
use super::fields::Fields;
use super::refused::{Reason, Refused};
use super::words::ColorToken;
use serde_json::Value;

/// Blocks below the text of a message.
///
/// ```
/// use imbot::types::{Attachment, Block, ColorToken, GridRow, Layout};
/// let attachment = Attachment::new()
///     .style(ColorToken::Primary)
///     .block(Block::message("Order 12"))
///     .block(Block::delimiter())
///     .block(Block::grid(Layout::Row, [GridRow::new().name("Total").value("5 €")]));
/// assert!(attachment.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Attachment {
    head: Fields,
    blocks: Vec<Block>,
}

impl Attachment {
    /// The most an attachment may have as JSON text, in Unicode code points; beyond it ATTACH_OVERSIZE. How the portal
    /// counts letters beyond ASCII is not documented.
    pub const MAX_CHARS: usize = 60_000;

    /// An attachment without blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a block.
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// A number of your own (`ID`).
    pub fn id(mut self, id: i64) -> Self {
        self.head = self.head.with("ID", id);
        self
    }

    /// The colour of its edge by meaning.
    pub fn style(mut self, token: ColorToken) -> Self {
        self.head = self.head.with("COLOR_TOKEN", token);
        self
    }

    /// The colour of its edge, as `#RRGGBB`.
    pub fn color(mut self, color: &str) -> Self {
        self.head = self.head.color("COLOR", color);
        self
    }

    /// # Errors
    /// No block, a block that the portal would refuse, or more than [`MAX_CHARS`](Self::MAX_CHARS).
    pub fn check(&self) -> Result<(), Refused> {
        self.head.check()?;
        if self.blocks.is_empty() {
            return Err(Refused::new("BLOCKS", Reason::Empty));
        }
        for (at, block) in self.blocks.iter().enumerate() {
            block
                .check()
                .map_err(|refused| refused.inside(&at.to_string()).inside("BLOCKS"))?;
        }
        let (length, most) = (self.json().to_string().chars().count(), Self::MAX_CHARS);
        if length > most {
            return Err(Refused::new("", Reason::TooLong { length, most }));
        }
        Ok(())
    }

    /// An array of blocks, or an object with it where more than blocks is set.
    pub(crate) fn json(&self) -> Value {
        let blocks: Value = self.blocks.iter().map(Block::json).collect();
        if self.head.object().is_empty() {
            return blocks;
        }
        let mut whole = Value::Object(self.head.object().clone());
        whole["BLOCKS"] = blocks;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bare_attachment_is_an_array_and_a_dressed_one_an_object() {
        let bare = Attachment::new().block(Block::message("x"));
        assert_eq!(bare.json(), json!([{ "MESSAGE": "x" }]));
        let dressed = bare.id(1).style(ColorToken::Alert).color("#29619b");
        assert_eq!(
            dressed.json(),
            json!({ "ID": 1, "COLOR_TOKEN": "alert", "COLOR": "#29619b", "BLOCKS": [{ "MESSAGE": "x" }] })
        );
    }

    #[test]
    fn sixty_thousand_characters_are_the_most() {
        let frame = r#"[{"MESSAGE":""}]"#.len();
        let fits = Attachment::new().block(Block::message("x".repeat(Attachment::MAX_CHARS - frame)));
        assert_eq!(fits.check(), Ok(()));
        let over = Attachment::new().block(Block::message("x".repeat(Attachment::MAX_CHARS - frame + 1)));
        let (length, most) = (60_001, 60_000);
        assert_eq!(over.check().unwrap_err().reason(), &Reason::TooLong { length, most });
        let wide = Attachment::new().block(Block::message("ä".repeat(Attachment::MAX_CHARS - frame)));
        assert_eq!(wide.check(), Ok(()), "characters, not bytes");
    }

    #[test]
    fn an_attachment_says_which_block_is_wrong() {
        let attachment = Attachment::new().block(Block::message("x")).block(Block::message(" "));
        assert_eq!(attachment.check().unwrap_err().field(), "BLOCKS.1.MESSAGE");
        assert_eq!(Attachment::new().check().unwrap_err().field(), "BLOCKS");
        assert_eq!(Attachment::new().color("blue").check().unwrap_err().field(), "COLOR");
    }
}
