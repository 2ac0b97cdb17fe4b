"""responses"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column("response_id", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("previous_id", sa.String(length=80), nullable=True),
        sa.Column("size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.Float(precision=53), server_default="0", nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), server_default="0", nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("response_id", name=op.f("pk_responses")),
    )
    with op.batch_alter_table("responses", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_responses_expires_at_response_id_size"),
            ["expires_at", "response_id", "size"],
            unique=False,
        )

    op.create_table(
        "response_items",
        sa.Column("item_id", sa.String(length=200), nullable=False),
        sa.Column("response_id", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["response_id"],
            ["responses.response_id"],
            name=op.f("fk_response_items_response_id_responses"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", "response_id", name=op.f("pk_response_items")),
    )
    with op.batch_alter_table("response_items", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_response_items_response_id"), ["response_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("response_items", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_response_items_response_id"))

    op.drop_table("response_items")
    with op.batch_alter_table("responses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_responses_expires_at_response_id_size"))

    op.drop_table("responses")
