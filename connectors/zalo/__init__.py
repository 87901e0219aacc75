"""Zalo Official Account: one article per product, made and changed by jobs that are asked for by token."""

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.zalo.auth import OAUTH_HOST, Credentials, RenewedTokens
from connectors.zalo.client import ZaloClient
from connectors.zalo.errors import classify
from connectors.zalo.mapping import MAX_TITLE, PICTURES, VERSION, project
from models.text import Text

CONNECTOR = Connector(
    name="zalo",
    title="Zalo Official Account",
    safety="C",  # neither key nor SKU field: our link in the articles is looked for before one is created
    mapping_version=VERSION,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        max_images=PICTURES.most,
        max_name_len=MAX_TITLE,
        ocop_badge="text",
    ),
    limits=Limits(
        batch_size=50,  # one look through all articles serves a whole batch of creates
        in_flight=2,
        rates=(Rate(permits=10, seconds=1.0),),  # 4,000 a minute per app, which other tools may share
        fetch_size=500,  # a look-up reads the whole list, however many keys it is for
        poll_after=2.0,
        settle_after=6.0,  # an article takes some seconds; a second one made meanwhile is found and hidden
    ),
    project=project,
    auth=RenewedTokens,
    client=ZaloClient,
    classify=classify,
    simulator="connectors.zalo.simulator.Simulator",
    base_url="https://openapi.zalo.me",
    live_note=Text(
        "Zalo Shop đã đóng từ ngày 1/12/2024, nên mỗi sản phẩm là một bài viết của OA. Zalo tự tải ảnh, nên ảnh phải "
        "nằm ở địa chỉ công khai.",
        "Zalo Shop closed on 1 December 2024, so each product is an article of the OA. Zalo fetches the pictures "
        "itself, so they must lie at a public address.",
    ),
    modes=("api", "dormant"),
    rotates=True,
    hosts=(OAUTH_HOST,),
)
