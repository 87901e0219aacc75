"""What a run must remember to be sure: quotas, doubts, what was shown before, when an unknown outcome can be judged."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
MOVES = sa.text("kind <> 'create'")


def upgrade() -> None:
    op.create_table(
        "quota",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("rate", sa.String(), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("permits", sa.Integer(), nullable=False),
        sa.Column("permits_at", INSTANT, nullable=True),
        sa.Column("closed_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("account", "rate", name=op.f("pk_quota")),
    )
    op.create_table(
        "oddity",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("sample", sa.JSON(), nullable=True),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account", "operation", "kind", "name", name=op.f("pk_oddity")),
    )
    op.add_column("account", sa.Column("down_since", INSTANT, nullable=True))
    op.add_column("account", sa.Column("swept_to", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("lease", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    for name, default in (("doubt", sa.false()), ("adopted", "{}"), ("healed", "{}")):
        kind = sa.Boolean() if name == "doubt" else sa.JSON()
        op.add_column("listing_state", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("outbox", sa.Column("old_price", sa.Numeric(18, 4), nullable=True))
    op.add_column("outbox", sa.Column("old_stock", sa.Integer(), nullable=True))
    op.add_column("outbox", sa.Column("settle_at", INSTANT, nullable=True))
    op.add_column("outbox", sa.Column("follows", sa.BigInteger(), nullable=True))
    op.drop_index("ix_outbox_delists", table_name="outbox")
    op.create_index("ix_outbox_moves", "outbox", ["account", "sent_at"], sqlite_where=MOVES, postgresql_where=MOVES)
