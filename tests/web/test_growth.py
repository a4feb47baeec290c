"""The growth page: the four numbers, the charts, the table and the CSV say what bin/growth says."""

import base64
import csv
import io
import os
import re
import subprocess
import urllib.parse

from held import hold
from running import TOP
from waiting import eventually


def table_of_script(quickstart, zone):
    """What bin/growth prints: {date or "in all": [users, posts, replies]}"""
    environment = os.environ | {"CONNECTION_URL_FILE": str(quickstart.data / "secrets/owner-url")}
    printed = subprocess.run([str(TOP / "bin/growth"), "--tz", zone], env=environment, check=True, stdout=subprocess.PIPE).stdout.decode()
    return {match[1]: [int(number) for number in match[2].split("|")] for match in re.finditer(r"^ *(\d{4}-\d\d-\d\d|in all) *\|([ \d|]+)$", printed, re.M)}


def test_totals_agree_with_the_script(andrew, quickstart):
    andrew.post("One more for the figures")
    zone = andrew.script("return Intl.DateTimeFormat().resolvedOptions().timeZone")
    andrew.open("/growth")
    andrew.wait("table")
    expected = table_of_script(quickstart, zone)
    rows = andrew.script("return [...document.querySelectorAll('tbody tr')].map(row => [...row.children].map(cell => cell.textContent))")
    assert {row[0]: [int(cell.replace(",", "")) for cell in row[1:]] for row in rows} == {day: row for day, row in expected.items() if day != "in all"}
    numbers = [int(text.replace(",", "")) for text in andrew.script("return [...document.querySelectorAll('.numbers dd')].map(cell => cell.textContent)")]
    days = [row for day, row in expected.items() if day != "in all"]
    assert numbers == [expected["in all"][0], expected["in all"][1], sum(row[0] for row in days), sum(row[1] for row in days)]
    content = urllib.parse.unquote(andrew.wait("a[download]").get_attribute("href").partition(",")[2])
    lines = list(csv.reader(io.StringIO(content)))
    assert lines[0] == ["date", "users", "posts", "replies"] and len(lines) == len(rows) + 1
    assert {line[0]: [int(cell) for cell in line[1:]] for line in lines[1:]} == {day: row for day, row in expected.items() if day != "in all"}


def test_charts_are_drawn_and_it_prints_on_one_page(andrew):
    andrew.open("/growth")
    eventually(lambda: len(andrew.all(".uplot canvas")) == 2, what="two charts")
    drawn = andrew.script(
        "const canvas = document.querySelector('.uplot canvas');"
        "return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value !== 0)"
    )
    assert drawn
    pdf = andrew.here().execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69})["data"]
    assert base64.b64decode(pdf).count(b"/Type /Page\n") == 1


def test_a_month_is_chosen(andrew):
    andrew.open("/growth")
    andrew.click(".growth-bar .tabs a", "30")
    eventually(lambda: len(andrew.all("tbody tr")) == 30, what="thirty days")
    assert andrew.find('.growth-bar .tabs a[aria-current="page"]').text == "30"


def test_figures_that_are_being_counted(andrew):
    andrew.open("/")
    hold(andrew, "/api/metrics/growth", answer=['["growth_behind"]', {"status": 503, "headers": {"Retry-After": "60"}}])
    andrew.go("/growth")
    andrew.wait('#main [role="alert"]', "The figures are being counted.")
    assert andrew.find("#away") is None


def test_figures_without_the_library_of_the_charts(andrew):
    andrew.open("/")
    driver = andrew.here()
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/uPlot*"]})
    try:
        andrew.go("/growth")
        andrew.wait("table")
        eventually(lambda: andrew.script("return performance.getEntriesByType('resource').some(entry => entry.name.includes('uPlot'))"), what="the failure")
    finally:
        driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    andrew.wait("table")
    andrew.go("/settings")
    andrew.wait("#main h1", "Settings")
    andrew.script("history.back()")
    eventually(lambda: len(andrew.all(".uplot canvas")) == 2, what="two charts")
