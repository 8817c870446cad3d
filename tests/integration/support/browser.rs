//! A browser without script: keeps cookies as their attributes say, follows redirects within the server, fills in forms.

use url::Url;

use super::app::TestUser;
use super::http::{Answer, Http};

/// A browser.
#[derive(Clone)]
pub struct Browser {
    http: Http,
    cookies: Vec<Cookie>,
    /// Sent as `User-Agent`.
    pub user_agent: String,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    path: String,
}

/// A page, or a redirect to elsewhere.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it was found.
    pub url: Url,
    /// What was answered.
    pub answer: Answer,
}

impl Browser {
    pub fn new(http: Http) -> Self {
        Self {
            http,
            cookies: Vec::new(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                .into(),
        }
    }

    /// Speaks to another node from now on.
    pub fn move_to(&mut self, http: &Http) {
        self.http = http.clone();
    }

    /// Opens an address and follows redirects as long as they stay at the host.
    pub async fn open(&mut self, url: &str) -> Page {
        let answer = self.fetch(url, None).await;
        self.follow(Url::parse(url).expect("a URL"), answer).await
    }

    /// Opens an address without following.
    pub async fn fetch(&mut self, url: &str, form: Option<&[(&str, &str)]>) -> Answer {
        self.fetch_from(url, form, None).await
    }

    async fn fetch_from(
        &mut self,
        url: &str,
        form: Option<&[(&str, &str)]>,
        origin: Option<&str>,
    ) -> Answer {
        let parsed = Url::parse(url).expect("a URL");
        let mut request = match form {
            None => self.http.get(url),
            Some(fields) => self.http.post(url).form(fields),
        };
        request = request
            .header("accept", "text/html,application/xhtml+xml")
            .header("user-agent", &self.user_agent);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let cookies = self.cookies_for(&parsed);
        if !cookies.is_empty() {
            request = request.header("cookie", &cookies);
        }
        let answer = request.send().await;
        self.keep(&parsed, &answer);
        answer
    }

    async fn follow(&mut self, mut url: Url, mut answer: Answer) -> Page {
        for _ in 0..10 {
            if !(300..400).contains(&answer.status) || answer.status == 304 {
                return Page { url, answer };
            }
            let Some(location) = answer.header("location") else {
                return Page { url, answer };
            };
            let next = url.join(location).expect("a location");
            if next.host_str() != url.host_str() || next.port() != url.port() {
                return Page { url, answer };
            }
            url = next;
            answer = self.fetch(url.as_str(), None).await;
        }
        panic!("redirects without end at {url}");
    }

    /// Fills in the page's form that has the field or button, and sends it.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let (action, all) = page.filled(fields);
        let borrowed: Vec<(&str, &str)> = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let origin = page.url.origin().ascii_serialization();
        let answer = self
            .fetch_from(action.as_str(), Some(&borrowed), Some(&origin))
            .await;
        self.follow(action, answer).await
    }

    /// Posts a form as another site would, or as none.
    pub async fn post_from(
        &mut self,
        url: &str,
        fields: &[(&str, &str)],
        origin: Option<&str>,
    ) -> Answer {
        self.fetch_from(url, Some(fields), origin).await
    }

    /// Signs in on the page that is shown.
    pub async fn sign_in(&mut self, page: &Page, user: &TestUser) -> Page {
        page.expect_id("submit");
        self.submit(
            page,
            &[("username", &user.email), ("password", &user.password)],
        )
        .await
    }

    /// Goes on until the browser is sent elsewhere: signs in where asked, and allows.
    pub async fn pass(&mut self, mut page: Page, user: &TestUser) -> Page {
        for _ in 0..4 {
            if page.answer.body.contains("id=\"password\"") {
                page = self.sign_in(&page, user).await;
            } else if page.answer.body.contains("id=\"allow\"") {
                page = self.submit(&page, &[("decision", "allow")]).await;
            } else {
                break;
            }
        }
        page
    }

    fn cookies_for(&self, url: &Url) -> String {
        let path = url.path();
        let fits = |cookie: &&Cookie| {
            Some(cookie.host.as_str()) == url.host_str()
                && (cookie.path == "/"
                    || path == cookie.path
                    || path.starts_with(&format!("{}/", cookie.path.trim_end_matches('/'))))
        };
        self.cookies
            .iter()
            .filter(fits)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&mut self, url: &Url, answer: &Answer) {
        for header in answer.all("set-cookie") {
            let mut parts = header.split(';').map(str::trim);
            let (name, value) = parts
                .next()
                .and_then(|pair| pair.split_once('='))
                .expect("a cookie");
            let attributes: Vec<&str> = parts.collect();
            let attribute = |wanted: &str| {
                attributes.iter().find_map(|text| {
                    let (name, value) = text.split_once('=').unwrap_or((text, ""));
                    name.eq_ignore_ascii_case(wanted).then_some(value)
                })
            };
            let path = attribute("path").unwrap_or("/").to_owned();
            let host = url.host_str().unwrap_or_default().to_owned();
            self.cookies
                .retain(|known| !(known.name == name && known.path == path && known.host == host));
            let gone = attribute("max-age").is_some_and(|age| age.starts_with('-') || age == "0");
            if !gone && !value.is_empty() {
                self.cookies.push(Cookie {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    host,
                    path,
                });
            }
        }
    }

    /// The value of a cookie, whatever its prefix and path.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|cookie| {
                cookie
                    .name
                    .trim_start_matches("__Host-")
                    .trim_start_matches("__Secure-")
                    == name
            })
            .map(|cookie| cookie.value.as_str())
    }

    /// Replaces a cookie's value.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        for cookie in &mut self.cookies {
            if cookie
                .name
                .trim_start_matches("__Host-")
                .trim_start_matches("__Secure-")
                == name
            {
                value.clone_into(&mut cookie.value);
            }
        }
    }

    /// Takes a cookie over from another browser, as a thief might.
    pub fn adopt_cookie(&mut self, name: &str, other: &Self) {
        let stolen = other.cookies.iter().filter(|cookie| {
            cookie
                .name
                .trim_start_matches("__Host-")
                .trim_start_matches("__Secure-")
                == name
        });
        self.cookies.extend(stolen.cloned());
    }

    /// Keeps only these cookies, and takes them to another origin.
    pub fn forget_all_but(&mut self, kept: &[&str], origin: &str) {
        let origin = Url::parse(origin).expect("an origin");
        let prefix = if origin.scheme() == "https" {
            "__Host-"
        } else {
            ""
        };
        self.cookies.retain_mut(|cookie| {
            let bare = cookie.name.trim_start_matches("__Host-").to_owned();
            cookie.name = format!("{prefix}{bare}");
            origin
                .host_str()
                .unwrap_or_default()
                .clone_into(&mut cookie.host);
            "/".clone_into(&mut cookie.path);
            kept.contains(&bare.as_str())
        });
    }

    /// Moves all cookies to another path, as an attacker's browser might.
    pub fn transplant_cookies(&mut self, path: &str) {
        for cookie in &mut self.cookies {
            path.clone_into(&mut cookie.path);
        }
    }
}

/// Where an authorization response stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Query,
    Fragment,
    Form,
}

/// An authorization response, wherever it stands.
#[derive(Clone, Debug)]
pub struct Response {
    pub place: Place,
    /// Where it goes, without itself.
    pub uri: String,
    pub parameters: Vec<(String, String)>,
}

impl Response {
    /// A parameter's value.
    pub fn find(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(known, _)| known == name);
        let found = named.next().map(|(_, value)| value.as_str());
        assert!(named.next().is_none(), "{name} is there twice");
        found
    }

    /// The value of a parameter that must be there.
    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The names of all, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.parameters.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names
    }
}

impl Page {
    /// The authorization response that the browser was sent on with.
    #[track_caller]
    pub fn response(&self) -> Response {
        if self.answer.status == 200 {
            self.expect_id("form-post");
            let (action, parameters) = self.filled(&[]);
            return Response {
                place: Place::Form,
                uri: action.into(),
                parameters,
            };
        }
        let mut url = self.answer.location();
        let (place, text) = match url.fragment() {
            Some(fragment) => (Place::Fragment, fragment.to_owned()),
            None => (Place::Query, url.query().unwrap_or_default().to_owned()),
        };
        url.set_fragment(None);
        if place == Place::Query {
            url.set_query(None);
        }
        Response {
            place,
            uri: url.into(),
            parameters: url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    /// Says that the page has an element of this id.
    #[track_caller]
    pub fn expect_id(&self, id: &str) -> &Self {
        assert!(
            self.answer.body.contains(&format!("id=\"{id}\"")),
            "no #{id} at {}: {} {}",
            self.url,
            self.answer.status,
            self.answer.body
        );
        self
    }

    /// The form's address and its fields: hidden ones as they are, others as given.
    #[track_caller]
    pub fn filled(&self, fields: &[(&str, &str)]) -> (Url, Vec<(String, String)>) {
        let body = &self.answer.body;
        let forms: Vec<&str> = body
            .split("<form")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap_or_default())
            .collect();
        let has = |form: &&&str| {
            fields
                .iter()
                .all(|(name, _)| form.contains(&format!("name=\"{name}\"")))
        };
        let form = forms.iter().find(has).unwrap_or_else(|| {
            panic!(
                "no form with {fields:?} at {}: {} {body}",
                self.url, self.answer.status
            )
        });
        let action = attribute(form, "action").unwrap_or_default();
        let mut all = Vec::new();
        for input in form.split("<input").skip(1) {
            let input = input.split('>').next().unwrap_or_default();
            let (Some(name), value) = (
                attribute(input, "name"),
                attribute(input, "value").unwrap_or_default(),
            ) else {
                continue;
            };
            let given = fields.iter().any(|(known, _)| *known == name);
            if !given && attribute(input, "type").as_deref() == Some("hidden") {
                all.push((name, value));
            }
        }
        all.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        (self.url.join(&action).expect("an action"), all)
    }

    /// A hidden field's value.
    pub fn hidden(&self, name: &str) -> Option<String> {
        let at = self.answer.body.find(&format!("name=\"{name}\""))?;
        let start = self.answer.body[..at].rfind('<')?;
        attribute(self.answer.body[start..].split('>').next()?, "value")
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace("&#38;", "&")
            .replace("&#x2F;", "/")
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
