"""Case, tags and blanks go by the same rules on every database, whatever its locale."""

import json
import os
import subprocess

import pytest

from cluster import OWNER_PASSWORD, Cluster, Database
from places import SQL, TOP, clean_environment
from service import Service

LOCALES = {
    "turkish": "locale_provider icu icu_locale 'tr' lc_collate 'C' lc_ctype 'C'",
    "azeri": "locale_provider icu icu_locale 'az' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'",
    "c": "locale_provider libc locale 'C'",
    "unicode": "locale_provider libc locale 'C.UTF-8'",
}


@pytest.fixture(scope="module", params=LOCALES)
def service(request, cluster):
    template = f"locale_{request.param}"
    cluster.sql(f"create database {template} owner cruddur_owner encoding 'UTF8' template template0 {LOCALES[request.param]}")
    for file in ("schema.sql", "seed.sql"):
        cluster.psql(SQL / file, "cruddur_owner", template, OWNER_PASSWORD)
    database = Database(cluster, template)
    with Service(cluster, database=database, workers=1) as service:
        yield service
    database.remove()
    cluster.sql(f"drop database {template}")


def confirm(service, handle, sub):
    """The outcome of a sign-up, as the hook gets it."""
    event = {
        "triggerSource": "PostConfirmation_ConfirmSignUp",
        "request": {"userAttributes": {"sub": sub, "preferred_username": handle, "name": "N", "email": f"{sub}@example.com"}},
    }
    ((outcome,),) = service.database.sql("select confirm_user(gen_random_uuid(), %s::json, null)", json.dumps(event))
    return outcome


@pytest.mark.parametrize(
    "one, other",
    [("IDIL", "idil"), ("Ärger", "ärger"), ("ÉCLAIR", "éclair"), ("Ivan.I", "ivan.i"), ("ΑΒΓ", "αβγ"), ("ЖУК", "жук")],
)
def test_handles(service, one, other):
    assert confirm(service, one, f"sub-{one}") == "ok"
    assert confirm(service, other, f"another-{one}") == "handle_taken"
    for handle in (one, other):
        reply = service.get(f"/api/users/@{quote(handle)}/short")
        assert (reply.status, reply.json["handle"]) == (200, one), reply


def quote(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


def test_dotless_ones_are_others(service):
    """By Unicode's rule, unlike the Turkish one, ı is another letter than i."""
    assert confirm(service, "kiz", "sub-kiz") == "ok"
    assert confirm(service, "kız", "sub-kız") == "ok"
    assert confirm(service, "KIZ", "another-kiz") == "handle_taken"


@pytest.mark.parametrize(
    "message, tags",
    [
        ("#TITLE #title #Title", ["#title"]),
        ("#IDIL and #idil", ["#idil"]),
        ("#café #CAFÉ", ["#café"]),
        ("#Ärger, #ÄRGER!", ["#ärger"]),
        ("#日本 #東京タワー", ["#日本", "#東京タワー"]),
        ("#हिन्दी", ["#हिन्दी"]),
        ("#cafe\u0301", ["#café"]),
        ("é#one", None),
        ("#1 #١٢", None),
    ],
)
def test_tags(service, message, tags):
    assert service.database.sql("select activity_tags(%s)", message) == [(tags,)]


@pytest.mark.parametrize(
    "message, term", [("TITLE", "title"), ("title", "TITLE"), ("Ärger", "ÄRGER"), ("ISTANBUL", "istan"), ("a #Titi", "#TITI")]
)
def test_words(service, message, term):
    service.database.sql("truncate activities cascade")
    service.create(message)
    reply = service.get(f"/api/activities/search?term={quote(term)}")
    assert [row["message"] for row in reply.json] == [message]


def test_mentions(service):
    confirm(service, "MINI", "sub-mini")
    assert service.database.sql("select handle from mentioned_users('for @mini, @Mini') m join users u on u.uuid = m") == [("MINI",)]


@pytest.mark.parametrize("name", ["\x1c", "\x1f \u3000", "\u00a0", "\u0085\t"])
def test_names_that_show_nothing(service, name):
    reply = service.post("/api/profile/update", {"user_handle": "londo", "display_name": name, "bio": ""})
    assert (reply.status, reply.json) == (422, ["display_name_blank"])
    with pytest.raises(Exception, match="users_display_name_check"):
        service.database.sql("update users set display_name = %s where handle = 'londo'", name)


class TurkishCluster(Cluster):
    """A server whose own locale is Turkish."""

    locale = ("--locale=C", "--locale-provider=icu", "--icu-locale=tr")


def test_db_create_makes_a_good_one():
    cluster = TurkishCluster()
    try:
        cluster.make()
        cluster.start()
        url = f"postgresql://postgres@/made?host={cluster.sockets}"
        subprocess.run([TOP / "bin/db-create"], env=clean_environment(CONNECTION_URL=url, PATH=os.environ["PATH"]), check=True)
        ((provider, locale, encoding),) = cluster.sql(
            "select datlocprovider, datctype, pg_encoding_to_char(encoding) from pg_database where datname = 'made'"
        )
        assert (provider, locale.lower().replace("-", ""), encoding) == ("c", "c.utf8", "UTF8")
    finally:
        cluster.remove()
