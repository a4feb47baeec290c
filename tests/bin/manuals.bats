#!/usr/bin/env bats
# The manual pages: each is formatted without a warning, is in the list of installed pages (or describes a command that stays in the
# checkout), and refers only to pages that exist.

load helpers/common

MAN=${BATS_TEST_DIRNAME%/tests/bin}/man

@test "groff formats every page without a warning" {
  command -v groff >/dev/null || skip 'groff is missing'
  local page
  for page in "$MAN"/*.[1578]; do
    echo "$page"
    run -0 --separate-stderr groff -mandoc -Tutf8 -ww "$page"
    [[ -z $stderr && ${#lines[@]} -gt 20 ]]
  done
}

@test "every page but that of a command of the checkout is installed, and each is about what its name says" {
  local page name section
  diff <(cd "$MAN" && printf 'man/%s\n' *.[0-9] | grep -vxE 'man/(cluster.8|learn.1)') <(sed -n '/^dist_man_MANS/,/[^\\]$/p' "$MAN/../Makefile.am" | grep -oE 'man/[a-z.-]+[0-9]' | LC_ALL=C sort)
  for page in "$MAN"/*.[0-9]; do
    section=${page##*.}
    name=$(basename "$page" ".$section")
    grep -qx "\.Dt ${name^^} $section" "$page"
    grep -qx "\.Nm $name" "$page"
    [[ $name == cruddurd || $section != [18] ]] || [[ -x $BIN/$name ]]
  done
}

@test "a page that another one refers to is one of these, or of the system" {
  local name section
  while read -r name section; do
    echo "$name($section)"
    [[ -e $MAN/$name.$section || " nginx(8) psql(1) spawn-fcgi(1) " == *" $name($section) "* || $name == @(pg_dump|pg_restore|systemd*|sched|sha256sum|crypt|psql) ]]
  done < <(sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' "$MAN"/*.[0-9] | sort -u)
}

@test "cruddur-sql(7) has the limits and messages of the source, a template as it is, and every column" {
  local source=$BIN/../src page=$MAN/cruddur-sql.7 text column
  # limit NAME FILE: an enumerator's value.
  limit() { grep -oE "\b$1 = [0-9]+" "$source/$2" | grep -oE '[0-9]+$'; }
  grep -qx "\.It $(limit TEMPLATE_PARAMETERS_MAX db/template.h) parameters" "$page"
  grep -qx "\.It $(limit CATALOG_MAX db/catalog.h) statements" "$page"
  grep -qx "\.It $(limit ENDPOINT_STATEMENTS_MAX api/endpoint.h) statements" "$page"
  diff "$BIN/../sql/users/short.sql" <(sed -n '/^\.Pa users\/short.sql :/,/^\.Ed/p' "$page" | sed '1,2d;$d')
  # Compares the longest part of each message that has no value in it.
  while IFS= read -r text; do
    echo "$text"
    grep -qF -- "$(sed 's/%(name)s/\n/g; s/%%/\n/g' <<<"${text/string literal /}" | awk 'length > length(most) { most = $0 } END { print most }' | sed 's/^this //')" "$source/db/template.c"
  done < <(sed -n 's/^\.It "\(.*\)"$/\1/p' "$page")
  for column in $(tr -d '\n*' <"$source/db/template.h" | grep -oE '(Every statement gives columns|A write gives) [a-z_, ]+:' | grep -oE '\b[a-z_]+(,|:)' | tr -d ',:' | sort -u); do
    echo "$column"
    grep -qx "\.It Li $column" "$page"
  done
}
