# SPDX-License-Identifier: MIT
"""What a newcomer does, in a Debian made for it: what `./run test --fresh` starts.

debootstrap makes the smallest Debian below build/fresh, with the apt sources of this
machine.  In it, from a clean clone: `./run`, what it says to one who may not install
anything, `./run echo` and a client, `./run test`, and each way of docs/examples/embed.
What has changed and is not committed belongs to it.

Each step has mounts and processes of its own, in namespaces that end with it.  So there
is never anything mounted to clean up, and the tree can just be removed, however it ends.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import build
import running

TEST = build.TOP / 'test'
sys.path.insert(0, str(TEST / 'packaging'))

import tree  # noqa: E402 (it is found only now)

SUITE = 'bookworm'
MIRROR = 'http://deb.debian.org/debian'  # where apt does not know a better one
LOGS = build.BUILD / 'logs' / 'fresh'
NAMESPACES = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
INSIDE = '''
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
mount -t sysfs sys "$0/sys"
exec chroot "$0" sh -euc "$1"
'''
# Without the right to install anything: the packages are named in one line, and no more.
NOBODY = '''
if said=$(setpriv --reuid=65534 --regid=65534 --clear-groups /srv/selkie/run echo 2>&1)
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


def mirror():
    """Where apt gets the suite from."""
    asked = subprocess.run(
        ['apt-get', 'indextargets', '--format', '$(CODENAME) $(REPO_URI)',
         'Created-By: Packages'], capture_output=True, text=True)
    found = dict(line.split(' ', 1) for line in asked.stdout.splitlines() if ' ' in line)
    return found.get(SUITE, MIRROR)


def copy_apt(root):
    """This machine's sources, keys and proxies; none of its hooks."""
    here, there = pathlib.Path('/etc/apt'), root / 'etc' / 'apt'
    if any(here.glob('sources.list.d/*')) or (here / 'sources.list').exists():
        (there / 'sources.list').unlink(missing_ok=True)
    for path in ['sources.list', 'sources.list.d', 'auth.conf', 'auth.conf.d', 'keyrings',
                 'trusted.gpg.d', '../../usr/share/keyrings']:
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


def run_step(name, command, seconds):
    """Run it and print its line; True if it passed."""
    start = time.monotonic()
    log = LOGS / f'{name.replace("./", "").replace(" ", "-")}.log'
    status, output = running.run_bounded(
        ['env', '-i', *(f'{k}={v}' for k, v in environment().items()), *command],
        log, {}, seconds)
    said = {0: 'ok', None: f'FAILED: not done after {seconds} s'}.get(
        status, f'FAILED: exit status {status}')
    lines = output.rstrip().splitlines()
    account = f' ({lines[-1]})' if status == 0 and lines and name == './run test' else ''
    print(f'  {name:<28}{time.monotonic() - start:6.1f} s  {said}{account}', flush=True)
    if status != 0:
        print(*(f'    | {line}' for line in lines[-LAST_LINES:]), f'    in {log}', sep='\n')
    return status == 0


def run_steps(root):
    """Every step; without a tree or a clone there are no others.  Yields what passed."""
    bootstrap = ['debootstrap', '--variant=minbase', '--include=ca-certificates,git', SUITE]
    passed = run_step('debootstrap', [*NAMESPACES, *bootstrap, str(root), mirror()], 1800)
    yield passed
    if not passed:
        return
    copy_apt(root)
    tree.snapshot(root / 'srv' / 'selkie')
    for name, typed, seconds in STEPS:
        inside = [*NAMESPACES, 'sh', '-euc', INSIDE, str(root), f'cd /root\n{typed}']
        passed = run_step(name, inside, seconds)
        yield passed
        if not passed and name == 'a clone':
            return


def main():
    """Print a line for each step, then `N passed, N failed`; returns the exit status."""
    if os.geteuid() != 0:
        print('run test: --fresh needs root, for chroot and mounts', file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('run test: terminated'))
    parent = build.BUILD / 'fresh'
    for directory in (LOGS, parent):
        directory.mkdir(parents=True, exist_ok=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix=f'{SUITE}-', dir=parent))
    root.chmod(0o755)
    results = []
    try:
        results.extend(run_steps(root))
    finally:
        for process in list(running.started):
            running.end_session(process)
        shutil.rmtree(root)
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 0 if all(results) else 1
