"""Subjects that do not come back from their forward."""

import os
import signal
import time

from torch import nn


class Hangs(nn.Module):
    def forward(self, V):
        time.sleep(3600)
        return V


class Exits(nn.Module):
    def forward(self, V):
        os._exit(0)


class Segfaults(nn.Module):
    def forward(self, V):
        os.kill(os.getpid(), signal.SIGSEGV)
        return V
