//! The keys of Bitrix24's form bodies in the order it sends them, for quick reading and for short bodies on disk. Owns the
//! list and nothing of its use; an event may have other keys, in any order.

use crate::wire::Vocabulary;
use std::sync::LazyLock;

/// Stored bodies have a number in place of each of these: never change or move one, only append.
const KEYS: [&str; 134] = [
    "event",
    "event_handler_id",
    "data[bot][id]",
    "data[bot][code]",
    "data[bot][auth][access_token]",
    "data[bot][auth][expires]",
    "data[bot][auth][expires_in]",
    "data[bot][auth][scope]",
    "data[bot][auth][domain]",
    "data[bot][auth][server_endpoint]",
    "data[bot][auth][status]",
    "data[bot][auth][client_endpoint]",
    "data[bot][auth][member_id]",
    "data[bot][auth][refresh_token]",
    "data[bot][auth][user_id]",
    "data[bot][auth][client_id]",
    "data[bot][auth][application_token]",
    "data[message][id]",
    "data[message][chatId]",
    "data[message][chat_id]",
    "data[message][authorId]",
    "data[message][author_id]",
    "data[message][date]",
    "data[message][text]",
    "data[message][isSystem]",
    "data[message][uuid]",
    "data[message][viewedByOthers]",
    "data[chat][avatar]",
    "data[chat][color]",
    "data[chat][description]",
    "data[chat][dialogId]",
    "data[chat][diskFolderId]",
    "data[chat][entityData1]",
    "data[chat][entityData2]",
    "data[chat][entityData3]",
    "data[chat][entityId]",
    "data[chat][entityType]",
    "data[chat][extranet]",
    "data[chat][containsCollaber]",
    "data[chat][id]",
    "data[chat][parentChatId]",
    "data[chat][parentMessageId]",
    "data[chat][name]",
    "data[chat][owner]",
    "data[chat][messageType]",
    "data[chat][type]",
    "data[chat][entityLink][type]",
    "data[chat][entityLink][url]",
    "data[chat][permissions][manageUsersAdd]",
    "data[chat][permissions][manageUsersDelete]",
    "data[chat][permissions][manageUi]",
    "data[chat][permissions][manageSettings]",
    "data[chat][permissions][manageMessages]",
    "data[chat][permissions][canPost]",
    "data[chat][isNew]",
    "data[chat][textFieldEnabled]",
    "data[user][id]",
    "data[user][active]",
    "data[user][name]",
    "data[user][firstName]",
    "data[user][lastName]",
    "data[user][workPosition]",
    "data[user][color]",
    "data[user][avatar]",
    "data[user][gender]",
    "data[user][birthday]",
    "data[user][extranet]",
    "data[user][bot]",
    "data[user][connector]",
    "data[user][externalAuthId]",
    "data[user][status]",
    "data[user][idle]",
    "data[user][lastActivityDate]",
    "data[user][mobileLastDate]",
    "data[user][desktopLastDate]",
    "data[user][absent]",
    "data[user][departments][0]",
    "data[user][departments][1]",
    "data[user][phones]",
    "data[user][type]",
    "data[user][website]",
    "data[user][email]",
    "data[language]",
    "ts",
    "auth[access_token]",
    "auth[expires]",
    "auth[expires_in]",
    "auth[scope]",
    "auth[domain]",
    "auth[server_endpoint]",
    "auth[status]",
    "auth[client_endpoint]",
    "auth[member_id]",
    "auth[user_id]",
    "auth[refresh_token]",
    "auth[application_token]",
    "data[command][id]",
    "data[command][command]",
    "data[command][params]",
    "data[command][context]",
    "data[dialogId]",
    "data[messageId]",
    "data[reaction]",
    "data[action]",
    "data[message][params][CODE]",
    "data[message][params][NOTIFY]",
    "data[message][params][IS_EDITED]",
    "data[message][params][FORWARD_ID]",
    "data[message][params][FORWARD_CONTEXT_ID]",
    "data[message][params][FORWARD_USER_ID]",
    "data[message][params][REPLY_ID]",
    "data[message][params][FILE_ID][0]",
    "data[message][params][FILE_ID][1]",
    "data[message][forward][id]",
    "data[message][forward][userId]",
    "data[message][forward][chatType]",
    "data[message][forward]",
    "data[chat][entityLink][id]",
    "data[chat][hasManageCapability]",
    "data[chat][backgroundId]",
    "data[user][departments][2]",
    "data[user][phones][personal_mobile]",
    "data[user][phones][work_phone]",
    "data[user][phones][inner_phone]",
    "data[user][internalAccount]",
    "data[user][intranetUser]",
    "data[context][entityId]",
    "data[context][entityType]",
    "data[VERSION]",
    "data[PREVIOUS_VERSION]",
    "data[ACTIVE]",
    "data[INSTALLED]",
    "data[LANGUAGE_ID]",
    "data[CLEAN]",
];

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::new(&KEYS));

/// The keys that are known beforehand.
#[must_use]
pub fn vocabulary() -> &'static Vocabulary {
    &VOCABULARY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::captures::bodies;
    use sha2::{Digest, Sha256};

    /// How many keys each version had, and the digest of them: whatever comes later, they must stay what they were.
    const PUBLISHED: [(usize, &str); 1] = [(134, "a6719baa88142f9b")];

    #[test]
    fn numbers_on_disk_keep_their_keys() {
        for (count, digest) in PUBLISHED {
            let found = Sha256::digest(KEYS[..count].join("\n"));
            let found: String = found.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, digest, "the first {count} keys");
        }
        assert_eq!(
            PUBLISHED.last().unwrap().0,
            KEYS.len(),
            "new keys: add them to the list of versions"
        );
    }

    #[test]
    fn captures_come_back_to_the_byte_in_less_than_half() {
        let (mut whole, mut small) = (0, 0);
        let forms = bodies("public").into_iter().filter(|(name, _)| name.ends_with(".form"));
        for (name, (_, body)) in forms.filter(|(name, _)| !name.starts_with("41_")) {
            let body = body.trim_ascii_end();
            let packed = vocabulary()
                .pack(body)
                .unwrap_or_else(|| panic!("{name} is not packed"));
            assert_eq!(vocabulary().unpack(&packed).unwrap(), body, "{name}");
            whole += body.len();
            small += packed.len();
        }
        assert!(whole > 100_000 && small * 2 < whole, "{small} of {whole}");
    }

    #[test]
    fn mutated_captures_come_back_as_well() {
        let all = bodies("public").into_iter().chain(bodies("hostile"));
        for (name, (_, body)) in all.filter(|(_, (_, body))| body.len() < 10_000) {
            for at in (0..body.len().min(3_000)).step_by(7) {
                let mut body = body.clone();
                body[at] = b"&=%[]Z"[at % 6];
                if let Some(packed) = vocabulary().pack(&body) {
                    assert_eq!(vocabulary().unpack(&packed).unwrap(), body, "{name} at {at}");
                }
            }
        }
    }
}
