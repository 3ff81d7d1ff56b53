#!/usr/bin/env bash
# The suite on the first and the last Python, and on the oldest TensorFlow and Keras that
# pyproject.toml admits: tests/matrix.sh [3.10 | 3.13 | oldest] ... [-- arguments of pytest]
# Python 3.10, 3.11 and 3.13 must be found as python3.10 and so on, or by pyenv.
set -euo pipefail
cd "$(dirname "$0")/.."
export TF_CPP_MIN_LOG_LEVEL=3

versions=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do versions+=("$1"); shift; done
[ $# -eq 0 ] || shift
[ ${#versions[@]} -gt 0 ] || versions=(3.10 3.13 oldest)
[ $# -gt 0 ] || set -- tests

python_of() {
  # pyenv puts stand-ins on the path for versions that are not chosen.
  if "python$1" -V >/dev/null 2>&1; then
    echo "python$1"
  else
    ls "$(pyenv root)"/versions/"$1".*/bin/python | tail -1
  fi
}

# The lowest version in pyproject.toml: "tensorflow>=2.18" is tensorflow==2.18.*
floor() {
  sed -n "s/^ *\"$1>=\([0-9.]*\).*/$1==\1.*/p" pyproject.toml
}

make_environment() { # its folder, its Python, what is installed
  local folder=$1 python=$2
  shift 2
  [ ! -e "$folder/installed" ] || return 0
  "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade pip
  "$folder/bin/python" -m pip install --quiet "$@"
  "$folder/bin/python" -m pip install --quiet --no-deps -e .
  touch "$folder/installed"
}

failed=()
for version in "${versions[@]}"; do
  folder=.venv-$version
  case $version in
    oldest)
      # Other packages as new as these two let them be.
      others=$(sed -n '/^#/d; s/[=;].*//p' requirements.txt | sort -u |
        grep -vxE 'tensorflow|keras|mypy|hatchling|playwright|jupyter|jupyterlab')
      # shellcheck disable=SC2086
      make_environment "$folder" "$(python_of 3.11)" \
        "$(floor tensorflow)" "$(floor keras)" $others nbclient nbconvert ;;
    *) make_environment "$folder" "$(python_of "$version")" -r requirements.txt ;;
  esac
  echo "== $version: $("$folder/bin/python" -c 'import sys, keras, tensorflow as tf
print("Python", sys.version.split()[0], "TensorFlow", tf.__version__, "Keras", keras.__version__)')"
  "$folder/bin/python" -m pytest "$@" || failed+=("$version")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed on: ${failed[*]}"; exit 1; }
