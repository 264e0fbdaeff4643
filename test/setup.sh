# shellcheck shell=sh
# What the verbs of ./run need beyond a shell, and how it comes onto the machine.
# Nothing is printed and no package tool started when nothing is missing.

# A group, something that it needs (a program, a header or a pkg-config name) and the
# package of Debian's that brings it.  An option of a verb is a group, too.
needs='
build       cc            gcc
build       stdio.h       libc6-dev
build       pkg-config    pkg-config
build       libuv.pc      libuv1-dev
build       meson         meson
build       ninja         ninja-build
build       python3       python3
test        gcc           gcc
test        g++           g++
test        clang         clang
test        check.pc      check
test        strace        strace
test        glib-2.0.pc   libglib2.0-dev
test        http_parser.h libhttp-parser-dev
monitor     http_parser.h libhttp-parser-dev
--thorough  valgrind      valgrind
--thorough  libc6-dbg.deb libc6-dbg
--thorough  cmake         cmake
--thorough  musl-gcc      musl-tools
--thorough  aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
--thorough  aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
--thorough  libc6-dev-arm64-cross.deb libc6-dev-arm64-cross
--thorough  abidiff       abigail-tools
--thorough  git           git
--thorough  s390x-linux-gnu-gcc gcc-s390x-linux-gnu
--thorough  libc6-dev-s390x-cross.deb libc6-dev-s390x-cross
--thorough  qemu-s390x    qemu-user
--thorough  libclang-rt-dev.deb libclang-rt-dev
--thorough  gcovr         gcovr
--thorough  cppcheck      cppcheck
--thorough  clang-tidy    clang-tidy
--thorough  spin          spin
--fresh     debootstrap   debootstrap
--fresh     arch-test     arch-test
--fresh     git           git
coverage    gcovr         gcovr
fuzz        clang         clang
fuzz        libclang-rt-dev.deb libclang-rt-dev
bench       valgrind      valgrind
bench       libc6-dbg.deb libc6-dbg
bench       ev.h          libev-dev
bench       libevent_pthreads.pc libevent-dev
bench       libsystemd.pc libsystemd-dev
bench       gnuplot       gnuplot-nox
bench       strace        strace
docs        sphinx.py             python3-sphinx
docs        furo.py               furo
docs        sphinx_copybutton.py  python3-sphinx-copybutton
docs        sphinx_inline_tabs.py python3-sphinx-inline-tabs
docs        jieba.py              python3-jieba
docs        msgfmt                gettext
--thorough  sphinx.py             python3-sphinx
--thorough  furo.py               furo
--thorough  sphinx_copybutton.py  python3-sphinx-copybutton
--thorough  sphinx_inline_tabs.py python3-sphinx-inline-tabs
--thorough  jieba.py              python3-jieba
--thorough  codespell             codespell
--thorough  mandoc                mandoc
--thorough  msgfmt                gettext
--thorough  chromium              chromium
'

# The same, of what a verb can do without; what can't be tested then says so.  @ is the
# version of Debian's Python.  Servers are started by their installation where systemd runs,
# so there they are left to who wants them.
wishes='
--thorough  test.test_asyncio.py libpython@-testsuite
--thorough  libcurl.pc           libcurl4-openssl-dev
servers     nginx-light.deb      nginx-light
--thorough  libcares.pc          libc-ares-dev
--thorough  dnsmasq-base.deb     dnsmasq-base
--thorough  openssl.pc           libssl-dev
--thorough  openssl              openssl
--thorough  dbus-1.pc            libdbus-1-dev
--thorough  dbus-daemon          dbus-daemon
--thorough  hiredis.pc           libhiredis-dev
servers     redis-server         redis-server
--thorough  libmosquitto.pc      libmosquitto-dev
servers     mosquitto.deb        mosquitto
--thorough  libpq.pc             libpq-dev
servers     postgresql.deb       postgresql
--thorough  psql                 postgresql-client
'

# What Homebrew calls a package of Debian's; what it has no name for stays as it is.
homebrew='
libuv1-dev         libuv
pkg-config         pkgconf
ninja-build        ninja
libglib2.0-dev     glib
clang              llvm
python3-sphinx     sphinx-doc
libcurl4-openssl-dev curl
libc-ares-dev      c-ares
libssl-dev         openssl
libhiredis-dev     hiredis
libmosquitto-dev   mosquitto
libpq-dev          libpq
libdbus-1-dev      dbus
gnuplot-nox        gnuplot
'

# Is it there?  A Debian package is asked for by name only where nothing else tells.
has()
{
    case $1 in
    *.h) echo "#include <$1>" | cc -E -xc - >/dev/null 2>&1 ;;
    *.pc) pkg-config --exists "${1%.pc}" 2>/dev/null ;;
    *.py) /usr/bin/python3 -c "import importlib.util, sys
sys.exit(importlib.util.find_spec('${1%.py}') is None)" 2>/dev/null ;;
    *.deb) ! command -v dpkg >/dev/null || dpkg -s "${1%.deb}" >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# The packages that the groups in "$@" lack, each once.
missing()
{
    for group; do
        [ "$group" != --full ] || group=--thorough
        echo "$needs" | while read -r name thing package; do
            [ "$name" != "$group" ] || has "$thing" || echo "$package"
        done
    done | sort -u | tr '\n' ' '
}

apt()
{
    if [ "$(id -u)" -eq 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
    else
        sudo DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"
    fi </dev/null
}

python_version()
{
    /usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

can_install()
{
    command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }
}

# All that is made goes there.
need_build_directory()
{
    # shellcheck disable=SC2154
    mkdir -p "$top/build" 2>/dev/null && [ -w "$top/build" ] && return
    echo "run: $top/build can't be written to; run a copy of your own" >&2
    exit 1
}

# The groups, and what is wished for beside them.
with_servers()
{
    echo "$@"
    [ -d /run/systemd/system ] || case " $* " in
    *" --thorough "* | *" --full "*) echo servers ;;
    esac
}

# wish GROUP...: install what they could do without, where it can be had, and as much of it.
wish()
{
    # shellcheck disable=SC2046
    packages=$(needs=$wishes && missing $(with_servers "$@"))
    [ -n "$packages" ] && can_install || return 0
    packages=$(echo "$packages" | sed "s/@/$(python_version)/g")
    echo "run: installing $packages" >&2
    apt update >/dev/null
    # shellcheck disable=SC2086
    apt install -y --no-install-recommends $packages >/dev/null 2>&1 && return
    for package in $packages; do
        apt install -y --no-install-recommends "$package" >/dev/null 2>&1 || :
    done
}

# Packages under the names that this system has for them, and whose names they are.
name_packages()
{
    if command -v apt-get >/dev/null || ! command -v brew >/dev/null; then
        echo "$* (Debian's names)"
        return
    fi
    for package; do
        name=$(echo "$homebrew" | while read -r debian brew; do
            [ "$debian" != "$package" ] || echo "$brew"
        done)
        printf '%s ' "${name:-$package}"
    done
    echo "(Homebrew's names)"
}

# insist GROUP...: install what they lack; where that can't be done, say so and end.
insist()
{
    packages=$(missing "$@")
    [ -n "$packages" ] || return 0
    if can_install; then
        echo "run: installing $packages" >&2
        apt update >/dev/null
        # shellcheck disable=SC2086
        apt install -y --no-install-recommends $packages >/dev/null
        packages=$(missing "$@")
        [ -n "$packages" ] || return 0
    fi
    # shellcheck disable=SC2086
    echo "run: please install $(name_packages $packages), then try again" >&2
    exit 1
}

# All of that, before a verb starts.
need()
{
    need_build_directory
    insist "$@"
    wish "$@"
}
