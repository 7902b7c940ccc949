//! The status page in a real browser: Chromium without a window, driven through ChromeDriver. Pictures of what it shows are left
//! in `target/tmp`, to be looked at.

mod browser;

use crate::rig::Rig;
use browser::Browser;

/// Two holds and a terminal that cannot be reached: all of it is on the page, which renews itself without being loaded anew, is
/// readable on a phone, and says so when nobody answers any more.
#[test]
fn the_page_lives() {
    let Some(browser) = Browser::start(true) else { return };
    let rig = Rig::pair().connectors(2).start();
    browser.open(&rig.api.url("/"));
    assert_eq!(browser.text("h1"), "rig");
    assert_eq!(browser.text(".banner"), "All is well");
    assert_eq!(browser.texts("main table tbody tr td:first-child strong"), ["apollo-1", "p6x-1"]);
    browser.run("document.body.dataset.loaded = 'once'");

    let session = rig.approve("apollo-1", 5000);
    rig.approve("p6x-1", 2000);
    rig.energy(&session, 1240);
    browser.until("both holds are shown", |browser| browser.text(".figures").contains("70.00 EUR"));
    browser.until("energy is shown", |browser| browser.text("main").contains("12.40"));
    assert_eq!(browser.run("return document.body.dataset.loaded"), "once");
    browser.picture("status-desk");

    rig.terminal("apollo-1").refuse_connections(true);
    rig.terminal("apollo-1").cut();
    rig.command(&session, "commit?wait=0", &serde_json::json!({ "amount": 1240 }));
    browser.until("what waits is named", |browser| {
        let main = browser.text("main");
        main.contains("taking 12.40 EUR is decided (api)")
            && main.contains("its terminal cannot be reached")
            && browser.text(".banner") == "1 hold is waiting for an answer"
    });
    browser.size(390, 844);
    let (content, window) =
        (browser.number("return document.documentElement.scrollWidth"), browser.number("return innerWidth"));
    assert!(content <= window, "a phone must scroll sideways: {content} > {window}");
    browser.picture("status-phone");

    rig.kill9();
    browser.until("silence is told", |browser| browser.text("#live").starts_with("no answer since "));
    browser.picture("status-silent");
    rig.terminal("apollo-1").refuse_connections(false);
    rig.start_again();
    rig.wait_state(&session, "committed");
    rig.finish();
}

/// Without JavaScript the tables are the same, and the browser is told to load them again.
#[test]
fn the_page_needs_no_script() {
    let Some(browser) = Browser::start(false) else { return };
    let rig = Rig::pair().start();
    let session = rig.approve("p6x-1", 2000);
    browser.open(&rig.api.url("/"));
    assert!(browser.text("main").contains("20.00 EUR"), "{}", browser.text("main"));
    assert!(browser.text("main").contains(&session), "{}", browser.text("main"));
    assert_eq!(browser.text("#live"), "renewed every 10 s");
    browser.picture("status-no-script");
    rig.void(&session);
    rig.finish();
}

/// With tokens a browser asks its user; the token is the password.
#[test]
fn the_page_asks_for_a_token() {
    let Some(browser) = Browser::start(true) else { return };
    let rig = Rig::pair().token("a-long-token").start();
    browser.open(&rig.api.url("/").replace("http://", "http://anybody:a-long-token@"));
    assert_eq!(browser.text("h1"), "rig");
    browser.until("it renews itself", |browser| browser.text("#live") == "live");
    rig.finish();
}
