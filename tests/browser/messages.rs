//! How the chat page shows what bots send: everything that may be sent, and nothing that should not run.

use super::{bot, browse};
use serde_json::{Value, json};

/// What strangers might try.
const TEXTS: [&str; 9] = [
    "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>",
    "[url=javascript:window.ran=1]x[/url] [url]javascript:window.ran=1[/url] [url= javascript:window.ran=1]x[/url]",
    "[url=java\tscript:window.ran=1]x[/url] [url=data:text/html,<script>parent.ran=1</script>]x[/url] [url=//evil.example/x]x[/url]",
    "[img]javascript:window.ran=1[/img] [img]x\" onerror=\"window.ran=1[/img] [icon=javascript:window.ran=1 title=x]",
    "[color=red;background:url(javascript:window.ran=1)]x[/color] [color=#fff\" onmouseover=\"window.ran=1]x[/color] [size=99999]x[/size]",
    "[user=1\" onclick=\"window.ran=1]x[/user] [chat=1' onclick='window.ran=1]x[/chat] [disk=../../rest/1]x",
    "[b][i][b][/i][/b][/url][constructor][__proto__=1][toString] [timestamp=99999999999999999999] [context=a/b]x[/context]",
    "[code]</code></pre><script>window.ran = 1</script>[/code][/code][code]",
    "</script></textarea></style><svg onload='window.ran = 1'><iframe srcdoc='<script>parent.ran=1</script>'>",
];

#[test]
fn what_a_bot_sends_is_rendered_and_what_it_changes_is_seen() {
    browse(|page| async move {
        let id = page.stranger().await;
        let blocks = json!([
            { "MESSAGE": "Order [b]12[/b]" }, { "LINK": { "LINK": "https://example.com/", "NAME": "Ticket", "DESC": "burns" } },
            { "RICH_LINK": { "LINK": "https://example.com/", "NAME": "Rich" } }, { "USER": { "NAME": "Ada", "USER_ID": 28 } },
            { "GRID": [{ "DISPLAY": "TABLE", "NAME": "Total", "VALUE": "5" }] }, { "IMAGE": { "LINK": "/a.png", "NAME": "Chart" } },
            { "FILE": [{ "LINK": "/a.pdf", "NAME": "a.pdf", "SIZE": 2048 }] }, { "DELIMITER": { "SIZE": 100 } },
        ]);
        let keyboard = json!([{ "TEXT": "Put", "ACTION": "PUT", "ACTION_VALUE": "put there" }, { "TEXT": "Site", "LINK": "https://example.com/" }]);
        let words =
            "[b]bold[/b] [url=https://example.com/x]site[/url] [user=28]Ben[/user]\n>>quoted\n[code][b]raw[/b][/code]";
        let fields =
            json!({ "message": words, "attach": { "COLOR_TOKEN": "primary", "BLOCKS": blocks }, "keyboard": keyboard });
        let sent = page
            .call("imbot.v2.Chat.Message.send", bot(id, json!({ "fields": fields })))
            .await;
        assert!(sent["result"]["id"].is_i64(), "{sent}");
        page.until("document.querySelector('.attach')").await;
        for css in [
            "strong",
            ".words a[href='https://example.com/x']",
            ".mention",
            "blockquote",
            ".code code",
            ".card",
            ".person",
            ".grid.table dd",
            ".files li",
            ".attach hr",
            ".attach.primary",
            "a.key[target=_blank]",
        ] {
            let found = page
                .run(&format!("return document.querySelectorAll(\"#messages {css}\").length"))
                .await;
            assert!(found.as_u64() > Some(0), "no {css}");
        }
        assert_eq!(
            page.run("return document.querySelector('.code').textContent").await,
            "[b]raw[/b]"
        );
        page.press(".key", "Put").await;
        page.until("document.querySelector('#text').value === 'put there'")
            .await;
    });
}

#[test]
fn typing_changes_deletions_and_a_closed_field_are_seen() {
    browse(|page| async move {
        let id = page.stranger().await;
        let fields = json!({ "message": "at first" });
        let sent = page
            .call("imbot.v2.Chat.Message.send", bot(id, json!({ "fields": fields })))
            .await;
        let message = sent["result"]["id"].as_i64().expect("an id");
        page.hears("at first").await;
        page.call(
            "imbot.v2.Chat.InputAction.notify",
            bot(id, json!({ "statusMessageCode": "IMBOT_AGENT_ACTION_SEARCHING" })),
        )
        .await;
        page.until("document.querySelector('#busy').textContent === 'Stranger is searching…'")
            .await;
        page.call(
            "imbot.v2.Chat.Message.update",
            bot(
                id,
                json!({ "messageId": message, "fields": { "message": "corrected" } }),
            ),
        )
        .await;
        page.until("document.querySelector('.msg .words').textContent === 'corrected'")
            .await;
        page.call("imbot.v2.Chat.Message.delete", bot(id, json!({ "messageId": message })))
            .await;
        page.until("document.querySelector('.msg.deleted')").await;
        page.call("imbot.v2.Chat.TextField.enabled", bot(id, json!({ "enabled": false })))
            .await;
        page.until("document.querySelector('#text').disabled && !document.querySelector('#closed').hidden")
            .await;
    });
}

#[test]
fn nothing_in_a_message_runs() {
    browse(|page| async move {
        page.run("window.broken = []; addEventListener('securitypolicyviolation', (one) => window.broken.push(one.violatedDirective)); addEventListener('error', (one) => window.broken.push(one.message))")
            .await;
        let id = page.stranger().await;
        for text in TEXTS {
            let blocks = json!([
                { "MESSAGE": text }, { "LINK": { "LINK": "javascript:window.ran=1", "NAME": text, "HTML": text } }, { "toString": {} },
                { "USER": { "NAME": text, "AVATAR": "javascript:window.ran=1" } }, { "GRID": [{ "DISPLAY": text, "NAME": text, "VALUE": text, "COLOR": text }] },
            ]);
            let keyboard = json!([{ "TEXT": text, "LINK": "javascript:window.ran=1", "BG_COLOR": text }]);
            let fields = json!({ "message": text, "attach": blocks, "keyboard": keyboard });
            let sent = page
                .call("imbot.v2.Chat.Message.send", bot(id, json!({ "fields": fields })))
                .await;
            assert!(sent["result"]["id"].is_i64(), "{sent}");
        }
        let deep = "[b]".repeat(6000);
        page.call(
            "imbot.v2.Chat.Message.send",
            bot(id, json!({ "fields": { "message": deep } })),
        )
        .await;
        page.call(
            "imbot.v2.Chat.Message.send",
            bot(id, json!({ "fields": { "message": "the last one" } })),
        )
        .await;
        page.hears("the last one").await;
        page.run("document.querySelectorAll('#messages a, #messages button').forEach((one) => { if (!one.href?.startsWith('http')) one.click(); })").await;
        page.until("true").await;
        assert_eq!(page.run("return window.ran ?? null").await, Value::Null);
        assert_eq!(
            page.run("return window.broken").await,
            json!([]),
            "the page broke its own rules"
        );
        let bad = "return [...document.querySelectorAll('#messages *')].filter((one) => ['SCRIPT', 'IFRAME', 'SVG', 'STYLE'].includes(one.tagName.toUpperCase()) \
            || [...one.attributes].some((attribute) => attribute.name.startsWith('on') || /^\\s*(javascript|data):/i.test(attribute.value))).map((one) => one.outerHTML)";
        assert_eq!(page.run(bad).await, json!([]));
        let literal = page
            .run("return document.querySelector('#messages').textContent")
            .await
            .to_string();
        assert!(
            literal.contains("<script>window.ran = 1</script>"),
            "shown as what it is"
        );
        // The policy itself: what slipped through a mistake of ours would still not run.
        let tried = page
            .run("try { document.body.innerHTML = '<b>x</b>'; return 'taken'; } catch { return 'refused'; }")
            .await;
        assert_eq!(tried, "refused");
    });
}
