//! What `imbot register` last set of each bot that no portal lets anybody read (addresses, avatars as digests, texts in
//! other languages), and when. Holds no credential; compares nothing.

use super::commit::{Commit, Verdict};
use super::installs::Deed;
use super::{Store, StoreError};
use crate::types::{PortalId, Timestamp};
use rusqlite::params;

/// One field as it was last set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    /// `webhookUrl`, `avatar`, `/help title.de` …
    pub(crate) field: String,
    pub(crate) value: String,
    pub(crate) at: Timestamp,
}

/// What a registration leaves behind.
#[derive(Debug)]
pub(super) enum Trace {
    /// Fields and their values; `None`: not set any more.
    Set(PortalId, i64, Vec<(String, Option<String>)>),
    /// The bot is gone from the portal, with its number.
    Forget(PortalId, i64),
}

impl Store {
    /// Keeps what was set of a bot, as of now; a field without a value is forgotten.
    pub(crate) async fn keep_applied(
        &self,
        portal: PortalId,
        bot: i64,
        fields: Vec<(String, Option<String>)>,
    ) -> Result<(), StoreError> {
        self.deed(Deed::Trace(Trace::Set(portal, bot, fields))).await
    }

    /// What was last set of a bot, by field.
    pub(crate) async fn applied(&self, portal: PortalId, bot: i64) -> Result<Vec<Applied>, StoreError> {
        self.read(move |reader| {
            let mut statement = reader
                .conn
                .prepare_cached("SELECT field, value, at FROM applied WHERE portal = ?1 AND bot = ?2 ORDER BY field")?;
            let found = statement.query_map(params![portal.0, bot], |row| {
                Ok(Applied {
                    field: row.get(0)?,
                    value: row.get(1)?,
                    at: Timestamp(row.get(2)?),
                })
            })?;
            found.collect()
        })
        .await
    }

    /// Forgets the number of a bot that is gone from its portal, and what was set of it.
    pub(crate) async fn forget_bot(&self, portal: PortalId, bot: i64) -> Result<(), StoreError> {
        self.deed(Deed::Trace(Trace::Forget(portal, bot))).await
    }
}

impl Commit<'_> {
    pub(super) fn trace(&mut self, trace: &Trace) -> Verdict<()> {
        match trace {
            Trace::Set(portal, bot, fields) => {
                for (field, value) in fields {
                    match value {
                        Some(value) => self
                            .conn
                            .prepare_cached("INSERT OR REPLACE INTO applied VALUES(?1, ?2, ?3, ?4, ?5)")?
                            .execute(params![portal.0, bot, field, value, self.now.0])?,
                        None => self
                            .conn
                            .prepare_cached("DELETE FROM applied WHERE portal = ?1 AND bot = ?2 AND field = ?3")?
                            .execute(params![portal.0, bot, field])?,
                    };
                }
            }
            Trace::Forget(portal, bot) => {
                for table in ["learned", "applied"] {
                    self.conn
                        .prepare_cached(&format!("DELETE FROM {table} WHERE portal = ?1 AND bot = ?2"))?
                        .execute(params![portal.0, bot])?;
                }
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{Applied, Options, Store};
    use crate::types::{Clock, Timestamp};

    #[tokio::test]
    async fn what_was_set_is_kept_with_its_time_and_goes_with_the_bot() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000));
        let store = Store::open(folder.path(), Options::new(clock.clone())).unwrap();
        let portal = store.register_portals(&["acme"]).unwrap()[0];
        let set = |field: &str, value: Option<&str>| vec![(field.to_owned(), value.map(str::to_owned))];
        store
            .keep_applied(portal, 7, set("webhookUrl", Some("a")))
            .await
            .unwrap();
        store
            .keep_applied(portal, 8, set("webhookUrl", Some("of another")))
            .await
            .unwrap();
        store.keep_applied(portal, 7, set("avatar", Some("x"))).await.unwrap();
        store.keep_applied(portal, 7, set("avatar", None)).await.unwrap();
        clock.advance(std::time::Duration::from_secs(1));
        store
            .keep_applied(portal, 7, set("webhookUrl", Some("b")))
            .await
            .unwrap();
        store.learn_bot(portal, "seven", 7).await.unwrap();
        store.close().await;
        let store = Store::open(folder.path(), Options::new(clock)).unwrap();
        let kept = Applied {
            field: "webhookUrl".to_owned(),
            value: "b".to_owned(),
            at: Timestamp(2_000),
        };
        assert_eq!(store.applied(portal, 7).await.unwrap(), [kept]);
        store.forget_bot(portal, 7).await.unwrap();
        assert_eq!(store.applied(portal, 7).await.unwrap(), []);
        assert_eq!(store.applied(portal, 8).await.unwrap().len(), 1);
        assert_eq!(store.learned_bots().unwrap(), []);
    }
}
