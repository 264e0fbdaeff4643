# SPDX-License-Identifier: MIT
"""What a newcomer does, in newly made Debians: what `./run test --fresh [NAME...]` starts.

debootstrap makes a minimal Debian of each kind below build/fresh, one after another, from
this machine's mirror, and with its apt sources if they are for that Debian.  There, in a
clean clone that includes uncommitted changes, the steps are: `./run`, what it says to a user
who may not install anything, `./run echo` and a client, `./run test`, and each way of
docs/examples/embed.

Each step has mounts and processes of its own, in namespaces that end with it.  So nothing
mounted is ever left to clean up, and the tree can simply be removed, however it ends.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import build
from harness import running

TEST = build.TOP / 'test'
sys.path.insert(0, str(TEST / 'packaging'))

import tree  # noqa: E402 (it is found only now)

# name: the suite, the architecture or '' for the machine's own
DEBIANS = {
    'bookworm': ('bookworm', ''),
    'trixie': ('trixie', ''),
    'sid': ('sid', ''),
    'bookworm-i386': ('bookworm', 'i386'),
    'trixie-i386': ('trixie', 'i386'),
}
DEFAULT = ['bookworm', 'trixie', 'sid', 'bookworm-i386']
MIRROR = 'http://deb.debian.org/debian'  # where apt does not know a better one
ROOM = 8 << 30  # bytes of disk that one may take
PATIENCE = 60  # seconds for the mirror's answer
LOGS = build.BUILD / 'logs' / 'fresh'
NAMESPACES = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
INSIDE = '''
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
mount -t sysfs sys "$0/sys"
exec $2 chroot "$0" sh -euc "$1"
'''
# Without the right to install anything: the packages are named in one line, and no more.
NOBODY = '''
cp -r /srv/selkie /tmp/theirs
chown -R 65534:65534 /tmp/theirs
if said=$(setpriv --reuid=65534 --regid=65534 --clear-groups /tmp/theirs/run echo 2>&1)
then exit 1
fi
echo "$said"
[ "$(echo "$said" | wc -l)" -eq 1 ]
case $said in 'run: please install '*gcc*meson*', then try again') ;; *) exit 1 ;; esac
'''
LAST_LINES = 60  # of a failed step

# name, what is typed in /root, seconds
STEPS = [
    ('a clone', 'git clone -q /srv/selkie selkie', 300),
    ('./run', 'selkie/run; ! command -v cc', 60),
    ('without rights', NOBODY, 60),
    ('./run echo', 'cd selkie; bash test/fresh/echo.sh', 1800),
    ('./run test', 'cd selkie; ./run test', 3600),
    ('embedding', 'apt-get -qq install -y --no-install-recommends cmake make >/dev/null\n'
     'cp -r selkie/docs/examples/embed together\n'
     'python3 selkie/test/packaging/embedding.py together /srv/selkie', 1800),
]


def apt_sources():
    """Where apt gets Debian from, by the suite's name."""
    asked = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(LABEL) $(CODENAME) $(REPO_URI)',
         'Created-By: Packages', 'Label: Debian'], capture_output=True, text=True)
    return dict(line.split(' ')[1:] for line in asked.stdout.splitlines()
                if line.count(' ') == 2)


def copy_apt(root, suite):
    """This machine's keys and proxies, its sources where they are this suite's; no hooks."""
    here, there = pathlib.Path('/etc/apt'), root / 'etc' / 'apt'
    names = ['auth.conf', 'auth.conf.d', 'keyrings', 'trusted.gpg.d',
             '../../usr/share/keyrings']
    if suite in apt_sources():
        names += ['sources.list', 'sources.list.d']
    if 'sources.list' in names and any(here.glob('sources.list.d/*')) or (here / 'sources.list').exists():
        (there / 'sources.list').unlink(missing_ok=True)
    for path in names:
        if (here / path).is_dir():
            shutil.copytree(here / path, there / path, dirs_exist_ok=True)
        elif (here / path).exists():
            shutil.copy(here / path, there / path)
    dump = subprocess.run(['apt-config', 'dump'], check=True, capture_output=True, text=True)
    lines = [line for line in dump.stdout.splitlines() if line.startswith('Acquire::')]
    (there / 'apt.conf.d' / '90acquire').write_text('\n'.join(lines) + '\n')
    for name in ['hosts', 'resolv.conf']:
        shutil.copy(f'/etc/{name}', root / 'etc' / name)


def environment():
    """A login's, and this machine's proxies."""
    proxies = {name: value for name, value in os.environ.items()
               if name.lower().endswith('_proxy')}
    return {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
            'HOME': '/root', 'LANG': 'C.UTF-8', **proxies}


def run_step(logs, name, command, seconds):
    """Run it and print its line; True if it passed."""
    start = time.monotonic()
    log = logs / f'{name.replace("./", "").replace(" ", "-")}.log'
    status, output = running.run_bounded(
        ['env', '-i', *(f'{k}={v}' for k, v in environment().items()), *command],
        log, {}, seconds)
    said = {0: 'ok', None: f'FAILED: not finished after {seconds} s'}.get(
        status, f'FAILED: exit status {status}')
    lines = output.rstrip().splitlines()
    account = f' ({lines[-1]})' if status == 0 and lines and name == './run test' else ''
    print(f'  {name:<28}{time.monotonic() - start:6.1f} s  {said}{account}', flush=True)
    if status != 0:
        print(*(f'    | {line}' for line in lines[-LAST_LINES:]), f'    in {log}', sep='\n')
    return status == 0


def run_steps(root, debian, mirror):
    """Every step; without a tree or a clone there are no others.  Yields what passed."""
    suite, machine = DEBIANS[debian]
    logs = LOGS / debian
    logs.mkdir(parents=True, exist_ok=True)
    bootstrap = ['debootstrap', '--variant=minbase', '--include=ca-certificates,git',
                 *([f'--arch={machine}'] if machine else []), suite, str(root), mirror]
    passed = run_step(logs, 'debootstrap', [*NAMESPACES, *bootstrap], 1800)
    yield passed
    if not passed:
        return
    copy_apt(root, suite)
    personality = f'setarch {machine}' if machine else ''
    tree.snapshot(root / 'srv' / 'selkie')
    for name, typed, seconds in STEPS:
        inside = [*NAMESPACES, 'sh', '-euc', INSIDE, str(root), f'cd /root\n{typed}',
                  personality]
        passed = run_step(logs, name, inside, seconds)
        yield passed
        if not passed and name == 'a clone':
            return


def why_not(debian, mirror):
    """Why this Debian can't be made here, or ''."""
    suite, machine = DEBIANS[debian]
    if machine and subprocess.run(['arch-test', machine], stdout=subprocess.DEVNULL).returncode:
        return f'this kernel runs no {machine}'
    if shutil.disk_usage(build.BUILD).free < ROOM:
        return f'there is less than {ROOM >> 30} GiB of disk'
    try:
        urllib.request.urlopen(f'{mirror}/dists/{suite}/Release', timeout=PATIENCE).close()
    except OSError as error:
        return f'{mirror} does not give it: {error}'
    return ''


def run_debian(debian):
    """Make it, run the steps, remove it; returns what passed, or None if it was left out."""
    sources = apt_sources()
    mirror = sources.get(DEBIANS[debian][0], next(iter(sources.values()), MIRROR)).rstrip('/')
    reason = why_not(debian, mirror)
    if reason:
        print(f'{debian} was left out: {reason}', flush=True)
        return None
    print(debian, flush=True)
    parent = build.BUILD / 'fresh'
    parent.mkdir(parents=True, exist_ok=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix=f'{debian}-', dir=parent))
    root.chmod(0o755)
    results = []
    try:
        results.extend(run_steps(root, debian, mirror))
    finally:
        for process in list(running.started):
            running.end_session(process)
        shutil.rmtree(root)
    print(f'{debian}: {results.count(True)} passed, {results.count(False)} failed', flush=True)
    return results


def main(debians=()):
    """Print a line for each step, then `N passed, N failed`; returns the exit status."""
    unknown = set(debians) - set(DEBIANS)
    if unknown:
        print(f'run test: there is no Debian {", ".join(sorted(unknown))}; there are '
              + ', '.join(DEBIANS), file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print('run test: --fresh needs root, for chroot and mounts', file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('run test: terminated'))
    build.BUILD.mkdir(exist_ok=True)
    results = []
    for debian in debians or DEFAULT:
        results += run_debian(debian) or []
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 0 if results and all(results) else 1
