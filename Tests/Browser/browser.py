"""Chromium without a window, and the ways that a person has with a page: to see, to press keys, to click what has a name."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

#: Where Debian installs them; another browser's by these variables.
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMEDRIVER = os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")
#: Without a sandbox, which root in a container cannot have: the only pages that it opens are our own.
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1440,900", "--lang=en"]
PATIENCE = 10.0
PAUSE = 0.02

#: What is pressed or filled in and has no name that a screen reader could say.
NAMELESS = """
return [...document.querySelectorAll("a, button, input, select, textarea, [tabindex='0']")].filter((each) => each.checkVisibility()).filter((each) => {
  const name = each.getAttribute("aria-label") || each.textContent.trim() || each.title || [...(each.labels ?? [])].map((label) => label.textContent).join("");
  return !name.trim();
}).map((each) => each.outerHTML.slice(0, 120));
"""


class Browser:
    """One tab. What it waits for has a bound; a failure says what is shown instead."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    # Looking

    def find(self, css: str, text: str = "") -> WebElement | None:
        """The first visible element that has a text in it."""
        for element in self.driver.find_elements(By.CSS_SELECTOR, css):
            try:
                if text in element.text and element.is_displayed():
                    return element
            except StaleElementReferenceException:
                continue
        return None

    def see(self, css: str, text: str = "", patience: float = PATIENCE) -> WebElement:
        return self.until(f"{css} with {text!r}", lambda: self.find(css, text), patience)

    def until(self, what: str, condition, patience: float = PATIENCE):
        end = time.monotonic() + patience
        while True:
            try:
                if value := condition():
                    return value
            except (NoSuchElementException, StaleElementReferenceException):
                pass
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {patience} s. The page shows:\n{self.shown()}\nConsole: {self.complaints()}")
            time.sleep(PAUSE)

    def shown(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def evaluate(self, module: str, expression: str):
        """What an expression is worth where `it` is a module of the page."""
        script = f"const done = arguments[0]; import('/admin/assets/{module}').then((it) => done({expression}), (error) => done(String(error)))"
        return self.driver.execute_async_script(script)

    def complaints(self) -> list[str]:
        """What the console has said since it was last asked: scripts that failed, and what the page's own policy kept out. Not the calls
        that were refused: those the page tells itself."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [each for each in said if "Failed to load resource" not in each or "/admin/assets/" in each]

    # Doing

    def open(self, url: str) -> None:
        self.driver.get(url)

    def click(self, css: str, text: str = "") -> WebElement:
        """Clicks what is there by then; what is redrawn in between is looked for again."""

        def clicked() -> WebElement | None:
            if element := self.find(css, text):
                element.click()
            return element

        return self.until(f"{css} with {text!r}", clicked)

    def press(self, *keys: str) -> None:
        """Presses keys one after the other, wherever the focus is."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    @property
    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def resize(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, scheme: str) -> None:
        """`light` or `dark`, as the system would ask for."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


@contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(CHROMEDRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
