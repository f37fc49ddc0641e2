# SPDX-License-Identifier: GPL-2.0
"""The one exception that reaches the user, as one line."""


class VmError(Exception):
    """Something the user has to know, in one line that says what to do."""
