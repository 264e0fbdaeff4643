#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libcurl on selkie, with nginx.

    python3 test_curl.py --programs DIR [unittest's arguments]
"""

import signal
import unittest

import backends

OK, REFUSED, CANCELLED = 0, 7, -1  # curl's results, and the driver's
COUNT = 600  # transfers of a test
KINDS = [('small', 'small'), ('big', 'big'), ('once/big', 'big'), ('once/small', 'small'),
         ('slow/big', 'big'), ('moved/small', 'small'), ('empty', 'empty')]
SIZES = {'empty': 0, 'small': 100, 'big': 1 << 20}
CONFIGURATION = '''
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; root www;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t;
  scgi_temp_path t;
  limit_req_zone $binary_remote_addr zone=paced:1m rate=100r/s;
  server {{
    listen {host}:{port} backlog=1000;
    location /once/ {{ alias www/; keepalive_timeout 0; }}
    location /paced/ {{ alias www/; limit_req zone=paced burst=100; }}
    location /slow/ {{ alias www/; limit_rate 4m; }}
    location /stuck/ {{ alias www/; limit_rate 1k; }}
    location /moved/ {{ rewrite ^/moved(.*) $1 redirect; }}
  }}
}}
'''


def nginx(server):
    www = server.folder / 'www'
    www.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        (www / name).write_bytes(bytes(size))
    (server.folder / 'nginx.conf').write_text(
        CONFIGURATION.format(host=backends.HOST, port=server.port))
    return [backends.tool('nginx', 'nginx-light'), '-p', server.folder, '-c', 'nginx.conf']


server = None


def setUpModule():
    global server
    backends.program('curl')
    server = backends.Server(nginx)
    unittest.addModuleCleanup(server.close)


def url(path, of=None):
    return f'http://{backends.HOST}:{(of or server).port}/{path}'


class Curl:
    def test_every_url_is_fetched(self):
        wanted = {url('small'): 'small', url('big'): 'big', url('empty'): 'empty',
                  url('once/big'): 'big', url('slow/big'): 'big', url('moved/small'): 'small'}
        ended = self.run_program('curl', *wanted)
        self.assert_succeeds(ended)
        self.assertEqual(sorted(ended.stdout.splitlines()), sorted(
            f'{place}: 200, {SIZES[name]} bytes' for place, name in wanted.items()))

    def test_a_server_that_is_not_there(self):
        with backends.nobody() as port:
            ended = self.run_program('curl', f'http://{backends.HOST}:{port}/', url('small'))
        self.assert_fails(ended)
        self.assertIn('onnect', ended.stderr)
        self.assertEqual(ended.stdout, f'{url("small")}: 200, 100 bytes\n')

    def test_the_server_is_killed_in_the_middle(self):
        mortal = backends.Server(nginx)
        self.addCleanup(mortal.close)
        process = self.start_program('curl', url('stuck/big', mortal))
        self.wait_for(mortal.has_clients)
        mortal.stop(signal.SIGKILL)
        output, errors = process.communicate(timeout=backends.PATIENCE)
        self.assertEqual((process.returncode, output), (1, b''))
        self.assertRegex(errors.decode(), r'\Acurl: http://\S+: [^\n]+\n\Z')


class Driven:
    """curl_driver.c, which takes lines and counts what is left at its end."""

    loop = 'selkie'

    def setUp(self):
        self.process = self.start_program(f'curl_in_{self.loop}')
        self.pending = {}  # what each transfer is to give

    def begin(self, word, place, *wanted):
        number = len(self.pending)
        self.pending[number] = wanted
        self.tell(f'{word} {number} {place}')
        return number

    def tell(self, line):
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def take(self):
        """The next one that has ended: number, result, status, bytes."""
        return tuple(map(int, backends.read_line(self.process).split()))

    def check(self, number, *got):
        wanted = self.pending[number]
        self.assertIn(got[:len(wanted)], [wanted], f'transfer {number}')

    def begin_one(self, number, dead):
        """One of each kind in turn; some are cancelled at once, others in the middle."""
        kind = number % 10
        if kind == 7:
            self.begin('get', f'http://{backends.HOST}:{dead}/', REFUSED)
        elif kind == 8:
            self.begin('part', url('stuck/big'), CANCELLED, 200)
        elif kind == 9:
            self.tell(f'cancel {self.begin("get", url("stuck/big"), CANCELLED)}')
        else:
            place, name = KINDS[kind]
            self.begin('get', url(place), OK, 200, SIZES[name])

    def test_two_hundred_at_a_time(self):
        with backends.nobody() as dead:
            for number in range(200):
                self.begin_one(number, dead)
            for number in range(200, 200 + COUNT):
                self.check(*self.take())
                if number < COUNT:
                    self.begin_one(number, dead)
        self.assertEqual(self.end_program(self.process), '')

    def test_all_are_given_up(self):
        """A multi handle is closed, because of what a callback was told, and another made."""
        for round_ in range(5):
            stuck = [self.begin('get', url('stuck/big'), CANCELLED) for i in range(20)]
            last = self.begin('last', url('once/small'), OK, 200, 100)
            ended = [self.take() for i in range(len(stuck) + 1)]
            for one in ended:
                self.check(*one)
            self.assertEqual(ended[0][0], last)
        for i in range(20):
            self.begin('get', url('stuck/big'), CANCELLED)
        self.assertEqual(len(self.end_program(self.process).splitlines()), 20)

    def test_the_server_is_killed_and_started_again(self):
        mortal = backends.Server(nginx)
        self.addCleanup(mortal.close)
        for round_ in range(3):
            for i in range(10):
                self.begin('get', url('small', mortal), OK, 200, 100)
            for i in range(10):
                self.check(*self.take())
            stuck = [self.begin('part', url('stuck/big', mortal), CANCELLED)] + [
                self.begin('get', url('stuck/big', mortal)) for i in range(20)]
            self.check(*self.take())
            mortal.stop()
            for i in stuck[1:]:
                number, result, *rest = self.take()
                self.assertGreater(result, 0)
            self.check(*self.get_refused(mortal))
            mortal.start()
        self.assertEqual(self.end_program(self.process), '')

    def get_refused(self, dead):
        self.begin('get', url('small', dead), REFUSED)
        return self.take()


class Inside_uv_run(Driven):
    loop = 'uv'

    def test_the_example(self):
        ended = self.run_program('curl_inside_libuv', url('slow/big'))
        self.assert_succeeds(ended)
        self.assertEqual(ended.stdout, f"{SIZES['big']} bytes, and libuv's timer went on\n")

    def test_the_example_without_a_server(self):
        with backends.nobody() as port:
            ended = self.run_program('curl_inside_libuv', f'http://{backends.HOST}:{port}/')
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r'\Acurl_inside_libuv: [^\n]+\n\Z')


class Inside_GLib(Driven):
    loop = 'glib'


backends.for_each_backend(Curl, globals())
backends.for_each_backend(Driven, globals())
backends.for_each_backend(Inside_uv_run, globals(), backends.NESTING)
backends.for_each_backend(Inside_GLib, globals(), backends.NESTING)

if __name__ == '__main__':
    backends.main()
