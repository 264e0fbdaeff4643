# SPDX-License-Identifier: MIT
"""A page in a headless Chromium, driven through two pipes.

Its DevTools protocol is JSON messages, each ended by a zero byte; with
--remote-debugging-pipe it reads them from descriptor 3 and answers on descriptor 4.
Nothing here needs a port or a package.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium")
PATIENCE = 300  # seconds for an answer: there are large pages and busy machines


class Chromium:
    """A context manager; its process and its profile never outlive it."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        there, self.to = os.pipe()
        self.back, here = os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3<&%d 4>&%d' % (there, here), "sh", PROGRAM,
             "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run", "--hide-scrollbars",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
             f"--user-data-dir={self.profile.name}", "--remote-debugging-pipe",
             "about:blank"],
            pass_fds=[there, here], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(here)
        self.unread = b""
        self.last = 0
        self.session = None
        self.events = []  # what it told without being asked
        try:
            self.attach()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        self.profile.cleanup()

    def message(self, deadline):
        while b"\0" not in self.unread:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([self.back], [], [], rest)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.back, 1 << 20)
            if not more:
                raise EOFError("the browser has ended")
            self.unread += more
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        """Its answer to one command."""
        self.last += 1
        request = {"id": self.last, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        deadline = time.monotonic() + PATIENCE
        while (answer := self.message(deadline)).get("id") != self.last:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network", "Log":
            self.call(f"{domain}.enable")

    def show(self, width, height, dark=False):
        """The size of the window, and the colours that its user likes.

        The page has been drawn so when this returns: what observes sizes has been told.
        """
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.evaluate("new Promise((drawn) => requestAnimationFrame(() =>"
                      " requestAnimationFrame(() => drawn(true))))")

    def open(self, url):
        """Go there; all that the page names has been loaded when this returns."""
        if error := self.call("Page.navigate", url=url).get("errorText"):
            raise RuntimeError(f"{url}: {error}")
        self.wait_for("document.readyState === 'complete'"
                      f" && location.href === {json.dumps(url)}")

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression):
        """Its value, once that is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.evaluate(expression)):
            if time.monotonic() > deadline:
                where = self.evaluate("`${location} is ${document.readyState}`")
                raise TimeoutError(f"it does not come: {expression}; {where}")
            time.sleep(0.05)
        return value

    def picture(self):
        """The whole page, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png",
                           captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    def printed(self):
        """The page on paper, as PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def requested(self):
        """The addresses it has asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """Errors and warnings of the console, and exceptions nobody caught."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"])
            elif event["method"] == "Log.entryAdded":
                found.append(params["entry"])
            elif (event["method"] == "Runtime.consoleAPICalled"
                  and params["type"] in ("error", "warning")):
                found.append(params)
        return found
