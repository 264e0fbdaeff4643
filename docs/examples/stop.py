# SPDX-License-Identifier: MIT
"""Stop on a signal: the loop calls the handler like any other callback.  stop.c is the
same in C.
"""
import asyncio
import signal


# [stop]
def stop(loop):
    print("stopping")
    loop.stop()  # run_forever() returns when this pass is done
# [/stop]


def press_control_c():
    signal.raise_signal(signal.SIGINT)


# [main]
def main():
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGINT, stop, loop)
    loop.add_signal_handler(signal.SIGTERM, stop, loop)
    loop.call_later(0.05, press_control_c)
    loop.run_forever()
    print("stopped")
    loop.close()
# [/main]


main()
