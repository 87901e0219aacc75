"""Alibaba.com's part of the gateway: tokens are renewed beside everything else, half an hour before their end."""

from datetime import timedelta

from pydantic import Field

from connectors import iop
from connectors.alibaba.errors import classify

GATEWAY = iop.Gateway(classify=classify, token_root=iop.token_root, early=timedelta(minutes=30))


class Credentials(iop.Credentials):
    """`account_id` as the first token's answer names it: no call says later whose a token is.

    The template says what shipping costs; without one a listing can be asked about and not ordered.
    """

    account_id: str = Field(pattern=r"^\S+$")
    shipping_template_id: str = Field(default="", pattern=r"^[0-9]*$")
