#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libcurl on selkie, with nginx.

    python3 test_curl.py --programs DIR [unittest's arguments]
"""

import signal
import unittest

import backends

SIZES = {'empty': 0, 'small': 100, 'big': 1 << 20}
CONFIGURATION = '''
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; root www;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t;
  scgi_temp_path t;
  server {{
    listen {host}:{port} backlog=1000;
    location /once/ {{ alias www/; keepalive_timeout 0; }}
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


backends.for_each_backend(Curl, globals())

if __name__ == '__main__':
    backends.main()
