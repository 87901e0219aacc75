"""Template: a marketplace that takes one product in each call and answers at once."""

from connectors.conformance.template.auth import BearerToken, Credentials
from connectors.conformance.template.client import Client
from connectors.conformance.template.errors import classify
from connectors.conformance.template.mapping import MAX_NAME, PICTURES, project
from connectors.contract import Capabilities, Connector, Limits, Rate
from models.text import Text

CONNECTOR = Connector(
    name="template",
    title="Template",
    safety="A",  # PUT under our own SKU: sent twice it is still one listing
    mapping_version=1,
    credentials=Credentials,
    capabilities=Capabilities(
        images=True,
        partial_update=True,
        max_images=PICTURES.most,
        max_name_len=MAX_NAME,
        ocop_badge="none",
    ),
    limits=Limits(batch_size=1, in_flight=4, rates=(Rate(permits=5, seconds=1.0),), fetch_size=50),
    project=project,
    auth=BearerToken,
    client=Client,
    classify=classify,
    simulator="connectors.conformance.template.simulator.Simulator",
    live_mode="dormant",
    live_note=Text(
        "Bộ nối mới: chưa có địa chỉ thật và chưa được sàn xác nhận.",
        "A new connector: it has no real address yet, and the marketplace has not confirmed it.",
    ),
)
