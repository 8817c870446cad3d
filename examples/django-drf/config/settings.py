"""Settings of the example. Everything that a deployment changes comes from the environment."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# Where Tessera's tenants live: the same template as the server's own `TESSERA_PUBLIC_URL`.
TESSERA_PUBLIC_URL = os.environ.get("TESSERA_PUBLIC_URL", "http://localhost:8080/t/{tenant}")
# This service's identifier, registered with `tessera resource create --identifier`: the `aud` of every token it takes.
API_AUDIENCE = os.environ.get("API_AUDIENCE", "https://notes.example.com")
# Where this service's own tenants live. `*.localhost` needs no DNS.
TENANT_HOST = os.environ.get("TENANT_HOST", "{tenant}.localhost")

DEBUG = os.environ.get("DEBUG") == "1"
# The service has no sessions, no cookies and no forms, so nothing is signed with this; Django wants one.
SECRET_KEY = os.environ.get("SECRET_KEY", "unused-" * 8)
# `TenancyMiddleware` is stricter than this list could be: it serves hosts of known tenants only.
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = ["rest_framework", "notes"]
MIDDLEWARE = ["tessera_drf.tenancy.TenancyMiddleware"]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DB_PATH", BASE_DIR / "notes.sqlite3")}
}
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tessera_drf.authentication.TesseraAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "tessera_drf.handler.exception_handler",
    # No `django.contrib.auth`: people live in Tessera, and a request without a token has no user at all.
    "UNAUTHENTICATED_USER": None,
}
