#![no_main]

tessera_fuzz::target!(redirects::redirect_uri);
