//! The chat page for people with a screen reader or without a mouse, in both themes.

use super::{bot, browse};
use crate::support::text;
use fantoccini::key::Key;
use serde_json::json;
use std::sync::Arc;

#[test]
fn axe_finds_no_serious_fault_in_light_and_dark() {
    let axe: Arc<str> = text("tests/vendor/axe-core/axe.min.js").into();
    browse(move |page| async move {
        let id = page.stranger().await;
        let blocks = json!([{ "MESSAGE": "[b]x[/b] [send=/help]y[/send]" }, { "GRID": [{ "DISPLAY": "ROW", "NAME": "a", "VALUE": "b" }] },
            { "USER": { "NAME": "Ada", "USER_ID": 28 } }, { "LINK": { "LINK": "/x", "NAME": "n", "DESC": "d" } }]);
        let fields = json!({ "message": "[code]let x;[/code]\n>>quote\n[url=/x]z[/url]", "attach": blocks });
        page.call("imbot.v2.Chat.Message.send", bot(id, json!({ "fields": fields })))
            .await;
        page.until("document.querySelector('.attach')").await;
        page.dialog("Helpdesk").await;
        page.write("Hello").await;
        page.hears("What can I do for you?").await;
        page.run("document.querySelectorAll('.traffic details').forEach((one) => { one.open = true; })")
            .await;
        page.until("document.querySelectorAll('.traffic pre').length > 4").await;
        page.run(&axe).await;
        page.run("const one = document.createElement('img'); one.id = 'unnamed'; one.src = 'data:,'; document.querySelector('main').append(one)").await;
        let found = page
            .run("return axe.run(document).then(({ violations }) => violations.map(({ id }) => id))")
            .await;
        assert_eq!(found, json!(["image-alt"]), "it sees the one fault that was put there");
        page.run("document.querySelector('#unnamed').remove()").await;
        for theme in ["light", "dark"] {
            page.until(&format!(
                "document.querySelector('#theme').click() || document.documentElement.dataset.theme === '{theme}'"
            ))
            .await;
            for (dialog, tab) in [("Stranger", "traffic"), ("Helpdesk", "faults"), ("Team", "portal")] {
                page.dialog(dialog).await;
                page.click(&format!("#tab-{tab}")).await;
                let faults = page
                    .run("return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.filter(({ impact }) => \
                        ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html + ' ' + node.failureSummary).slice(0, 3).join(' | ')))")
                    .await;
                assert_eq!(faults, json!([]), "{theme}, {dialog}, {tab}");
            }
        }
    });
}

#[test]
fn the_whole_page_can_be_used_by_keyboard() {
    browse(|page| async move {
        page.dialog("Helpdesk").await;
        page.hears("I take your tickets").await;
        let mut reached = Vec::new();
        for _ in 0..60 {
            let active = page.client.active_element().await.unwrap();
            active.send_keys(&Key::Tab.to_string()).await.unwrap();
            let focused = page.run("const one = document.activeElement; return [one.id || one.className, getComputedStyle(one).outlineStyle]").await;
            let name = focused[0].as_str().unwrap_or_default().to_owned();
            assert!(name.is_empty() || focused[1] != "none", "no visible focus on {focused}");
            reached.push(name);
        }
        for wanted in [
            "me",
            "theme",
            "new-group",
            "dialog",
            "log",
            "key secondary",
            "attach",
            "text",
            "tab-traffic",
            "show",
        ] {
            let there = reached
                .iter()
                .any(|name| name == wanted || wanted.starts_with("key") && name.starts_with("key"));
            assert!(there, "{wanted} is not reached: {reached:?}");
        }
    });
}
