"""Amazon abroad: listings by SKU, whose acceptance is looked at until it shows; many at once go as a feed."""

from connectors.amazon.auth import Credentials, LwaToken
from connectors.amazon.client import PAGE, AmazonClient
from connectors.amazon.errors import classify
from connectors.amazon.mapping import MAX_TITLE, PICTURES, VERSION, project
from connectors.amazon.marketplaces import CURRENCIES, HOSTS
from connectors.contract import Capabilities, Connector, Limits, Rate
from models.text import Text


def _rate(permits: int, seconds: float, *operations: str) -> Rate:
    return Rate(permits=permits, seconds=seconds, operations=frozenset(operations))


CONNECTOR = Connector(
    name="amazon",
    title="Amazon (US, SG, AU, JP)",
    safety="A",  # an upsert under our own SKU: sent twice it is still one listing
    mapping_version=VERSION,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        needs_review=True,
        preview=True,
        max_images=PICTURES.most,
        max_name_len=MAX_TITLE,
        ocop_badge="text",
    ),
    limits=Limits(
        batch_size=1_000,  # as one feed, from FEED_FROM changes on; fewer go one by one
        in_flight=1,  # two feeds in flight may finish in either order
        rates=(
            *(_rate(5, 1.0, operation) for operation in ("put", "patch", "get", "search", "definition")),
            _rate(15, 30.0, "document"),
            _rate(5, 300.0, "feed"),
            _rate(15, 1_800.0, "feed"),  # one in two minutes, after the first fifteen
            _rate(2, 1.0, "feed_status"),
            _rate(10, 450.0, "feeds", "result"),
        ),
        fetch_size=PAGE,
        poll_after=5.0,  # the catalogue takes minutes to hours; the engine asks ever more rarely
        settle_after=5.0,  # assumed: how soon a search sees what a write did is not documented
    ),
    project=project,
    auth=LwaToken,
    client=AmazonClient,
    classify=classify,
    simulator="connectors.amazon.simulator.Simulator",
    base_url=f"https://{HOSTS['NA']}",
    live_note=Text(
        "Cần tài khoản bán hàng đã được duyệt ngành thực phẩm, và tên, mô tả tiếng Anh; thị trường SG, AU, JP phải đặt "
        f"--base-url https://{HOSTS['FE']}.",
        "Needs a seller account approved for grocery, and English names and descriptions; SG, AU and JP need "
        f"--base-url https://{HOSTS['FE']}.",
    ),
    currencies=CURRENCIES,
    hosts=(
        "api.amazon.com",
        # Where documents lie under signed addresses: assumed, another one is refused as a foreign host.
        "tortuga-prod-na.s3-external-1.amazonaws.com",
        "tortuga-prod-fe.s3.us-west-2.amazonaws.com",
        "selling-partner-definitions-prod-iad.s3.amazonaws.com",
    ),
)
