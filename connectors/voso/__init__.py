"""voso.vn (Vỏ Sò) of Viettel Post, in a wire of our own: dormant, because the platform is reported closed."""

from __future__ import annotations

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.voso.auth import Credentials, VosoAuth
from connectors.voso.client import Client
from connectors.voso.errors import classify
from connectors.voso.mapping import IMAGES, NAME_CHARS, project
from models.text import Text

CONNECTOR = Connector(
    name="voso",
    title="Vỏ Sò (voso.vn)",
    safety="C",
    mapping_version=1,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        needs_review=True,
        max_images=IMAGES,
        max_name_len=NAME_CHARS,
        ocop_badge="text",
    ),
    limits=Limits(batch_size=1, in_flight=4, rates=(Rate(permits=5, seconds=1.0),), fetch_size=50),
    project=project,
    auth=VosoAuth,
    client=Client,
    classify=classify,
    simulator="connectors.voso.simulator.Simulator",
    live_mode="dormant",
    live_note=Text(
        "Một ghi chú thứ cấp cho biết Vỏ Sò đã đóng từ năm 2023; chưa thấy thông báo chính thức nào sau đó. "
        "Vì vậy hệ thống không gửi gì lên sàn này. Hãy hỏi Viettel Post xem sàn còn nhận người bán không.",
        "One secondary note reports Vỏ Sò closed since 2023; no later official word was found. "
        "So nothing is sent to it. Ask Viettel Post whether it still takes sellers.",
    ),
)
