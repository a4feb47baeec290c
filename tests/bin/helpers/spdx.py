"""spdx.py FILE: whether the file is an SPDX 2.3 document in JSON, by what the specification requires (clauses 6 to 11); names what is wrong."""

import json
import re
import sys

ID = r"SPDXRef-[A-Za-z0-9.-]+"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
CREATOR = r"(?:Person|Organization|Tool): \S.*"
DIGESTS = {"SHA1": 40, "SHA256": 64}
LOCATION = r"NOASSERTION|NONE|(?:git\+)?https://\S+"
LICENCE = r"NOASSERTION|NONE|[A-Za-z0-9.+-]+"
RELATIONS = {"DESCRIBES", "DYNAMIC_LINK", "CONTAINS"}
PURL = r"pkg:(?:deb/debian|npm)/[a-z0-9.%+-]+@[A-Za-z0-9.~%+-]+(?:\?arch=[a-z0-9]+)?"


def expect(pattern, value, what):
    assert isinstance(value, str) and re.fullmatch(pattern, value), f"{what}: {value!r}"


def check_document(tree):
    expect("SPDX-2.3", tree["spdxVersion"], "6.1")
    expect("CC0-1.0", tree["dataLicense"], "6.2")
    expect("SPDXRef-DOCUMENT", tree["SPDXID"], "6.3")
    expect(r"\S.*", tree["name"], "6.4")
    expect(r"https?://[^#\s]+", tree["documentNamespace"], "6.5")
    assert tree["creationInfo"]["creators"], "6.8"
    for creator in tree["creationInfo"]["creators"]:
        expect(CREATOR, creator, "6.8")
    expect(TIME, tree["creationInfo"]["created"], "6.9")


def check_checksums(checksums, what):
    for each in checksums:
        expect(f"[0-9a-f]{{{DIGESTS[each['algorithm']]}}}", each["checksumValue"], what)


def check_package(package):
    expect(r"\S.*", package["name"], "7.1")
    expect(ID, package["SPDXID"], "7.2")
    expect(LOCATION, package["downloadLocation"], "7.7")
    assert isinstance(package["filesAnalyzed"], bool), "7.8"
    # 7.9: the verification code is there if and only if the files were looked at.
    assert package["filesAnalyzed"] == ("packageVerificationCode" in package), "7.9"
    if package["filesAnalyzed"]:
        expect("[0-9a-f]{40}", package["packageVerificationCode"]["packageVerificationCodeValue"], "7.9")
    for field in ("licenseConcluded", "licenseDeclared"):
        expect(LICENCE, package[field], field)
    if "supplier" in package:
        expect(r"NOASSERTION|(?:Person|Organization): \S.*", package["supplier"], "7.5")
    for reference in package.get("externalRefs", []):
        assert (reference["referenceCategory"], reference["referenceType"]) == ("PACKAGE-MANAGER", "purl"), "7.21"
        expect(PURL, reference["referenceLocator"], "7.21")


def check_file(file):
    expect(r"\./\S+", file["fileName"], "8.1")
    expect(ID, file["SPDXID"], "8.2")
    check_checksums(file["checksums"], "8.4")
    assert "SHA1" in [each["algorithm"] for each in file["checksums"]], "8.4"


def check_relations(tree):
    names = [each["SPDXID"] for each in [tree, *tree["packages"], *tree["files"]]]
    assert len(names) == len(set(names)), "two elements have one identifier"
    for relation in tree["relationships"]:
        assert relation["relationshipType"] in RELATIONS, "11.1"
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= set(names), relation
    described = [relation for relation in tree["relationships"] if relation["relationshipType"] == "DESCRIBES"]
    assert [relation["spdxElementId"] for relation in described] == ["SPDXRef-DOCUMENT"], "11.1"
    assert set(names) == {"SPDXRef-DOCUMENT"} | {relation["relatedSpdxElement"] for relation in tree["relationships"]}, "an element is not related"


def main(path):
    with open(path) as file:
        tree = json.load(file)
    check_document(tree)
    for package in tree["packages"]:
        check_package(package)
    for file in tree["files"]:
        check_file(file)
    check_relations(tree)


main(sys.argv[1])
