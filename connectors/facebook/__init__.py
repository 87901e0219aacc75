"""Facebook / Instagram catalogue: Meta's Graph API, asynchronous batches of items that are always polled."""

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.facebook.auth import Credentials, ProvenRequests
from connectors.facebook.client import FacebookClient
from connectors.facebook.errors import classify
from connectors.facebook.mapping import MAX_TITLE, PICTURES, VERSION, project
from models.text import Text

CONNECTOR = Connector(
    name="facebook",
    title="Facebook / Instagram (Meta)",
    safety="A",  # an upsert under our own SKU: sent twice it is still one item
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
        batch_size=1_000,  # 5,000 are taken, 3,000 or fewer advised; smaller ones lose less to one refusal
        in_flight=1,  # two batches in flight may finish in either order
        rates=(
            Rate(permits=8, seconds=60.0, operations=frozenset({"items_batch"})),
            Rate(permits=300, seconds=60.0, operations=frozenset({"catalog", "status", "products"})),
        ),
        fetch_size=50,
        poll_after=1.0,
    ),
    project=project,
    auth=ProvenRequests,
    client=FacebookClient,
    classify=classify,
    simulator="connectors.facebook.simulator.Simulator",
    base_url="https://graph.facebook.com",
    live_note=Text(
        "Danh mục dùng cho quảng cáo và tin nhắn; cửa hàng (Shops) không mở ở Việt Nam. Meta tự tải ảnh, nên ảnh phải "
        "nằm ở địa chỉ công khai.",
        "The catalogue serves ads and messages; Shops are not open in Vietnam. Meta fetches the pictures itself, so "
        "they must lie at a public address.",
    ),
)
