# SPDX-License-Identifier: MIT
"""How the programs that try things tell what they found.  The C side of this file is
demo/kit/tell.c.
"""
import errno


def yes_or_no(answer):
    return "yes" if answer else "no"


def error_name(error):
    """ "EAGAIN" for EAGAIN, "0" for no error. """
    return errno.errorcode[error] if error else "0"


def outcome(call, *arguments):
    """The name of the error that a call raises, or "0"."""
    try:
        call(*arguments)
    except OSError as error:
        return error_name(error.errno)
    return "0"
