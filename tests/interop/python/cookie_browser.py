"""A browser without JavaScript: it follows redirects, keeps cookies and fills the forms that the contract names.

As a program it signs a person in for a client written in another language:

    cookie_browser.py [--jar FILE] --until PREFIX --email E --password-env NAME URL

prints the first address that starts with PREFIX (the client's redirect URI), without opening it. With `--jar` the cookies
outlive the program, so that a sign-out can follow.
"""

import argparse
import http.cookiejar
import os
import sys
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import requests

MOST_STEPS = 20


class _Page(HTMLParser):
    """The forms of a page, with what a person can fill and press, and the attributes of its body."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.forms = []
        self.body = {}
        self._form = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = {name: value if value is not None else "" for name, value in attrs}
        if tag == "body":
            self.body = attributes
        elif tag == "form":
            self._form = {"attributes": attributes, "controls": []}
            self.forms.append(self._form)
        elif tag in ("input", "button", "select", "textarea"):
            owner = self._form
            if "form" in attributes:
                owner = next((f for f in self.forms if f["attributes"].get("id") == attributes["form"]), None)
            if owner is not None:
                owner["controls"].append({"tag": tag, **attributes})

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None

    def form_with(self, *ids):
        """The form that holds a control of each of these ids."""
        for form in self.forms:
            present = {control.get("id") for control in form["controls"]}
            if present.issuperset(ids):
                return form
        return None


class UnexpectedPage(Exception):
    """The browser came to a page that the flow has no answer for."""


class Browser:
    """One person's browser at one or several tenants."""

    def __init__(self):
        self.session = requests.Session()
        self.session.headers["Accept"] = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
        self.session.trust_env = False
        self.visited = []

    def open(self, url, until, email=None, password=None):
        """Goes on from `url`, signing in and consenting where asked, to the first address that starts with `until`.

        Returns that address without opening it; with `until=None` the first page that asks for nothing.
        """
        method, body, signed_in = "GET", None, False
        for _ in range(MOST_STEPS):
            if until and url.startswith(until):
                return url
            self.visited.append(f"{method} {url}")
            response = self.session.request(
                method, urldefrag(url).url, data=body, headers=self._origin(method, url), allow_redirects=False, timeout=60
            )
            if response.is_redirect:
                keeps_method = response.status_code in (307, 308)
                if keeps_method and method == "POST" and body and "password" in body:
                    raise UnexpectedPage(f"{url} redirects credentials with {response.status_code}")  # RFC 9700 §4.12
                url = urljoin(url, response.headers["Location"])
                method, body = (method, body) if keeps_method else ("GET", None)
                continue
            page = _Page(response.text)
            if response.status_code >= 400 or "data-error" in page.body:
                code = page.body.get("data-error", "no data-error")
                raise UnexpectedPage(f"{url} answered {response.status_code} ({code})")
            if form := page.form_with("username", "password", "submit"):
                if signed_in or email is None:
                    raise UnexpectedPage(f"{url} asks for credentials {'again' if signed_in else 'unexpectedly'}")
                signed_in = True
                url, method, body = self._submit(url, form, "submit", {"username": email, "password": password})
            elif form := page.form_with("user_code", "submit"):
                # A device's code, which stands there where the address has it.
                url, method, body = self._submit(url, form, "submit", {})
            elif form := page.form_with("allow"):
                url, method, body = self._submit(url, form, "allow", {})
            elif form := page.form_with("logout"):
                url, method, body = self._submit(url, form, "logout", {})
            elif until is None:
                return url
            else:
                raise UnexpectedPage(f"{url} answered {response.status_code} and asks for nothing that is known")
        raise UnexpectedPage("too many steps: " + " -> ".join(self.visited[-6:]))

    def get(self, url):
        """One request with this browser's cookies, redirects not followed."""
        return self.session.get(url, allow_redirects=False, timeout=60)

    @staticmethod
    def _origin(method, url):
        # What a browser adds to a form's submission.
        return {"Origin": "/".join(url.split("/")[:3])} if method == "POST" else {}

    @staticmethod
    def _submit(page_url, form, pressed, values):
        body = {}
        for control in form["controls"]:
            identifier, name = control.get("id"), control.get("name")
            kind = control.get("type", "submit" if control["tag"] == "button" else "text").lower()
            if not name or "disabled" in control:
                continue
            if kind in ("submit", "button", "image", "reset"):
                if identifier == pressed:
                    body[name] = control.get("value", "")
            elif kind in ("checkbox", "radio"):
                if "checked" in control:
                    body[name] = control.get("value", "on")
            else:
                body[name] = values.get(identifier, control.get("value", ""))
        pressed_control = next(control for control in form["controls"] if control.get("id") == pressed)
        action = pressed_control.get("formaction") or form["attributes"].get("action") or ""
        method = (form["attributes"].get("method") or "get").upper()
        target = urljoin(page_url, action) if action else page_url
        if method == "GET":
            return requests.Request("GET", target, params=body).prepare().url, "GET", None
        return target, "POST", body


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jar")
    parser.add_argument("--until", required=True)
    parser.add_argument("--email")
    parser.add_argument("--password-env", default="INTEROP_PASSWORD")
    parser.add_argument("url")
    arguments = parser.parse_args()
    browser = Browser()
    if arguments.jar:
        jar = http.cookiejar.LWPCookieJar(arguments.jar)
        if os.path.exists(arguments.jar):
            jar.load(ignore_discard=True)
        browser.session.cookies = _adopt(jar)
    try:
        print(browser.open(arguments.url, arguments.until, arguments.email, os.environ.get(arguments.password_env)))
    except UnexpectedPage as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    finally:
        if arguments.jar:
            for cookie in browser.session.cookies:
                jar.set_cookie(cookie)
            jar.save(ignore_discard=True)


def _adopt(jar):
    cookies = requests.cookies.RequestsCookieJar()
    for cookie in jar:
        cookies.set_cookie(cookie)
    return cookies


if __name__ == "__main__":
    main()
