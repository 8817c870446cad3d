//! The forms of a page, with every field that a browser would send.

/// A form as it stands on a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

/// All forms that are posted.
pub fn posted(body: &str) -> Vec<Form> {
    let forms = body.split("<form").skip(1);
    forms
        .map(|rest| rest.split("</form>").next().unwrap_or_default())
        .filter(|form| attribute(tag(form), "method").as_deref() == Some("post"))
        .map(|form| Form {
            action: attribute(tag(form), "action").unwrap_or_default(),
            fields: fields(form),
        })
        .collect()
}

fn fields(form: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut pressed = false;
    for rest in form.split('<').skip(1) {
        let tag = tag(rest);
        let kind = attribute(tag, "type").unwrap_or_default();
        let Some(name) = attribute(tag, "name") else {
            continue;
        };
        let value = attribute(tag, "value").unwrap_or_default();
        if rest.starts_with("input") {
            let is_choice = ["checkbox", "radio"].contains(&kind.as_str());
            if !is_choice || has(tag, "checked") {
                fields.push((name, value));
            }
        } else if rest.starts_with("textarea") {
            fields.push((
                name,
                unescape(rest.split_once('>').map_or("", |(_, text)| text)),
            ));
        } else if rest.starts_with("select") {
            fields.push((name, chosen(form, rest)));
        } else if rest.starts_with("button") && !pressed {
            // Whoever sends a form presses one button.
            pressed = true;
            fields.push((name, value));
        }
    }
    fields
}

/// The value of the option that is selected, else of the first.
fn chosen(form: &str, select: &str) -> String {
    let at = select.as_ptr() as usize - form.as_ptr() as usize;
    let options = form[at..].split("</select>").next().unwrap_or_default();
    let options: Vec<_> = options.split("<option").skip(1).map(tag).collect();
    let chosen = options.iter().find(|option| has(option, "selected"));
    chosen
        .or_else(|| options.first())
        .and_then(|option| attribute(option, "value"))
        .unwrap_or_default()
}

fn tag(text: &str) -> &str {
    text.split('>').next().unwrap_or_default()
}

fn has(tag: &str, name: &str) -> bool {
    tag.split_ascii_whitespace().any(|word| word == name)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| unescape(value))
}

fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (written, letter) in [
        ("&#34;", "\""),
        ("&#38;", "&"),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(written, letter);
    }
    plain
}
