"""What may not be said."""

from torch import nn

UNKNOWN = {"unit_norm_row": True}
NUMBER_WANTED = {"constant_norm_rows": "two"}
FLAG_WANTED = {"odd": 3}
VALUE_WANTED = {"l1_rows_le": True}
UNKNOWN_DOMAIN = {"full_ranks": True}
NUMBER_OF_DOMAIN = {"max_condition": True}
ODD_ADMISSION = {"approximate": {"unit_rows": 0.1}}


class _Identity(nn.Module):
    def forward(self, V):
        return 1.0 * V


class UnknownProperty(_Identity):
    DECLARES = UNKNOWN


class NumberWanted(_Identity):
    DECLARES = NUMBER_WANTED


class FlagWanted(_Identity):
    DECLARES = FLAG_WANTED


class ValueWanted(_Identity):
    DECLARES = VALUE_WANTED


class UnknownDomain(_Identity):
    DOMAIN = UNKNOWN_DOMAIN


class NumberOfDomain(_Identity):
    DOMAIN = NUMBER_OF_DOMAIN


class OddAdmission(_Identity):
    DOMAIN = ODD_ADMISSION


class NoMapping(_Identity):
    DECLARES = ("odd",)
