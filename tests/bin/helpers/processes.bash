# processes TEXT: prints the command lines with that text.
processes() {
  local file words
  for file in /proc/[0-9]*/cmdline; do
    { mapfile -d '' words <"$file"; } 2>/dev/null || continue
    [[ ${words[*]} != *"$1"* ]] || printf '%s\n' "${words[*]}"
  done
}
