//! What people do on the chat page, and what the inspector tells of it.

use super::browse;
use fantoccini::key::Key;

#[test]
fn a_person_talks_to_the_bots_and_looks_into_the_inspector() {
    browse(|page| async move {
        for name in ["Helpdesk", "Team", "Echo"] {
            page.dialog(name).await;
        }
        page.write("Hello from the browser").await;
        page.hears("Hello from the browser").await;

        page.dialog("Helpdesk").await;
        page.hears("I take your tickets").await;
        page.press(".key", "Open a ticket").await;
        page.hears("What is it about?").await;

        let field = page.find("#text").await;
        field.send_keys("/he").await.unwrap();
        page.until("document.querySelector('#suggestions [aria-selected=true]')?.textContent.includes('/help')")
            .await;
        field.send_keys(&Key::Tab.to_string()).await.unwrap();
        assert_eq!(field.prop("value").await.unwrap().as_deref(), Some("/help "));
        field.send_keys(&Key::Enter.to_string()).await.unwrap();
        page.hears("I ask for a subject").await;

        page.becomes(28).await;
        page.until("!document.querySelector('#messages').textContent.includes('What is it about?')")
            .await;
        page.write("Ben is here").await;
        page.hears("What can I do for you?").await;

        let event = "[...document.querySelectorAll('.traffic [data-kind=event]')].find((one) => one.textContent.includes('Ben is here'))";
        page.until(&format!("{event}?.textContent.includes('bot\\'s answer after')"))
            .await;
        page.run(&format!("{event}.querySelector('details').open = true")).await;
        page.until(&format!("{event}.querySelectorAll('pre').length === 3"))
            .await;
        let shown = page.run(&format!("return {event}.textContent")).await.to_string();
        for part in [
            "imbot_v2",
            "Ben is here",
            "data%5Bmessage%5D%5Btext%5D=Ben+is+here",
            "Copy as curl",
            "fileIds",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    });
}

#[test]
fn faults_and_load_are_provoked_from_the_page_and_seen_in_it() {
    browse(|page| async move {
        page.dialog("Echo").await;
        page.click("#tab-faults").await;
        page.press("#panel-faults button", "503, too many requests").await;
        page.until("document.querySelector('#in-force').textContent.includes('QUERY_LIMIT_EXCEEDED')")
            .await;
        page.write("through a fault").await;
        page.click("#tab-traffic").await;
        let struck =
            "[...document.querySelectorAll('.traffic [data-kind=call]')].find((one) => one.querySelector('.struck'))";
        page.until(struck).await;
        let line = page.run(&format!("return {struck}.textContent")).await.to_string();
        assert!(line.contains("503") && line.contains("fault"), "{line}");
        page.hears("through a fault").await;
        page.until("document.querySelector('#in-force').textContent.includes('No fault')")
            .await;

        page.click("#tab-faults").await;
        page.press("#panel-faults button", "50 users write at once").await;
        page.until("document.querySelector('#burst-told').textContent.includes('50 answered 200')")
            .await;
    });
}

#[test]
fn people_react_change_delete_upload_and_open_chats() {
    browse(|page| async move {
        page.dialog("Echo").await;
        page.write("first words").await;
        page.hears("first words").await;
        page.press(".msg:not(.own) .tool", "👍").await;
        page.until("document.querySelector('.msg:not(.own) .chip.mine')?.textContent.includes('👍 1')")
            .await;
        page.press(".msg.own .tool", "✎").await;
        page.find("#text").await.clear().await.unwrap();
        page.write("other words").await;
        page.until("document.querySelector('.msg.own').textContent.includes('changed')")
            .await;
        page.press(".msg.own .tool", "🗑").await;
        page.until("!document.querySelector('.msg.own')").await;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "some notes").unwrap();
        page.find("#file")
            .await
            .send_keys(file.to_str().unwrap())
            .await
            .unwrap();
        page.until("document.querySelector('.msg.own .files a')?.textContent.includes('notes.txt')")
            .await;
        let content = page
            .run("return fetch(document.querySelector('.msg.own .files a').href).then((one) => one.text())")
            .await;
        assert_eq!(content, "some notes");
    });
}

#[test]
fn people_mention_a_bot_open_a_line_and_follow_a_link_with_a_context() {
    browse(|page| async move {
        page.dialog("Team").await;
        page.write("nobody is meant").await;
        let field = page.find("#text").await;
        field.send_keys("@ech").await.unwrap();
        page.until("document.querySelector('#suggestions [aria-selected=true]')?.textContent.includes('Echo')")
            .await;
        field.send_keys(&Key::Tab.to_string()).await.unwrap();
        page.write("do you hear me?").await;
        page.until("document.querySelector('.msg.own .mention')?.textContent === 'Echo'")
            .await;
        page.hears("do you hear me?").await;

        page.click("#new-line").await;
        page.until("document.querySelector('#ask').open").await;
        page.click("#ask-yes").await;
        page.until("document.querySelector('#talk-about').textContent.includes('Open line, served by the bot')")
            .await;
        page.write("a guest asks").await;
        page.hears("a guest asks").await;

        page.open("#dialog=602&user=27&context=%7B%22order%22%3A7%7D").await;
        let event = "[...document.querySelectorAll('.traffic [data-kind=event]')].find((one) => one.textContent.includes('CONTEXTGET'))";
        page.until(event).await;
        assert_eq!(
            page.run("return document.activeElement.id").await,
            "text",
            "the focus is where one writes"
        );
    });
}
