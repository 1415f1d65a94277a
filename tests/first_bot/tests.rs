//! What people say to the bot, and what it says.

use super::bot;
use imbot::testing::with;
use insta::assert_snapshot;
use std::time::Duration;

#[tokio::test]
async fn what_is_written_is_on_the_list() {
    let mut talk = with(bot()).await;
    talk.user("Ann").says("milk").await;
    talk.user("Ann").says("bread").await;
    talk.user("Ann").runs("/list").await;
    assert_snapshot!(talk.heard().await, @"
    list -> Ann: Noted. On the list: 1
    list -> Ann: Noted. On the list: 2
    list -> Ann: milk
      bread
      [Clear: /clear]
    ");
    talk.user("Ann").presses("Clear").await;
    talk.user("Ann").runs("/list").await;
    assert_snapshot!(talk.heard().await, @"
    list -> Ann: The list is empty now.
    list -> Ann: The list is empty.
    ");
    talk.over().await;
}

#[tokio::test]
async fn a_crash_forgets_nothing_and_a_lost_answer_says_nothing_twice() {
    let mut talk = with(bot()).await;
    talk.user("Ann").says("milk").await;
    talk.kill().await;
    talk.portal().execute_then_reset(None, 1);
    talk.user("Ann").says("bread").await;
    talk.pass(Duration::from_secs(10)).await;
    assert_snapshot!(talk.heard().await, @"
    list -> Ann: Noted. On the list: 1
    list -> Ann: Noted. On the list: 2
    ");
    talk.over().await;
}

#[tokio::test]
async fn a_group_has_a_list_of_its_own() {
    let mut talk = with(bot()).await;
    talk.user("Ann").says("milk").await;
    talk.user("Bob").in_chat("Kitchen").says("@list coffee").await;
    talk.user("Bob").in_chat("Kitchen").says("I am off").await;
    talk.user("Ann").in_chat("Kitchen").runs("/clear").await;
    talk.user("Ann").runs("/list").await;
    assert_snapshot!(talk.heard().await, @"
    list -> Ann: Noted. On the list: 1
    list -> Ann: milk
      [Clear: /clear]
    list -> Kitchen: Noted. On the list: 1
    list -> Kitchen: The list is empty now.
    ");
    talk.over().await;
}
