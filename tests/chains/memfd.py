# SPDX-License-Identifier: Apache-2.0
"""Runs a program out of memory: no file system has it."""
import os
import sys

fd = os.memfd_create("chain")
with open(sys.argv[1], "rb") as file:
    os.write(fd, file.read())
os.execve(fd, sys.argv[1:], os.environ)
