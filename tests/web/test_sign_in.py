"""Signing in and out at quickstart's issuer and at an independent one, npm's oidc-provider."""

import json
import os
import pathlib
import subprocess

import pytest

from ports import free_port
from running import TOP
from waiting import eventually

MODULES = pathlib.Path(os.environ.get("NODE_MODULES") or TOP / "tests/web/node_modules")


def test_a_new_user_comes_by_the_hook_and_posts(browser, quickstart):
    andrew, _ = browser.people()
    sign_out(andrew)
    andrew.click("#account .main")
    andrew.wait('input[name="name"]').send_keys("Ada Lovelace")
    andrew.wait('input[name="new_handle"]').send_keys("bayko")
    andrew.click("button", "Join")
    andrew.wait('[role="alert"]', "Another user has this handle.")
    field = andrew.wait('input[name="new_handle"]')
    field.clear()
    field.send_keys("ada")
    andrew.click("button", "Join")
    andrew.watch_anew()
    andrew.wait(".own", "@ada")
    andrew.handle = "ada"
    andrew.post("The first note")
    assert quickstart.get("/api/users/@ada/short")["display_name"] == "Ada Lovelace"
    sign_out(andrew)


def sign_out(person):
    """Leaves the person signed out at home, where the issuer sends them."""
    person.open("/settings")
    person.wait("#account .own, #account .main")
    if person.script("return document.querySelector('#account .own') !== null"):
        person.click("#sign-out")
        eventually(lambda: person.script("return location.pathname") == "/", what="the way back from the issuer")
    person.handle = None
    person.open("/")
    person.wait("#account .main", "Sign in")


def test_the_access_token_is_in_memory_alone_and_renewed_silently(people, quickstart):
    andrew, _ = people
    kept = andrew.script("return Object.values(localStorage).join() + Object.values(sessionStorage).join()")
    assert '"refresh_token"' in kept and "access_token" not in kept
    andrew.open("/notifications")
    andrew.wait(".own", "andrewbrown")
    andrew.wait("#main .note, #main .notification")
    # The issuer starts anew with tokens that expire at once: each request needs a renewal, except the first one with a token.
    quickstart.stop()
    quickstart.start(QUICKSTART_TOKEN_SECONDS="1")
    andrew.open("/")
    andrew.post("With one token after the other")
    andrew.press_part("With one token after the other", "like")
    eventually(lambda: quickstart.ask("GET", "/api/activities/search?term=token+after")[0]["likes_count"] == 1, what="the like")
    quickstart.stop()
    quickstart.start()


def test_signing_out_ends_the_session_at_the_issuer(people, quickstart):
    andrew, _ = people
    refresh = json.loads(andrew.script("return localStorage['cruddur:session']"))["refresh_token"]
    andrew.fill("#new-post textarea", "Of no use to the next one")
    sign_out(andrew)
    andrew.wait(".welcome", "don’t last")
    assert andrew.wait("#new-post textarea").get_attribute("value") == ""
    status = andrew.script(
        "return fetch('/cruddur-issuer/token', {method: 'POST', body: new URLSearchParams({grant_type: 'refresh_token',"
        "client_id: 'cruddur-quickstart', refresh_token: arguments[0]})}).then(answer => answer.status)",
        refresh,
    )
    assert status == 400


def test_a_forged_answer_of_the_issuer_is_refused(browser):
    andrew, _ = browser.people()
    sign_out(andrew)
    andrew.open("/signed-in?code=stolen&state=guessed")
    andrew.wait('[role="alert"]', "The sign-in did not succeed.")
    assert andrew.find("#account .main", "Sign in")


def test_a_sign_in_after_a_failed_one_says_nothing_of_that(browser):
    andrew, _ = browser.people()
    sign_out(andrew)
    andrew.open("/signed-in?error=access_denied&state=left")
    andrew.wait('[role="alert"]', "The sign-in did not succeed.")
    andrew.click("#account .main")
    andrew.click("button.user", "@andrewbrown")
    andrew.watch_anew()
    andrew.handle = "andrewbrown"
    andrew.wait_list()
    assert andrew.script("return location.search") == ""
    assert andrew.find('[role="alert"]', "The sign-in did not succeed.") is None
    andrew.open("/?sign-in=failed")
    andrew.wait_list()
    assert andrew.find('[role="alert"]', "The sign-in did not succeed.") is None


def test_an_issuer_that_does_not_answer_is_told_of(browser):
    andrew, _ = browser.people()
    sign_out(andrew)
    andrew.here().execute_cdp_cmd("Network.enable", {})
    andrew.here().execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*openid-configuration*"]})
    andrew.click("#account .main")
    andrew.wait("#toasts", "The sign-in page does not answer.")
    andrew.here().execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    andrew.click("#account .main")
    andrew.wait("button.user", "@andrewbrown")
    assert andrew.complaints() == []
    andrew.open("/")


@pytest.fixture
def provider(quickstart):
    """oidc-provider on a port of its own, and quickstart with it as its issuer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    keys = quickstart.folder / "provider-keys.json"
    environment = os.environ | {"NODE_PATH": str(MODULES), "MODULES": str(MODULES)}
    command = ["node", str(TOP / "tests/web/provider.mjs"), str(port), quickstart.url, str(keys)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        keys.chmod(0o644)
        quickstart.stop()
        quickstart.start(CRUDDUR_ISSUER=url, AWS_COGNITO_USER_POOL_CLIENT_ID="cruddur-web", CRUDDUR_JWKS_FILE=str(keys))
        file = quickstart.data / "nginx/web.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"scope": "openid offline_access"}))
        yield url
    finally:
        process.terminate()
        process.wait()
        quickstart.stop()
        quickstart.start()


def test_another_issuer(browser, provider, quickstart):
    andrew, _ = browser.people()
    sign_out(andrew)
    andrew.open("/")
    andrew.click("#account .main")
    andrew.wait('input[name="login"]').send_keys("mock-londo")
    andrew.wait('input[name="password"]').send_keys("any")
    andrew.click("button", "Sign-in")
    andrew.click("button", "Continue")
    andrew.watch_anew()
    andrew.wait(".own", "@londo")
    andrew.post("From another issuer")
    andrew.open("/notifications")  # a reload: the token is renewed at that issuer
    andrew.wait("#main .note, #main .notification")
    assert quickstart.get("/api/activities/@londo")["activities"][0]["message"] == "From another issuer"
    andrew.open("/settings")
    andrew.click("#sign-out")
    andrew.click("button", "Yes, sign me out")
    andrew.wait("#account .main", "Sign in")
