"""What all tables are made of: the catalogue they stand in, and kinds of columns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, String, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself in columns called INTEGER only.
LONG_ID = BigInteger().with_variant(Integer, "sqlite")


def identity_column(name: str) -> Column[str]:
    return Column(name, String(80), primary_key=True)


def text_column(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def time_column(name: str) -> Column[float]:
    return Column(name, Float(53), nullable=True)


def moment_column(name: str) -> Column[float]:
    """A time that is always there; 0 is long ago."""
    return Column(name, Float(53), nullable=False, server_default="0")


def count_column(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def flag_column(name: str, *, default: bool = False) -> Column[bool]:
    return Column(
        name, Boolean, nullable=False, server_default=text("true" if default else "false")
    )


def short_column(name: str) -> Column[str]:
    """A text short enough for an index."""
    return Column(name, String(200), nullable=False, server_default="")


def hash_column(name: str) -> Column[str]:
    return Column(name, String(64), nullable=True)
