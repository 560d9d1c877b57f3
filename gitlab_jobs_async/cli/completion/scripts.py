"""The scripts that shells load; each asks the hidden command `__complete` at every Tab."""

from typing import Final

_BASH: Final = r"""# Completion of gitlab-jobs for bash 3.2 or newer.
_gitlab_jobs() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) COMPREPLY=(); return ;;  # -o default completes files
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("$1" __complete bash "$COMP_POINT" "$COMP_LINE" "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
  # No candidate is not a file.
  [ "${#COMPREPLY[@]}" -gt 0 ] || compopt +o default 2>/dev/null
  case ${COMPREPLY[0]} in --*=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _gitlab_jobs gitlab-jobs
"""

_ZSH: Final = r"""#compdef gitlab-jobs
# Completion of gitlab-jobs for zsh.
_gitlab-jobs() {
  local line
  local -a lines values shown
  local -a typed
  typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  lines=("${(@f)$(${(Q)words[1]} __complete zsh "${(@)typed}" 2>/dev/null)}")
  if [[ $lines[1] == :file ]]; then
    _files
    return
  fi
  for line in "${lines[@]}"; do
    [[ -n $line ]] || continue
    values+=("${line%%$'\t'*}")
    shown+=("${line/$'\t'/  -- }")
  done
  (( $#values )) && compadd -l -d shown -a -- values
}
if [[ $funcstack[1] == _gitlab-jobs ]]; then
  _gitlab-jobs "$@"
else
  compdef _gitlab-jobs gitlab-jobs
fi
"""

_FISH: Final = r"""# Completion of gitlab-jobs for fish 3.1 or newer.
function __gitlab_jobs_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete fish $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = :file
        __fish_complete_path "$current"
    else if set -q lines[1]
        printf '%s\n' $lines
    end
end
complete -c gitlab-jobs -f -a '(__gitlab_jobs_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
