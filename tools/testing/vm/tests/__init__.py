# SPDX-License-Identifier: GPL-2.0
"""The tests of the harness; run by ../selftest."""
