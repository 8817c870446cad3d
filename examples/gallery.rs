//! Writes every sample of every page to a folder, with the real static files, so that anyone can look:
//!
//! ```sh
//! cargo run --example gallery -- target/gallery && open target/gallery/index.html
//! ```

use std::{error::Error, fmt::Write as _, fs, path::Path};

use tessera::{
    domain::branding::Branding,
    http::pages::{assets, brand_sheet::BrandSheet, messages::Messages, samples},
};

/// The looks of the sample tenants that chose one.
const LOOKS: [(&str, &str); 2] = [
    (
        "globex",
        r##"{"accent":"#5b2a86","accent_dark":"#c9a3ee"}"##,
    ),
    ("citrus", r##"{"accent":"#ffc21a"}"##),
];

const LOGOS: [(&str, &[u8]); 2] = [
    ("globex.png", include_bytes!("gallery/globex.png")),
    ("orders.png", include_bytes!("gallery/orders.png")),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: gallery FOLDER")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("static"))?;
    for asset in assets::all() {
        fs::write(folder.join("static").join(&asset.name), asset.bytes)?;
    }
    for (name, bytes) in LOGOS {
        fs::write(folder.join(name), bytes)?;
    }
    for (tenant, look) in LOOKS {
        let branding: Branding = serde_json::from_str(look)?;
        fs::write(
            folder.join(format!("branding-{tenant}.css")),
            BrandSheet::render(&branding).css,
        )?;
    }
    let mut index = String::from(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"><title>Gallery</title><ul>",
    );
    for messages in Messages::all() {
        for page in samples::render_all(messages)? {
            let name = format!("{}.{}.{}.html", page.view, page.sample, page.lang);
            let html = page
                .html
                .replace("\"/static/", "\"static/")
                .replace("/t/acme/branding.css?v=globex", "branding-globex.css")
                .replace("/t/acme/branding.css?v=citrus", "branding-citrus.css")
                .replace(samples::LOGOS, "")
                // A gallery is looked at: nothing is sent on its way.
                .replace(&assets::File::FormPostScript.asset().path[1..], "");
            fs::write(folder.join(&name), html)?;
            write!(index, "<li><a href=\"{name}\">{name}</a>")?;
        }
    }
    fs::write(folder.join("index.html"), index)?;
    println!("{}", folder.join("index.html").display());
    Ok(())
}
