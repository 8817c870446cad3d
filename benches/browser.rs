//! A browser as far as a sign-in needs one.

use crate::Result;
use crate::load::ask;
use crate::wire::{Answer, get, post};

/// A sign-in form, ready to be sent for anybody.
pub struct SignIn {
    host: String,
    action: String,
    fields: Vec<(String, String)>,
    cookies: String,
}

impl SignIn {
    /// The form of a tenant, by its path.
    pub fn open(host: &str, port: u16, tenant: &str) -> Result<Self> {
        let mut browser = Browser::new(host, port);
        let page = browser.open(get(host, &format!("{tenant}/login"), ""))?;
        let (action, fields) = filled(&String::from_utf8_lossy(&page.body), "password")?;
        Ok(Self {
            host: host.to_owned(),
            action,
            fields,
            cookies: browser.header(),
        })
    }

    /// The request of somebody.
    pub fn request(&self, email: &str, password: &str) -> Vec<u8> {
        let mut fields: Vec<(&str, &str)> = self
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend([("username", email), ("password", password)]);
        let headers = format!(
            "Cookie: {}\r\nOrigin: http://{}\r\n",
            self.cookies, self.host
        );
        post(&self.host, &self.action, &headers, &fields)
    }
}

/// The code that an answer of the authorization endpoint carries.
pub fn code(answer: &Answer) -> Result<String> {
    let location = answer.all("location").next().unwrap_or_default();
    let url = url::Url::parse(location).map_err(|_| {
        format!(
            "no code: {} {}",
            answer.head,
            String::from_utf8_lossy(&answer.body)
        )
    })?;
    let found = url.query_pairs().find(|(name, _)| name == "code");
    Ok(found.ok_or("no code")?.1.into_owned())
}

/// A browser without script: keeps cookies, follows redirects within the server, fills in forms.
pub struct Browser {
    host: String,
    port: u16,
    cookies: Vec<(String, String)>,
}

impl Browser {
    /// Before the server at this port, which is called so.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            cookies: Vec::new(),
        }
    }

    /// The value of its `Cookie` header.
    pub fn header(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// Sends a request and follows redirects.
    pub fn open(&mut self, request: Vec<u8>) -> Result<Answer> {
        let mut request = request;
        for _ in 0..8 {
            let answer = ask(self.port, &request)?;
            for header in answer.all("set-cookie") {
                let (name, value) = header
                    .split(';')
                    .next()
                    .and_then(|pair| pair.split_once('='))
                    .ok_or("a cookie without a value")?;
                self.cookies.retain(|(known, _)| known != name);
                if !value.is_empty() {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
            let location = answer.all("location").next().map(ToOwned::to_owned);
            match location {
                Some(location) if location.starts_with('/') || location.contains(&self.host) => {
                    let path = location
                        .split_once(&self.host)
                        .map_or(location.as_str(), |(_, path)| path);
                    request = get(
                        &self.host,
                        path,
                        &format!("Cookie: {}\r\nAccept: text/html\r\n", self.header()),
                    );
                }
                _ => return Ok(answer),
            }
        }
        Err("redirects without end".into())
    }

    /// Fills in the page's form that has the first of the fields, and sends it.
    pub fn submit(&mut self, page: &str, values: &[(&str, &str)]) -> Result<Answer> {
        let (action, fields) = filled(page, values[0].0)?;
        let mut all: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend_from_slice(values);
        let headers = format!(
            "Cookie: {}\r\nOrigin: http://{}\r\nAccept: text/html\r\n",
            self.header(),
            self.host
        );
        self.open(post(&self.host, &action, &headers, &all))
    }
}

/// A page's form that has a field: its address, and its hidden fields.
fn filled(page: &str, field: &str) -> Result<(String, Vec<(String, String)>)> {
    let form = page
        .split("<form")
        .skip(1)
        .find(|form| form.contains(&format!("name=\"{field}\"")))
        .ok_or_else(|| format!("no form with {field}: {page}"))?;
    let form = form.split("</form>").next().unwrap_or_default();
    let attribute = |tag: &str, name: &str| {
        let value = tag
            .split_once(&format!(" {name}=\""))?
            .1
            .split('"')
            .next()?;
        let entities = [
            ("&#38;", "&"),
            ("&amp;", "&"),
            ("&#34;", "\""),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&#60;", "<"),
            ("&#62;", ">"),
        ];
        Some(
            entities
                .iter()
                .fold(value.to_owned(), |text, (entity, character)| {
                    text.replace(entity, character)
                }),
        )
    };
    let action = attribute(form, "action").unwrap_or_default();
    let action = action
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()))
        .unwrap_or(action);
    let hidden = form
        .split("<input")
        .skip(1)
        .filter(|input| input.contains("type=\"hidden\""))
        .filter_map(|input| {
            Some((
                attribute(input, "name")?,
                attribute(input, "value").unwrap_or_default(),
            ))
        });
    Ok((action, hidden.collect()))
}
