"""Alibaba.com: one listing per SKU for buyers abroad, in dollars, with a minimum order and a review of each text."""

from connectors.alibaba.auth import GATEWAY, Credentials
from connectors.alibaba.client import AlibabaClient
from connectors.alibaba.errors import classify
from connectors.alibaba.mapping import CURRENCY, PICTURES, TITLE_BYTES, VERSION, project
from connectors.contract import Capabilities, Connector, Limits, Rate
from models.text import Text

CONNECTOR = Connector(
    name="alibaba",
    title="Alibaba.com",
    safety="C",  # no idempotency key: a model number is looked up before it is created
    mapping_version=VERSION,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        needs_review=True,
        html_description=True,
        max_images=PICTURES.most,
        max_name_len=TITLE_BYTES,
        ocop_badge="text",
    ),
    limits=Limits(
        batch_size=20,  # assumed: only taking down has a form for several, and its most is not published
        in_flight=2,
        rates=(Rate(permits=4, seconds=1.0),),  # assumed: none is published, a ban lasts as long as it says
        fetch_size=20,  # each key is a search of its own
        poll_after=20.0,  # the checks take 20 to 60 seconds, a review longer; the engine asks ever more rarely
        settle_after=10.0,  # assumed: how soon a search sees a new listing is not documented
        request_seconds=60.0,
    ),
    project=project,
    auth=GATEWAY.auth,
    client=AlibabaClient,
    classify=classify,
    simulator="connectors.alibaba.simulator.Simulator",
    base_url="https://openapi-api.alibaba.com",
    live_note=Text(
        "Cần tài khoản nhà cung cấp trả phí (Gold Supplier) và một ứng dụng đã được Alibaba duyệt; chỉ bán bằng USD, "
        "nội dung tiếng Anh do người viết.",
        "A paid Gold Supplier membership and an app that Alibaba approved are needed; it sells in USD only, with "
        "English texts written by a person.",
    ),
    currencies=(CURRENCY,),
    rotates=True,
)
