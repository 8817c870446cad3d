"""The console's snippet for Django as it stands, filled in; around it what a project has anyway, and below it what the library can do besides."""

import json
import os
from pathlib import Path

SETTING = json.loads(os.environ["INTEROP_DJANGO"])

SECRET_KEY = SETTING["secret_key"]
DEBUG = False
ALLOWED_HOSTS = ["localhost"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": SETTING["database"]}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True


def snippet(name):
    """One of the console's programs, with this application's values in it."""
    folder = Path(__file__).resolve().parents[3] / "templates" / "console" / "snippets"
    text = (folder / name).read_text(encoding="utf-8")
    for mark, value in SETTING["values"].items():
        text = text.replace(mark, value)
    return compile(text, name, "exec")


exec(snippet("django_settings.py"))

# The session is looked at again when this time is over, by a request without a page (prompt=none).
MIDDLEWARE += ["mozilla_django_oidc.middleware.SessionRefresh"]
OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = SETTING["renew_after"]
OIDC_EXEMPT_URLS = ["bye"]

# Signing out signs out of the provider as well.
OIDC_STORE_ID_TOKEN = True
OIDC_OP_LOGOUT_URL_METHOD = "views.logout_url"
