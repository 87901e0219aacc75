"""Postmart, today buudien.vn, of Vietnam Post: signed requests, asynchronous batches, a feed for prices and stock."""

from connectors.contract import Capabilities, Connector, Limits, Rate
from connectors.postmart.auth import Credentials, SignedRequests
from connectors.postmart.client import PostmartClient
from connectors.postmart.errors import classify
from connectors.postmart.mapping import MAX_NAME, PICTURES, VERSION, project

CONNECTOR = Connector(
    name="postmart",
    title="Postmart / buudien.vn",
    safety="B",  # a batch sent again under its key within 24 h is the same batch
    mapping_version=VERSION,
    credentials=Credentials,
    capabilities=Capabilities(
        poll=True,
        images=True,
        partial_update=True,
        price_feed=True,
        stock_feed=True,
        idempotency=True,
        html_description=True,
        max_images=PICTURES.most,
        max_name_len=MAX_NAME,
        ocop_badge="category",
    ),
    limits=Limits(
        batch_size=50,  # the page takes 200; smaller ones keep eight requests under way
        in_flight=8,
        rates=(Rate(permits=10, seconds=1.0),),
        fetch_size=50,
        poll_after=0.3,
        settle_after=0.5,  # a read sees a batch only when its processing is finished
    ),
    project=project,
    auth=SignedRequests,
    client=PostmartClient,
    classify=classify,
    simulator="connectors.postmart.simulator.Simulator",
)
