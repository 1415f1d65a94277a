//! What `imbot doctor` can find: a name for programs and the guide, whether it fails the run, what it means, what to do,
//! and which key or setting to change. Plain words; checks nothing.

/// One kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Kind {
    /// For programs, and the heading of its entry in the guide.
    pub(in crate::cli) name: &'static str,
    /// A failure; else a warning, which leaves the exit code 0.
    pub(in crate::cli) fails: bool,
    pub(in crate::cli) means: &'static str,
    pub(in crate::cli) remedy: &'static str,
    /// The key of `imbot.toml`, or the setting elsewhere.
    pub(in crate::cli) change: &'static str,
}

macro_rules! kinds {
    ($($ident:ident = $name:literal, $fails:literal, $means:literal, $remedy:literal, $change:literal;)*) => {
        $(pub(in crate::cli) static $ident: Kind = Kind {
            name: $name, fails: $fails, means: $means, remedy: $remedy, change: $change,
        };)*

        /// All of them, for the guide.
        #[cfg(any(test, feature = "testing"))]
        pub(in crate::cli) static ALL: &[&Kind] = &[$(&$ident),*];
    };
}

kinds! {
    STORE_READ_ONLY = "store_read_only", true,
        "The store folder cannot be written: every event would be refused.",
        "Mount it writable, or give it to the user that runs imbot.",
        "[store] path";
    DISK_FULL = "disk_full", true,
        "The disk of the store has no room: every event would be refused.",
        "Free space there, or move the store to a larger disk.",
        "[store] path";
    STORE_FULL = "store_full", true,
        "The store has reached its limit: events are refused and lost.",
        "Raise the limit, and settle the dead letters and what waits (`imbot status`).",
        "[store] max_bytes";
    STORE_NEARLY_FULL = "store_nearly_full", false,
        "The store has used four fifths of its limit; beyond it events are refused.",
        "Raise the limit, or settle the dead letters and what waits.",
        "[store] max_bytes";
    STORE_SLOW = "store_slow", false,
        "The disk takes long to flush, and each answer to Bitrix24 waits for a flush. Slow handlers are called less often.",
        "Give the store a faster disk, one of its own; or accept less safety with ack = \"written\".",
        "[store] path, [server] ack";
    STORE_FAILED = "store_failed", true,
        "The store cannot be used, so nothing is accepted.",
        "Look at the line above and at the log; mend the disk, then start imbot again.",
        "[store] path";
    SERVER_SILENT = "server_silent", true,
        "A process holds the store and does not answer.",
        "Look at its log; if it hangs, end it and start it again. A server that is just starting needs a moment.",
        "[admin] listen";
    EVENT_URL_MISSING = "event_url_missing", false,
        "Nobody knows where the portal sends the events of this bot, so the way cannot be tried.",
        "Write down the address that the portal was told.",
        "[[portal.bot]] event_url";
    SENT_IN_CLEAR = "sent_in_clear", false,
        "Events come over http, and each of them carries a token.",
        "Put a proxy with a certificate in front, and tell the portal an https address.",
        "[[portal.bot]] event_url";
    NO_ADDRESS = "no_address", true,
        "The name in the address leads nowhere: the portal cannot find the server.",
        "Correct the name, or make its DNS record.",
        "[[portal.bot]] event_url";
    NOBODY_LISTENS = "nobody_listens", true,
        "Nobody takes connections at this address.",
        "Start the proxy, open the firewall, or correct host and port.",
        "[[portal.bot]] event_url";
    CERTIFICATE_EXPIRED = "certificate_expired", true,
        "The certificate is not valid today: Bitrix24 sends nothing to such an address.",
        "Renew it and reload the proxy; look why it was not renewed by itself.",
        "the certificate of the proxy before [[portal.bot]] event_url (nginx: ssl_certificate)";
    CERTIFICATE_OTHER_NAME = "certificate_other_name", true,
        "The certificate is for another name than the address has.",
        "Use the name that the certificate has, or get one for this name.",
        "[[portal.bot]] event_url, or the certificate of the proxy (nginx: ssl_certificate)";
    CERTIFICATE_UNTRUSTED = "certificate_untrusted", true,
        "Nobody whom this machine trusts has signed the certificate; often the intermediate one is missing in the file.",
        "Install the full chain, or a certificate that the world trusts. A CA of your own: --ca FILE.",
        "the certificate of the proxy before [[portal.bot]] event_url (nginx: ssl_certificate)";
    TLS_FAILED = "tls_failed", true,
        "There is something at this address, but no TLS that can be spoken with.",
        "Look whether the port speaks https, and TLS 1.2 or later.",
        "[[portal.bot]] event_url";
    NO_ANSWER = "no_answer", true,
        "The connection stands, and no whole answer comes.",
        "Look at the log of the proxy: mostly it waits for a server at another address than imbot's.",
        "[server] listen, or the address that the proxy passes to (nginx: proxy_pass)";
    REDIRECTED = "redirected", true,
        "The address answers with a redirect. Bitrix24 does not follow one, so every event is lost.",
        "Write the address that it points to, exactly, or make the proxy serve this one.",
        "[[portal.bot]] event_url";
    ANSWERED_BY_OTHER = "answered_by_other", true,
        "200, but not from this server: something before it answers by itself, and the portal believes the event arrived.",
        "Make the proxy pass this host and path to imbot.",
        "[[portal.bot]] event_url, [server] path, or the proxy's rule for this path (nginx: location)";
    OTHER_SERVER = "other_server", true,
        "An imbot answers there, but not the one that has this store.",
        "Point the address to this server, or run doctor with the configuration of that one.",
        "[[portal.bot]] event_url, [server] listen";
    REFUSED_ON_THE_WAY = "refused_on_the_way", true,
        "A form does not come through to this server.",
        "404: path or host differ. 502, 503, 504: the proxy does not reach imbot. 401, 403: the proxy asks for a login.",
        "[[portal.bot]] event_url, [server] path, [server] listen, or the proxy's rule for this path";
    LARGE_BODY_LOST = "large_body_lost", true,
        "A small form comes through, one over 64 KiB does not. Long messages would be lost.",
        "Allow bodies of 1 MiB on the whole way; the shipped proxy configurations do.",
        "the proxy's limit (nginx: client_max_body_size), [server] max_body_bytes";
    NO_IDENTITY = "no_identity", false,
        "Nothing configured says as whom this portal is called: only tokens that come with events can answer them, while they live.",
        "Give it an identity.",
        "[[portal]] incoming_webhook, or app";
    PORTAL_UNREACHABLE = "portal_unreachable", true,
        "The portal does not answer at its REST address.",
        "Open the address in a browser on this machine; look at DNS, firewall and the portal's own certificate.",
        "[[portal]] domain, endpoint, incoming_webhook";
    IDENTITY_REFUSED = "identity_refused", true,
        "The portal refuses who we are: a wrong or deleted webhook, a dismissed user, a closed portal.",
        "Make the webhook anew in the portal, or install the application again; then `imbot resume PORTAL`.",
        "[[portal]] incoming_webhook";
    SCOPE_MISSING = "scope_missing", true,
        "The identity lacks a right that bots need.",
        "Give the webhook or the application the right `imbot` in the portal; then `imbot resume PORTAL`.",
        "the rights of [[portal]] incoming_webhook (or of the [[app]]) in the portal";
    REVISION_OLD = "revision_old", false,
        "The portal is older than what imbot was built for: bot tokens cannot be changed there.",
        "Update the portal, if it is on premise.",
        "the portal's own version";
    CALL_REFUSED = "call_refused", true,
        "The portal refuses a call that only reads.",
        "Look the code up in the guide (errors.md).",
        "[[portal]] endpoint, incoming_webhook";
    NOT_ASKED = "not_asked", false,
        "The portal could not be asked: it is paused, or its budget is used up.",
        "`imbot status` tells which; `imbot resume PORTAL`, or try again later.",
        "[[portal]] plan";
    CLOCK_OFF = "clock_off", true,
        "The clocks of this machine and of the portal differ by more than a minute. Ages, expiry and certificates go wrong.",
        "Switch time synchronisation on: timedatectl set-ntp true.",
        "the clock of this machine (or of the portal, on premise)";
    BOT_TOKEN_LONG = "bot_token_long", false,
        "Longer than 40 characters: Bitrix24 serves existing bots with it, but registers no new ones.",
        "Choose a token of 32 to 40 letters and digits.",
        "[[portal.bot]] bot_token";
    BOT_TOKEN_WRONG = "bot_token_wrong", true,
        "The portal has a bot of this number, and it was not registered with this token. Nothing can be sent for it.",
        "Configure the token that it was registered with.",
        "[[portal.bot]] bot_token";
    BOT_ID_FOREIGN = "bot_id_foreign", true,
        "The number is that of another bot.",
        "Configure the number that the portal gave this bot.",
        "[[portal.bot]] id";
    BOT_MISSING = "bot_missing", true,
        "The portal has no bot of this number.",
        "Register it, or take it out of the configuration.",
        "[[portal.bot]] id";
    EVENT_MODE_DIFFERS = "event_mode_differs", true,
        "The portal keeps this bot in another mode than the configuration says, so its events go where nobody waits.",
        "Change the key, or bring the bot there with `imbot register --apply`.",
        "[[portal.bot]] event_mode";
    BOT_DIFFERS = "bot_differs", false,
        "Type or flags of the bot are others at the portal than the configuration says.",
        "`imbot register` shows all that differs, `imbot register --apply` mends it; another type needs unregistering first.",
        "[[portal.bot]] type, hidden, reactions, openline";
    STORED_DIFFERS = "stored_differs", false,
        "The store knows something of the bot that the configuration says otherwise, and the store is right.",
        "Write it into the configuration as the line says, and reload; for a token, where the line says it stands.",
        "[[portal.bot]] bot_token, event_mode";
    SUBSCRIPTION_STALE = "subscription_stale", false,
        "The application has subscriptions to another address than any of its bots has here: the portal posts events there, too.",
        "Nothing, if that address leads here as well: a repeat is handled once. Else install the application anew on that portal, or correct the address. Bitrix24 keeps these rows itself and advises against `event.unbind` by hand.",
        "[[portal.bot]] event_url";
    LIMIT_REACHED = "limit_reached", false,
        "The portal refuses calls at the moment: its limit is reached.",
        "Find what sends so much; correct the plan if the portal has a larger one.",
        "[[portal]] plan";
    LIMIT_SOONER = "limit_sooner", false,
        "The portal refuses clearly sooner than its plan allows: somebody else calls it from this address, or its plan is smaller. imbot waits after each refusal, so its calls come late.",
        "Find what else calls the portal from this address; else configure the plan that the portal has.",
        "[[portal]] plan";
    LIMIT_UNREADABLE = "limit_unreadable", true,
        "What answers too many calls is nothing that imbot takes for a limit: it would not wait, and calls would end among the dead letters.",
        "Look what stands before the portal and counts requests: let it answer 429 or 503, or allow more. Till then configure a smaller plan.",
        "the proxy or firewall before the portal, or [[portal]] plan";
    TEMPLATE_IGNORED = "template_ignored", true,
        "The portal shows a message twice that was sent twice with one templateId: a repeat after a broken connection doubles it.",
        "Tell the support of Bitrix24 or the makers of imbot which portal and version it is. Until then expect doubles.",
        "the portal's own version";
    EVENT_NOT_RECEIVED = "event_not_received", true,
        "Somebody wrote to the bot, or should have, and no event came: the portal holds another address.",
        "Set the bot's webhookUrl at the portal to event_url.",
        "[[portal.bot]] event_url";
}
