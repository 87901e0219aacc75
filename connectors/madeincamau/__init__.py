"""madeincamau.com, the province's own marketplace, over the partner API that openapi.yaml proposes."""

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.madeincamau.auth import ClientCredentials, Credentials
from connectors.madeincamau.client import MadeInCamauClient
from connectors.madeincamau.errors import classify
from connectors.madeincamau.mapping import MAX_NAME, PICTURES, VERSION, project
from models.text import Text

CONNECTOR = Connector(
    name="madeincamau",
    title="Made in Cà Mau",
    safety="A",  # PUT under our own SKU: sent twice it is still one listing
    mapping_version=VERSION,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        idempotency=True,
        needs_review=True,
        max_images=PICTURES.most,
        max_name_len=MAX_NAME,
        ocop_badge="field",
    ),
    limits=Limits(
        batch_size=1,
        in_flight=8,
        rates=(Rate(permits=60, seconds=60.0),),  # [A]: nobody has granted a rate yet
        poll_after=1.0,
    ),
    project=project,
    auth=ClientCredentials,
    client=MadeInCamauClient,
    classify=classify,
    simulator="connectors.madeincamau.simulator.Simulator",
    live_note=Text(
        "Giao diện đối tác này do dự án đề xuất; cần tỉnh xác nhận địa chỉ và cấp tài khoản trước khi chạy thật.",
        "This partner API is our proposal; the province must confirm the address and issue an account first.",
    ),
)
