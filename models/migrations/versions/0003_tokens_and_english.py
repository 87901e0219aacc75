"""What selling abroad and renewing tokens need: English texts, and the latest tokens of an account."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
TEXTS = ("name_en", "description_en", "ingredients_en", "storage_en", "usage_en", "warnings_en")


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("product", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column("product", sa.Column("english_illustrative", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "token",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_ends", INSTANT, nullable=True),
        sa.Column("renewed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_token_account_account")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_token")),
    )
