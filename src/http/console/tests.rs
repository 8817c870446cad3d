//! Every sample of the console, in every language, held to what all pages promise.

use super::samples::render_all;
use crate::http::pages::messages::Messages;
use crate::http::pages::samples::HOSTILE;

#[test]
fn every_sample_renders_and_keeps_the_promises_of_pages() {
    for page in Messages::all().flat_map(|messages| render_all(messages).unwrap()) {
        let place = format!("{}/{}/{}", page.view, page.sample, page.lang);
        assert!(
            !page.html.contains(HOSTILE) && !page.html.contains("<img src=x"),
            "{place}"
        );
        assert!(
            !page.html.contains(" style=") && !page.html.contains(" onclick="),
            "{place}"
        );
        assert!(!page.html.contains("<style"), "{place}");
        assert_eq!(
            page.html.matches("<script").count(),
            page.html.matches(" defer></script>").count(),
            "{place}"
        );
        assert_eq!(page.html.matches("<h1").count(), 1, "{place}");
        for form in page.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains("method=\"post\"") {
                assert!(
                    form.contains("name=\"csrf\" value=\"csrf\""),
                    "{place}: {form}"
                );
            }
        }
        // Every id is there once, and no message is missing.
        let mut ids: Vec<_> = page
            .html
            .split(" id=\"")
            .skip(1)
            .map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{place}: {ids:?}");
    }
}
