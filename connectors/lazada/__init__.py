"""Lazada Việt Nam: signed forms, one item per SKU, a quality check after each new text."""

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.iop import Credentials
from connectors.lazada.auth import GATEWAY
from connectors.lazada.client import LazadaClient
from connectors.lazada.errors import classify
from connectors.lazada.mapping import NAME_BYTES, PICTURES, VERSION, project

CONNECTOR = Connector(
    name="lazada",
    title="Lazada Việt Nam",
    safety="C",  # no idempotency key: a seller SKU is looked up before it is created
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
        max_name_len=NAME_BYTES,
        ocop_badge="text",
    ),
    limits=Limits(
        batch_size=20,  # 50 are taken, 20 recommended
        in_flight=2,
        rates=(Rate(permits=5, seconds=1.0),),  # assumed: only those of stock (50/s) and brands (30/s) are published
        fetch_size=50,
        poll_after=5.0,  # the check takes up to 24 hours; the engine asks ever more rarely
        settle_after=3.0,  # assumed: how soon a search sees a new item is not documented
    ),
    project=project,
    auth=GATEWAY.auth,
    client=LazadaClient,
    classify=classify,
    simulator="connectors.lazada.simulator.Simulator",
    base_url="https://api.lazada.vn",
    hosts=("auth.lazada.com",),
    rotates=True,
)
