//! The tenant's look: logo and colours, with a sample of the sign-in page. A button shows it without a script; with one it follows what is
//! typed. Both ask the server what it would look like, and what is wrong.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use actix_web::{HttpResponse, web};
use serde_json::json;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Draft, Field, FieldKind};
use super::routes::at;
use super::sections::{Reach, Section};
use super::settings::stored;
use super::sheets::{FormSheet, Group, Preview};
use super::visitor::Visitor;
use crate::domain::branding::{Branding, BrandingError, Palette, Rgb, Scheme, TEXT_CONTRAST};
use crate::domain::tenant::TenantRecord;
use crate::flows::admin::{AdminError, Area, Permission};
use crate::http::error::Answer;
use crate::http::extract::Query;
use crate::http::pages::brand_sheet::properties;
use crate::http::pages::views::Page;
use crate::http::pages::visit::Visit;

/// This section.
pub static SECTION: Section = Section {
    path: "/branding",
    label: "section-branding",
    needs: Some(Permission::Read(Area::Settings)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(
            at("/branding")
                .route(web::get().to(show))
                .route(web::post().to(save)),
        );
        pages.service(at("/branding/preview.css").route(web::get().to(sheet)));
    },
};

const FIELDS: [&str; 3] = ["logo_uri", "accent", "accent_dark"];

fn draft_of(branding: &Branding) -> Draft {
    let colour = |colour: Option<Rgb>| colour.map_or_else(String::new, |colour| colour.to_string());
    Draft::new([
        (
            "logo_uri",
            branding.logo_uri().map_or_else(String::new, Url::to_string),
        ),
        ("accent", colour(branding.accent())),
        ("accent_dark", colour(branding.accent_dark())),
    ])
}

/// What the form says, so far as it is in order; what isn't is said beside its field.
fn read(page: &Page<'_>, draft: &mut Draft) -> Branding {
    let mut colour = |name: &str| {
        let text = draft.given(name)?.to_owned();
        // One writes colours with and without their sign.
        let written = if text.starts_with('#') {
            text
        } else {
            format!("#{text}")
        };
        let parsed = written.parse::<Rgb>().ok();
        if parsed.is_none() {
            draft.blame(name, page.t("branding-no-colour"));
        }
        parsed
    };
    let (accent, accent_dark) = (colour("accent"), colour("accent_dark"));
    if accent.is_none() && accent_dark.is_some() && !draft.is_wrong() {
        draft.blame("accent", page.t("branding-accent-first"));
    }
    let logo = draft.given("logo_uri").map(ToOwned::to_owned);
    let parsed = logo.map(|text| Url::parse(&text));
    let checked = match parsed {
        None => Ok(None),
        Some(Ok(url)) => Branding::new(Some(url.clone()), None, None).map(|_| Some(url)),
        Some(Err(_)) => Err(BrandingError::LogoScheme),
    };
    let logo = checked.unwrap_or_else(|error| {
        let id = match error {
            BrandingError::LogoSvg => "branding-no-svg",
            _ => "branding-no-logo",
        };
        draft.blame("logo_uri", page.t(id));
        None
    });
    Branding::new(logo, accent, accent_dark).unwrap_or_default()
}

/// What was done to the colours so that everybody can read what is written in them.
fn notes(page: &Page<'_>, branding: &Branding) -> Vec<String> {
    let mut notes = Vec::new();
    for (scheme, id) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        let palette = branding.palette(scheme);
        let contrast = palette.accent.contrast(scheme.background());
        if contrast < TEXT_CONTRAST {
            let contrast = format!("{contrast:.1}").replace('.', &page.t("decimal-sign"));
            notes.push(page.messages.format(
                &format!("branding-contrast-{id}"),
                [
                    ("colour", palette.accent.to_string()),
                    ("contrast", contrast),
                    ("instead", palette.accent_ink.to_string()),
                ],
            ));
        }
    }
    if notes.is_empty() {
        notes.push(page.t("branding-contrast-good").into_owned());
    }
    // The server doesn't fetch it; whoever looks at the page does.
    if branding.logo_uri().is_some() {
        notes.push(page.t("branding-logo-broken").into_owned());
    }
    notes
}

fn preview(page: &Shell<'_>, branding: &Branding) -> Preview {
    let mut query = Serializer::new(String::new());
    for (name, colour) in [
        ("accent", branding.accent()),
        ("accent_dark", branding.accent_dark()),
    ] {
        if let Some(colour) = colour {
            query.append_pair(name, &colour.to_string());
        }
    }
    let address = page.path("/branding/preview.css");
    Preview {
        sheet: format!("{address}?{}", query.finish()),
        address,
        logo: branding.logo_uri().map(Url::to_string),
        notes: notes(page, branding),
    }
}

fn form<'a>(
    visitor: &'a Visitor,
    draft: &Draft,
    version: &str,
    branding: &Branding,
) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let fields = vec![
        Field::new("logo_uri", page.t("branding-logo"), FieldKind::Line("url"))
            .hint(page.t("branding-logo-hint"))
            .of(draft),
        Field::text("accent", page.t("branding-accent"))
            .hint(page.t("branding-accent-hint"))
            .of(draft),
        Field::text("accent_dark", page.t("branding-accent-dark"))
            .hint(page.t("branding-accent-dark-hint"))
            .of(draft),
    ];
    let address = page.path("/branding");
    FormSheet {
        page,
        back: None,
        title: page.t("section-branding").into_owned(),
        lede: page.t("branding-lede").into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: address.clone(),
        hidden: vec![("version", version.to_owned())],
        groups: Group::plain(fields),
        preview: Some(preview(&page, branding)),
        button: page.t("save-changes").into_owned(),
        danger: false,
        cancel: address,
    }
}

/// `GET /console/branding`.
async fn show(visitor: Visitor) -> Answer {
    visitor.check(Permission::Read(Area::Settings))?;
    let record = stored(&visitor).await?;
    if !visitor.may(Permission::Write(Area::Settings)) {
        return visitor.show(&facts(&visitor, &record));
    }
    let (draft, version) = (draft_of(&record.branding), record.version.to_string());
    visitor.show(&form(&visitor, &draft, &version, &record.branding))
}

fn facts<'a>(visitor: &'a Visitor, record: &TenantRecord) -> super::sheets::DetailSheet<'a> {
    use super::sheets::{DetailSheet, Fact, FactGroup};
    let page = visitor.shell(&SECTION);
    let draft = draft_of(&record.branding);
    let labels = ["branding-logo", "branding-accent", "branding-accent-dark"];
    let fact = |(name, label): (&str, &str)| {
        let value = draft.given(name).map(ToOwned::to_owned);
        Fact::code(page.t(label), value.into_iter().collect())
    };
    DetailSheet {
        page,
        back: None,
        title: page.t("section-branding").into_owned(),
        badges: Vec::new(),
        lede: page.t("settings-read-only").into_owned(),
        problems: Vec::new(),
        acts: Vec::new(),
        groups: vec![FactGroup {
            title: String::new(),
            text: String::new(),
            facts: FIELDS.into_iter().zip(labels).map(fact).collect(),
        }],
    }
}

/// `POST /console/branding`: shows how it would look, or saves it.
async fn save(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Settings))?;
    let sent = visitor.take()?;
    let page = visitor.shell(&SECTION);
    let mut draft = Draft::sent(&sent, &FIELDS);
    let branding = read(&page, &mut draft);
    let version = sent.input("version");
    let view = form(&visitor, &draft, version, &branding);
    if draft.is_wrong() {
        return visitor.show_again(&view);
    }
    if !sent.input("preview").is_empty() {
        return visitor.show(&view);
    }
    let now = stored(&visitor).await?;
    let changed = TenantRecord {
        branding,
        version: version.parse().unwrap_or_default(),
        ..now.clone()
    };
    let saved = visitor
        .provider()
        .update_tenant(changed, &visitor.by())
        .await;
    match saved {
        Ok(_) => visitor.done("/branding", &Notice::new("changes-saved")),
        Err(AdminError::Stale(_)) => {
            let theirs = draft_of(&now.branding);
            let values: Vec<_> = FIELDS
                .into_iter()
                .map(|name| theirs.given(name).unwrap_or("–"))
                .collect();
            let mut view = view;
            view.hidden = vec![("version", now.version.to_string())];
            view.stale = page.f("stale-now", "now", &values.join(", "));
            Ok(visitor.respond(StatusCode::CONFLICT, &view))
        }
        Err(error) => Err(visitor.fault(error)),
    }
}

/// What a script is to say of a look; nothing in it means anything in a stylesheet's string.
fn told(page: &Page<'_>, draft: &Draft, branding: &Branding) -> String {
    let problems: Vec<_> = FIELDS
        .into_iter()
        .filter_map(|name| draft.problem(name))
        .collect();
    let told = json!({
        "problems": problems,
        "notes": notes(page, branding),
        "logo": branding.logo_uri().map(Url::as_str),
    });
    byte_serialize(told.to_string().as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// `GET /console/branding/preview.css`: how what is asked for would look, and, in a property that a script reads, what is to be said of it:
/// the pages' policy lets scripts fetch nothing else. Nothing in it is the tenant's, so it is nobody's secret.
async fn sheet(visit: Visit, Query(params): Query) -> HttpResponse {
    let frame = visit.frame(&[]);
    let page = frame.page();
    let mut draft = Draft::asked(&params, &FIELDS);
    let branding = read(&page, &mut draft);
    let rule = |name: &str, palette: Palette| format!(".look-{name}{{{}}}\n", properties(palette));
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "private, max-age=60"))
        .insert_header((VARY, "Accept-Language"))
        .body(format!(
            "{}{}#preview{{--told:\"{}\"}}\n",
            rule("light", branding.palette(Scheme::Light)),
            rule("dark", branding.palette(Scheme::Dark)),
            told(&page, &draft, &branding),
        ))
}
