"""GET /api/docs as quickstart serves it: the whole API on one page that loads nothing else."""

import base64
import hashlib
import html.parser
import re
import shutil
import subprocess

import pytest

from front import Front, lone_front
from openapi import FILE, Document
from places import TOP

DOCUMENT = Document.shared()
LOADING = {"script", "link", "img", "iframe", "object", "embed", "audio", "video", "source", "base", "form", "svg", "input"}
TEXT = "text/html; charset=utf-8"


class DocumentedFront(Front):
    """An nginx with the documents where quickstart's `make install` puts them."""

    def __init__(self, folder):
        super().__init__(folder)
        docs = folder / "root/usr/local/share/doc/cruddur"
        docs.mkdir(parents=True)
        shutil.copy(FILE, docs)
        with (docs / "api.html").open("wb") as page:
            subprocess.run(["/usr/bin/python3", TOP / "doc/render.py", FILE], stdout=page, check=True)


class Page(html.parser.HTMLParser):
    """The contents of a page. Checks that its elements are nested properly."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.styles, self.attributes, self.metas = set(), [], [], [], set(), []
        self.open, self.text = [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        self.attributes |= values.keys()
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        self.metas += [values] if tag == "meta" else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.text += data


@pytest.fixture(scope="module")
def client():
    with lone_front(DocumentedFront) as client:
        yield client


@pytest.fixture(scope="module")
def reply(client):
    return client.get("/api/docs")


@pytest.fixture(scope="module")
def page(reply):
    assert reply.status == 200
    return Page(reply.body.decode())


def test_it_is_served_safely(reply):
    assert reply.headers["Content-Type"] == TEXT
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("style-src") == "'unsafe-inline'"
    assert set(policy.values()) == {"'none'"} and policy.keys() >= {"default-src", "frame-ancestors", "base-uri", "form-action"}
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Request-Id"]


def test_it_loads_nothing(page):
    assert not page.tags & LOADING
    assert not page.attributes & {"src", "srcset", "style", "background", "data", "action", "poster"}
    assert not [name for name in page.attributes if name.startswith("on")]
    (style,) = page.styles
    assert not re.search(r"url\(|@import|//", style)
    assert all(link.startswith("#") for link in page.links)


def test_its_own_policy_allows_its_style_alone(page):
    (policy,) = [meta["content"] for meta in page.metas if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.styles[0].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'"


def test_every_link_has_its_place(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_all_of_the_document_is_there(page):
    expected = {operation.id for operation in DOCUMENT.operations}
    expected |= {f"code-{code}" for code in DOCUMENT.statuses}
    expected |= {f"schema-{name}" for name in DOCUMENT.tree["components"]["schemas"]}
    assert expected <= set(page.ids)
    linked = {link[1:] for link in page.links}
    assert {operation.id for operation in DOCUMENT.operations if operation.method != "OPTIONS"} <= linked
    for operation in DOCUMENT.operations:
        assert operation.path in page.text
        for parameter in operation.parameters:
            assert parameter["name"] in page.text
        for response in operation.responses.values():
            first = re.split(r"[`\n]", response["description"])[0]
            assert first in page.text


def test_text_stays_text(tmp_path):
    """Text of the document never becomes markup."""
    evil = "<script>alert('&')</script>"
    text = FILE.read_text().replace("summary: A microblog whose posts expire.", f'summary: "{evil}"')
    text = text.replace("description: The authors of posts.", f'description: "`{evil}` {evil}"').replace("message: I agree.", f'message: "{evil}"')
    assert text.count(evil) == 4
    (tmp_path / "evil.yaml").write_text(text)
    made = subprocess.run(["/usr/bin/python3", TOP / "doc/render.py", tmp_path / "evil.yaml"], capture_output=True, check=True)
    page = Page(made.stdout.decode())
    assert "script" not in page.tags
    assert page.text.count(evil) >= 4


def test_the_document_itself(client):
    reply = client.get("/api/docs/openapi.yaml")
    assert (reply.status, reply.body) == (200, FILE.read_bytes())
    assert reply.headers["Content-Type"].startswith("application/yaml")


@pytest.mark.parametrize("path", ["/api/docs/", "/api/docs/api.html", "/api/docsx", "/api/docs/../docs/openapi.yaml/x"])
def test_nothing_else_is_there(client, path):
    assert client.get(path).codes == ["service_unavailable"]  # the path belongs to the pool, which does not run


def test_without_the_files():
    with lone_front(Front) as bare:
        assert bare.get("/api/docs").codes == bare.get("/api/docs/openapi.yaml").codes == ["not_found"]
