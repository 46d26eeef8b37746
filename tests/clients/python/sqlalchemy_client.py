"""
sqlalchemy-rqlite with SQLAlchemy's engine, ORM and reflection: sqlalchemy_client.py LEADER FOLLOWER SECURED, each
HOST:PORT; the last one wants the user mary with the password secret2. Fails at the first wrong value.
"""

import datetime
import sys

from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    create_engine,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(30), unique=True)
    height: Mapped[float] = mapped_column(Float, nullable=True)
    born: Mapped[datetime.date] = mapped_column(Date, nullable=True)
    seen: Mapped[datetime.datetime] = mapped_column(DateTime, nullable=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    photo: Mapped[bytes] = mapped_column(LargeBinary, nullable=True)
    addresses: Mapped[list["Address"]] = relationship(back_populates="user", cascade="all, delete-orphan")


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String, index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="addresses")


def equal(value, expected):
    """Compares the types as well: 1, 1.0 and True are equal in Python."""
    assert repr(value) == repr(expected), f"{value!r} is not {expected!r}"


def engine_of(address, user=""):
    # The driver makes dates of DATE columns: native_datetime tells SQLAlchemy not to do it again.
    return create_engine(f"rqlite+pyrqlite://{user}{address}/", native_datetime=True)


def schema_and_reflection(engine):
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)  # finds the tables and makes none
    seen = inspect(engine)
    equal(sorted(seen.get_table_names()), ["addresses", "users"])
    engine.dialect.server_version_info = (3, 46)  # which this dialect leaves out, and SQLAlchemy then fails
    equal([column["name"] for column in seen.get_columns("addresses")], ["id", "email", "user_id"])
    equal([index["name"] for index in seen.get_indexes("addresses")], ["ix_addresses_email"])
    equal(seen.get_foreign_keys("addresses")[0]["referred_table"], "users")
    equal(seen.get_pk_constraint("users")["constrained_columns"], ["id"])
    equal(seen.get_unique_constraints("users")[0]["column_names"], ["name"])


def objects(engine):
    born = datetime.date(1815, 12, 10)
    seen = datetime.datetime(2026, 11, 29, 1, 2, 3, 500000)
    with Session(engine) as session:
        ada = User(name="ada", height=1.65, born=born, seen=seen, photo=b"\x00\xff\x10")
        ada.addresses = [Address(email="ada@example.org"), Address(email="countess@example.org")]
        session.add(ada)
        session.add(User(name="naïve 🙂 'q'", active=False))
        session.commit()
        equal(ada.id, 1)
    with Session(engine) as session:
        ada = session.scalars(select(User).where(User.name == "ada")).one()
        equal((ada.id, ada.height, ada.born, ada.active), (1, 1.65, born, True))
        equal(ada.photo, b"\x00\xff\x10")
        equal(sorted(address.email for address in ada.addresses), ["ada@example.org", "countess@example.org"])
        equal(session.scalars(select(User.name).where(User.active.is_(False))).all(), ["naïve 🙂 'q'"])
        joined = select(User.name, func.count(Address.id)).join(Address).group_by(User.id)
        equal([tuple(row) for row in session.execute(joined)], [("ada", 2)])
        ada.height = 1.7
        del ada.addresses[1]
        session.commit()
        equal(session.scalar(select(func.count()).select_from(Address)), 1)
        equal(session.execute(update(User).where(User.id > 0).values(active=True)).rowcount, 2)
        session.commit()
        session.delete(ada)
        session.commit()
        equal(session.scalar(select(func.count()).select_from(Address)), 0)


def core_and_errors(engine):
    with engine.connect() as connection:
        connection.execute(User.__table__.insert(), [{"name": f"name-{n}", "active": True} for n in range(200)])
        equal(connection.execute(text("SELECT count(*) FROM users")).scalar(), 201)
        row = connection.execute(text("SELECT name FROM users WHERE name=:name"), {"name": "name-7"}).one()
        equal(tuple(row), ("name-7",))
        for statement, message in (
            (User.__table__.insert().values(name="name-7", active=True), "UNIQUE constraint failed: users.name"),
            (text("SELECT * FROM missing"), "no such table: missing"),
        ):
            try:
                connection.execute(statement)
            except DBAPIError as error:
                assert message in str(error.orig), error
            else:
                raise AssertionError(f"no error: {message}")


def users(address):
    engine = engine_of(address, "mary:secret2@")
    with engine.connect() as connection:
        equal(connection.execute(text("SELECT 1")).scalar(), 1)
    for wrong in ("", "mary:wrong@"):
        try:
            with engine_of(address, wrong).connect() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            equal(str(error.orig), "received unexpected http status: 401")
        else:
            raise AssertionError("let in")


leader, follower, secured = sys.argv[1:]
schema_and_reflection(engine_of(leader))
objects(engine_of(follower))
core_and_errors(engine_of(follower))
Base.metadata.drop_all(engine_of(follower))
equal(inspect(engine_of(leader)).get_table_names(), [])
users(secured)
print("all as documented")
