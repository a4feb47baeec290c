"""Chromium, and people who use it. Each person has a window and an origin, and so a separate storage: quickstart serves the same site as
127.0.0.1 and as localhost."""

import contextlib
import os

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from waiting import eventually

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,900",
    "--disable-background-networking", "--disable-component-update", "--no-first-run", "--lang=en", "--force-prefers-reduced-motion",
    "--disable-gpu-rasterization", "--disable-smooth-scrolling", "--num-raster-threads=1",
)  # fmt: skip

DRIVER = "/usr/bin/chromedriver"


class ModestService(Service):
    """Runs chromedriver without the right to raise priorities: root's Chromium would run at a higher priority than the other tests."""

    def command_line_args(self):
        return ["--bounding-set=-sys_nice", "--inh-caps=-sys_nice", DRIVER, *super().command_line_args()]


def service():
    return ModestService("/usr/bin/setpriv") if os.geteuid() == 0 else Service(DRIVER)


class Browser:
    def __init__(self, port):
        options = webdriver.ChromeOptions()
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=service())
        first = self.driver.current_window_handle
        self.driver.switch_to.new_window("window")
        second = self.driver.current_window_handle
        self.pair = (Person(self.driver, first, f"http://127.0.0.1:{port}"), Person(self.driver, second, f"http://localhost:{port}"))

    def people(self):
        return self.pair

    def quit(self):
        self.driver.quit()


class Person:
    """A window, and what a person does in it. Selectors are CSS."""

    def __init__(self, driver, window, url):
        self.driver = driver
        self.window = window
        self.url = url
        self.handle = None
        self.noted = []

    def here(self):
        if self.driver.current_window_handle != self.window:
            self.driver.switch_to.window(self.window)
        return self.driver

    # --- the page ---

    def open(self, path):
        """Loads the page anew at this path."""
        self.note()
        self.here().get(self.url + path)
        self.watch()
        self.wait("#main h1")

    def watch(self):
        """Records violations of the content security policy, and errors that no code has caught."""
        self.here().execute_script(
            "if (!window.complaints) { window.complaints = [];"
            "addEventListener('securitypolicyviolation', event => complaints.push(`${event.violatedDirective} ${event.blockedURI}`));"
            "addEventListener('error', event => complaints.push(event.message));"
            "addEventListener('unhandledrejection', event => complaints.push(String(event.reason))); }"
        )

    def note(self):
        with contextlib.suppress(WebDriverException):
            self.noted += self.here().execute_script("const found = window.complaints ?? []; window.complaints = []; return found")

    def complaints(self):
        """The violations and errors since the last call. Chromium's log has the violations that came before watch()."""
        self.note()
        found, self.noted = self.noted, []
        return found + [entry["message"] for entry in self.here().get_log("browser") if "Content Security Policy" in entry["message"] or "TrustedHTML" in entry["message"]]

    def go(self, path):
        """Follows a link of the page, without loading it anew."""
        self.here().execute_script(
            "const link = document.createElement('a'); link.href = arguments[0]; document.body.append(link); link.click(); link.remove()", path
        )

    def all(self, selector):
        return self.here().find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector, text=""):
        """The first element that is shown and has the text, or None."""
        for element in self.all(selector):
            with contextlib.suppress(StaleElementReferenceException, NoSuchElementException):
                if element.is_displayed() and text in element.text:
                    return element
        return None

    def wait(self, selector, text=""):
        return eventually(lambda: self.find(selector, text), what=f"{selector} with {text!r} in {self.url}")

    def wait_gone(self, selector, text=""):
        eventually(lambda: self.find(selector, text) is None, what=f"the end of {selector} with {text!r}")

    def click(self, selector, text=""):
        def is_clicked():
            element = self.find(selector, text)
            if element is None:
                return False
            try:
                self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                element.click()
                return True
            except WebDriverException:
                return False  # it moved, or something was in front of it

        eventually(is_clicked, what=f"a click on {selector} with {text!r}")

    def press(self, *keys):
        self.here().switch_to.active_element.send_keys(*keys)

    def focused(self):
        return self.here().switch_to.active_element

    def script(self, text, *arguments):
        return self.here().execute_script(text, *arguments)

    def fill(self, selector, text):
        """Puts any text into a field as a paste would: chromedriver types no character beyond U+FFFF."""
        field = self.wait(selector)
        self.script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))", field, text)

    # --- what people do ---

    def sign_in(self, handle):
        """Signs in as a user of the seed, in two clicks."""
        if self.handle == handle:
            self.open("/")
            self.wait(".own")
            self.wait_list()
            return
        self.open("/")
        self.click("#account .main")
        self.click("button.user", f"@{handle}")
        self.watch_anew()
        self.wait(".own", handle)
        self.wait_list()
        self.handle = handle

    def wait_list(self):
        """Waits until the list has its first rows, so that what is posted from now on is new to it."""
        eventually(lambda: self.script("return document.querySelector('#main .rows[aria-busy=false]') !== null"), what="the list")

    def watch_anew(self):
        """Waits until the window has come back from the issuer, and watches the page again."""
        self.wait("#account .own")
        self.watch()

    def post(self, message, ttl=None):
        self.fill("#new-post textarea", message)
        if ttl:
            self.wait(f'#new-post option[value="{ttl}"]').click()
        self.click("#new-post button", "Post")
        return self.row(message)

    def row(self, message):
        """The post with this message."""
        return self.wait("#main article", message)

    def part(self, message, name):
        """A part of the post, such as a button."""

        def found():
            with contextlib.suppress(StaleElementReferenceException, NoSuchElementException):
                row = self.find("#main article", message)
                return row and row.find_element(By.CSS_SELECTOR, f'[data-part="{name}"]')

        return eventually(found, what=f"the {name} of {message!r}")

    def press_part(self, message, name):
        def is_pressed():
            with contextlib.suppress(WebDriverException):
                self.part(message, name).click()
                return True

        eventually(is_pressed, what=f"the {name} of {message!r}")

    def choose(self, message, item):
        """Clicks an item of the post's menu."""
        self.press_part(message, "menu")
        self.click("#main article details[open] button", item)

    def label(self, message, name):
        return self.part(message, name).get_attribute("aria-label")

    def wait_label(self, message, name, label):
        eventually(lambda: self.label(message, name) == label, what=f"the label {label!r}")

    def reveal(self):
        """Shows the new rows that wait."""
        self.click(".new-rows")


ENTER, TAB = Keys.ENTER, Keys.TAB
