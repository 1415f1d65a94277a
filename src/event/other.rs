//! Events without types of their own: application events, the first bot API, and names we do not know. Owns the typed
//! view of the four application events a server must understand.

use super::free::FreeForm;
use super::name::Kind;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// An event as it came. Serializes as its data alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Other {
    /// Its family.
    pub kind: Kind,
    /// Its name in capitals, cut to 64 bytes.
    pub name: String,
    /// Unix seconds by the portal's clock.
    pub ts: Option<i64>,
    /// What it says.
    pub data: FreeForm,
    pub(super) bot: Option<i64>,
    pub(super) dialog: String,
}

impl Serialize for Other {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}

/// An application event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AppEvent {
    /// The application was installed: the first carrier of its tokens.
    Install(AppInstall),
    /// It was updated; its application token may have changed.
    Update(AppUpdate),
    /// It was removed; the tokens are dead.
    Uninstall(AppUninstall),
    /// Somebody tests the handler.
    Test(AppTest),
}

/// `ONAPPINSTALL`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppInstall {
    /// Version of the application.
    pub version: String,
    /// Paid for or free.
    pub active: bool,
    /// The installation is finished; no bot event comes before.
    pub installed: bool,
    /// The portal's language.
    pub language_id: String,
}

/// `ONAPPUPDATE`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppUpdate {
    /// Version now.
    pub version: String,
    /// Version before.
    pub previous_version: String,
    /// The portal's language.
    pub language_id: String,
}

/// `ONAPPUNINSTALL`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppUninstall {
    /// The user asked to delete the application's data as well.
    pub clean: bool,
    /// The portal's language.
    pub language_id: String,
}

/// `ONAPPTEST`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AppTest {
    /// What the tester sent.
    pub query: FreeForm,
    /// The portal's language.
    pub language_id: String,
}

impl Other {
    /// The bot it names, if it names exactly one.
    #[must_use]
    pub fn bot_id(&self) -> Option<i64> {
        self.bot
    }

    /// The dialog it names, else empty.
    #[must_use]
    pub fn dialog(&self) -> &str {
        &self.dialog
    }

    /// The typed view, if this is one of the four application events that have one.
    #[must_use]
    pub fn app(&self) -> Option<AppEvent> {
        let text = |name: &str| text(self.data.get(name));
        let flag = |name: &str| flag(self.data.get(name));
        let language_id = text("LANGUAGE_ID");
        Some(match self.name.as_str() {
            "ONAPPINSTALL" => AppEvent::Install(AppInstall {
                version: text("VERSION"),
                active: flag("ACTIVE"),
                installed: flag("INSTALLED"),
                language_id,
            }),
            "ONAPPUPDATE" => AppEvent::Update(AppUpdate {
                version: text("VERSION"),
                previous_version: text("PREVIOUS_VERSION"),
                language_id,
            }),
            "ONAPPUNINSTALL" => AppEvent::Uninstall(AppUninstall {
                clean: flag("CLEAN"),
                language_id,
            }),
            "ONAPPTEST" => AppEvent::Test(AppTest {
                query: self.data.get("QUERY").cloned().map(FreeForm::from).unwrap_or_default(),
                language_id,
            }),
            _ => return None,
        })
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn flag(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        value => matches!(text(value).as_str(), "1" | "Y" | "y"),
    }
}
