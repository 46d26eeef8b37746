"""
pyrqlite as its documentation shows it: pyrqlite_client.py LEADER FOLLOWER SECURED, each HOST:PORT; the last one wants the
user mary with the password secret2. Fails at the first wrong value.
"""

import datetime
import json
import sys

import pyrqlite.dbapi2 as dbapi2


def connect(address, **options):
    host, port = address.split(":")
    return dbapi2.connect(host=host, port=int(port), **options)


def equal(value, expected):
    """Compares the types as well: 1, 1.0 and True are equal in Python."""
    assert repr(value) == repr(expected), f"{value!r} is not {expected!r}"


def fails(work, message):
    try:
        work()
    except dbapi2.Error as error:
        equal(json.loads(str(error))["error"], message)
    else:
        raise AssertionError(f"no error: {message}")


def writes_and_reads(address):
    connection = connect(address)
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE foo (id integer not null primary key, name text)")
            cursor.executemany("INSERT INTO foo(name) VALUES(?)", seq_of_parameters=(("a",), ("b",)))
            equal(cursor.rowcount, 2)
        with connection.cursor() as cursor:
            cursor.execute("SELECT `id`, `name` FROM `foo` WHERE `name`=?", ("a",))
            equal(tuple(cursor.fetchone()), (1, "a"))
            cursor.execute("SELECT `id`, `name` FROM `foo` WHERE `name`=:name", {"name": "b"})
            equal(tuple(cursor.fetchone()), (2, "b"))
            equal(cursor.fetchone(), None)
            equal([column[0] for column in cursor.description], ["id", "name"])
            cursor.execute("INSERT INTO foo(name) VALUES(?)", ("c",))
            equal(cursor.lastrowid, 3)
            cursor.execute("UPDATE foo SET name=? WHERE id>?", ("d", 1))
            equal(cursor.rowcount, 2)
            cursor.execute("SELECT name FROM foo ORDER BY id")
            equal([row["name"] for row in cursor.fetchall()], ["a", "d", "d"])
    finally:
        connection.close()


def types(address):
    connection = connect(address, detect_types=dbapi2.PARSE_DECLTYPES)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kinds (i INTEGER, r REAL, t TEXT, b BLOB, n TEXT, d DATE, s TIMESTAMP, o BOOL)")
        row = (
            9223372036854775807,
            1.5,
            "naïve 🙂 'q'",
            b"\x00\xff\x10",
            None,
            datetime.date(2026, 11, 29),
            datetime.datetime(2026, 11, 29, 1, 2, 3, 500000),
            True,
        )
        cursor.execute("INSERT INTO kinds VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)
        cursor.execute("SELECT * FROM kinds")
        equal(tuple(cursor.fetchone()), row)
        cursor.execute("SELECT typeof(i), typeof(r), typeof(t), typeof(b), typeof(n) FROM kinds")
        equal(tuple(cursor.fetchone()), ("integer", "real", "text", "blob", "null"))
    connection.close()


def bulk_and_errors(address):
    connection = connect(address)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bar (id integer not null primary key, name text)")
        cursor.executemany("INSERT INTO bar(name) VALUES(?)", [(f"name-{n}",) for n in range(500)])
        equal(cursor.rowcount, 500)
        # executemany() is one transaction: nothing of it stays (the client logs its error and does not raise it)
        cursor.executemany("INSERT INTO bar(id, name) VALUES(?, 'x')", [(501,), (1,)])
        cursor.execute("SELECT count(*) FROM bar")
        equal(cursor.fetchone()[0], 500)
        fails(lambda: cursor.execute("INSERT INTO bar(id) VALUES(1)"), "UNIQUE constraint failed: bar.id")
        fails(lambda: cursor.execute("SELECT * FROM missing"), "no such table: missing")
        fails(lambda: cursor.execute("SELECT FROM"), 'near "FROM": syntax error')
    connection.close()


def queued_and_levels(address):
    connection = connect(address)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bar(name) VALUES('waited')", queue=True, wait=True)
        cursor.executemany("INSERT INTO bar(name) VALUES(?)", [("many",), ("more",)], queue=True, wait=True)
        for level in ("weak", "linearizable", "strong", "auto"):
            cursor.execute("SELECT count(*) FROM bar", consistency=level)
            equal(cursor.fetchone()[0], 503)
        cursor.execute("SELECT name FROM bar WHERE id=1", consistency="none")
        equal(cursor.fetchone()[0], "name-0")
        cursor.execute("INSERT INTO bar(name) VALUES('not waited')", queue=True)
        cursor.execute("INSERT INTO bar(name) VALUES('behind it')", queue=True, wait=True)
        cursor.execute("SELECT count(*) FROM bar", consistency="strong")
        equal(cursor.fetchone()[0], 505)
    connection.close()


def drops(address):
    connection = connect(address)
    for table in ("foo", "kinds", "bar"):
        connection.execute(f"DROP TABLE {table}")
    connection.close()


def users(address):
    connection = connect(address, user="mary", password="secret2")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE foo (a)")
        cursor.execute("INSERT INTO foo VALUES(1)")
        cursor.execute("SELECT a FROM foo")
        equal(cursor.fetchone()[0], 1)
    connection.close()
    for wrong in ({}, {"user": "mary", "password": "wrong"}):
        stranger = connect(address, **wrong)
        try:
            stranger.execute("SELECT a FROM foo")
        except dbapi2.Error as error:
            equal(str(error), "received unexpected http status: 401")
        else:
            raise AssertionError("let in")
        stranger.close()


leader, follower, secured = sys.argv[1:]
writes_and_reads(leader)
types(follower)
bulk_and_errors(follower)
queued_and_levels(follower)
drops(leader)
users(secured)
print("all as documented")
