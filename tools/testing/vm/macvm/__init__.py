# SPDX-License-Identifier: GPL-2.0
"""Boots the stock kernel with chosen modules and programs, and judges the run."""
