//! Words that methods take: colours, kinds of bots, reactions … Owns their spelling; a portal may know more reactions.

use crate::types::words;

words! {
    /// A colour of a bot or a chat.
    Color {
        Red = "red",
        Green = "green",
        Mint = "mint",
        LightBlue = "lightBlue",
        DarkBlue = "darkBlue",
        Purple = "purple",
        Aqua = "aqua",
        Pink = "pink",
        Lime = "lime",
        Brown = "brown",
        Azure = "azure",
        Khaki = "khaki",
        Sand = "sand",
        Marengo = "marengo",
        Gray = "gray",
        Graphite = "graphite",
    }
}

impl Color {
    /// As a portal shows it. Source: observed portals; no document lists them.
    pub(crate) const fn hex(self) -> &'static str {
        match self {
            Self::Red => "#df532d",
            Self::Green => "#64a513",
            Self::Mint => "#4ba984",
            Self::LightBlue => "#4ba5c3",
            Self::DarkBlue => "#3e99ce",
            Self::Purple => "#8474c8",
            Self::Aqua => "#1eb4aa",
            Self::Pink => "#e98fa6",
            Self::Lime => "#85cb7b",
            Self::Brown => "#ab7761",
            Self::Azure => "#29619b",
            Self::Khaki => "#728f7a",
            Self::Sand => "#ba9c7b",
            Self::Marengo => "#556574",
            Self::Gray => "#909090",
            Self::Graphite => "#5e5f5e",
        }
    }
}

words! {
    /// The background of a bot's private dialogs.
    Background {
        Azure = "azure",
        Mint = "mint",
        Steel = "steel",
        Slate = "slate",
        Teal = "teal",
        Cornflower = "cornflower",
        Sky = "sky",
        Peach = "peach",
        Frost = "frost",
    }
}

words! {
    /// What a bot hears and may do.
    ///
    /// `bot` hears private dialogs and mentions; `supervisor` and `personal` hear everything in their chats and may read
    /// messages; `openline` serves open lines; `network` is named in an error text of the portal only.
    BotType {
        Bot = "bot",
        Supervisor = "supervisor",
        Personal = "personal",
        Openline = "openline",
        Network = "network",
    }
}

words! {
    /// How a bot gets its events: by polling `imbot.v2.Event.get`, or as webhook requests.
    EventMode {
        Fetch = "fetch",
        Webhook = "webhook",
    }
}

words! {
    /// The gender of a bot, for the grammar of some languages.
    Gender {
        Male = "M",
        Female = "F",
    }
}

words! {
    /// The direction of an order.
    Direction {
        Ascending = "ASC",
        Descending = "DESC",
    }
}

words! {
    /// What the line above the input field says while the bot works; "typing" is what is shown without one.
    AgentAction {
        Thinking = "IMBOT_AGENT_ACTION_THINKING",
        Searching = "IMBOT_AGENT_ACTION_SEARCHING",
        Generating = "IMBOT_AGENT_ACTION_GENERATING",
        Analyzing = "IMBOT_AGENT_ACTION_ANALYZING",
        Processing = "IMBOT_AGENT_ACTION_PROCESSING",
        Translating = "IMBOT_AGENT_ACTION_TRANSLATING",
        Connecting = "IMBOT_AGENT_ACTION_CONNECTING",
        Checking = "IMBOT_AGENT_ACTION_CHECKING",
        Calculating = "IMBOT_AGENT_ACTION_CALCULATING",
        ReadingDocs = "IMBOT_AGENT_ACTION_READING_DOCS",
        Composing = "IMBOT_AGENT_ACTION_COMPOSING",
    }
}

words! {
    /// A reaction. The portal's list may grow without notice: `ReactionAdd::code` takes any.
    Reaction {
        Like = "like",
        Dislike = "dislike",
        FaceWithTearsOfJoy = "faceWithTearsOfJoy",
        RedHeart = "redHeart",
        NeutralFace = "neutralFace",
        Fire = "fire",
        Cry = "cry",
        SlightlySmilingFace = "slightlySmilingFace",
        WinkingFace = "winkingFace",
        Laugh = "laugh",
        Kiss = "kiss",
        Wonder = "wonder",
        SlightlyFrowningFace = "slightlyFrowningFace",
        LoudlyCryingFace = "loudlyCryingFace",
        FaceWithStuckOutTongue = "faceWithStuckOutTongue",
        FaceWithStuckOutTongueAndWinkingEye = "faceWithStuckOutTongueAndWinkingEye",
        SmilingFaceWithSunglasses = "smilingFaceWithSunglasses",
        ConfusedFace = "confusedFace",
        FlushedFace = "flushedFace",
        ThinkingFace = "thinkingFace",
        Angry = "angry",
        SmilingFaceWithHorns = "smilingFaceWithHorns",
        FaceWithThermometer = "faceWithThermometer",
        Facepalm = "facepalm",
        Poo = "poo",
        FlexedBiceps = "flexedBiceps",
        ClappingHands = "clappingHands",
        RaisedHand = "raisedHand",
        SmilingFaceWithHeartEyes = "smilingFaceWithHeartEyes",
        SmilingFaceWithHearts = "smilingFaceWithHearts",
        PleadingFace = "pleadingFace",
        RelievedFace = "relievedFace",
        FoldedHands = "foldedHands",
        OkHand = "okHand",
        SignHorns = "signHorns",
        LoveYouGesture = "loveYouGesture",
        ClownFace = "clownFace",
        PartyingFace = "partyingFace",
        QuestionMark = "questionMark",
        ExclamationMark = "exclamationMark",
        LightBulb = "lightBulb",
        Bomb = "bomb",
        SleepingSymbol = "sleepingSymbol",
        CrossMark = "crossMark",
        WhiteHeavyCheckMark = "whiteHeavyCheckMark",
        Eyes = "eyes",
        Handshake = "handshake",
        HundredPoints = "hundredPoints",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_as_the_portal_reads_it() {
        assert_eq!(Color::LightBlue.as_str(), "lightBlue");
        assert_eq!(AgentAction::ReadingDocs.as_str(), "IMBOT_AGENT_ACTION_READING_DOCS");
        assert_eq!(serde_json::Value::from(Gender::Female), "F");
        assert_eq!(Reaction::ALL.len(), 48);
    }
}
