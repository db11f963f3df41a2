#!/usr/bin/env python3
"""Follows the metric events of damascus-metrics and prints each policy decision.

An example of one file, to copy from. It prints one JSON object per line on standard output for each decision that changes:

    {"policy": "trust", "project": null, "from": "unknown", "to": "high", "value": 0.9, "seq": 50, "event_id": "48450"}
    {"policy": "scope_overlap", "project": "atlas", "from": "low", "to": "high", "basis": "global", …}

It needs Python 3.9. With python3-jsonschema it checks the published schemas in full, without it their common part. With
psycopg (3) a notification wakes it, without psycopg it runs psql every few seconds.

How rows are read without losing any
------------------------------------
An id of an outbox is drawn before the commit, so `id > last` usually loses rows: a transaction that drew a lower id may
commit after a higher id was read. Two facts make it safe for metric.* rows, and only for them:

1. The daemons draw their ids and commit while they hold one lock, so ids of metric.* rows ascend in the order of their
   commits. A reader of metric.* rows by id alone sees a prefix, never a hole.
2. The rows prove it. All rows of one merge commit together and each has their number (`set_size`), and the global rows
   count the merges without gap or repeat (`seq`). So the reader's horizon is the newest whole set whose seq follows the
   one before it, and nothing beyond it is consumed. A hole that stays for --patience seconds is an error.

Rows of other kinds have no such order: do not follow phase.transition this way.

The position is a row: its id and a hash of its payload, as a key may come again with its id after a restore. Each poll
reads that row too. If it is gone or changed (a restore, a failover that lost commits, retention past it), the log is
read again from its beginning. Only decisions that differ in the end from those before are printed.

Retention deletes rows, so a project that has not merged since has none. The state file keeps what an earlier run knew
of it; a new consumer finds it in the daemon's /snapshot.json.

What is printed, and what is kept
---------------------------------
The state file is written after the decisions: to a file with a name of its own, synced, and renamed, so it is always
whole. Where printing or writing fails (closed pipe, full disk), the position stays, and the next run prints the same
decisions again. So a decision may come twice, and none is lost: act on `to`, not on the change.
"""
import argparse
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import re
import secrets
import select
import subprocess
import sys
import time
import urllib.parse

CONTRACTS = pathlib.Path(__file__).resolve().parents[2] / "config" / "contracts"
PAGE = 2000
KEYS_KEPT = 100_000

ROW = "SELECT json_build_object('id', id::text, 'kind', kind, 'payload', payload) FROM events_outbox"
QUERY = ROW + """
  WHERE id > {after} AND kind LIKE 'metric.%' ORDER BY id LIMIT {limit}"""
# Both parts see the same log, as they are one statement.
QUERY_WITH_ANCHOR = f"({ROW} WHERE id = {{anchor}}) UNION ALL ({QUERY})"
OLDEST_SEQ = """SELECT payload->>'seq' FROM events_outbox
  WHERE kind LIKE 'metric.%' AND payload->>'scope' = 'global' ORDER BY id LIMIT 1"""


class Unusable(Exception):
    """It cannot go on, and you have to change something."""


# ---------------------------------------------------------------------------------------------------- validation


class Contracts:
    """The published schemas. A kind without a schema is newer than this copy, and is skipped."""

    def __init__(self, folder, full=True):
        self.schemas = {
            path.name[: -len(".schema.json")]: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("metric.*.schema.json"))
        }
        if not self.schemas:
            raise Unusable(f"there are no schemas in {folder}")
        self.validators = None
        if full:
            try:
                from jsonschema import Draft202012Validator

                self.validators = {kind: Draft202012Validator(schema) for kind, schema in self.schemas.items()}
            except ImportError:
                pass

    def problem(self, kind, payload):
        """Why a payload is not what its kind promises; None where it is."""
        if self.validators is not None:
            error = next(iter(self.validators[kind].iter_errors(payload)), None)
            return None if error is None else f"{error.json_path}: {error.message[:200]}"
        return problem_in(self.schemas[kind], payload, "$")


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def problem_in(schema, value, at):
    """The part of JSON Schema that the published schemas use most; the first thing that does not fit."""
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if types and not any(TYPES[name](value) for name in types):
        return f"{at}: is not {' or '.join(types)}"
    if "const" in schema and value != schema["const"]:
        return f"{at}: is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: is none of {schema['enum']!r}"
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            problems = [problem_in(option, value, at) for option in schema[choice]]
            if None not in problems:
                return problems[0]
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0) or len(value) > schema.get("maxLength", len(value)):
            return f"{at}: has a length that is not allowed"
        if "pattern" in schema and re.search(schema["pattern"], value) is None:
            return f"{at}: does not match {schema['pattern']}"
    if TYPES["number"](value):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            return f"{at}: is out of range"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                return f"{at}: {name} is missing"
        for name, member in schema.get("properties", {}).items():
            if name in value:
                problem = problem_in(member, value[name], f"{at}.{name}")
                if problem is not None:
                    return problem
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            problem = problem_in(schema["items"], item, f"{at}[{index}]")
            if problem is not None:
                return problem
    return None


# ------------------------------------------------------------------------------------------------------ decisions

UNKNOWN = {"value": None, "state": "unknown"}


class Policies:
    """The state of both policies, folded from metric rows."""

    def __init__(self, saved=None):
        saved = saved or {}
        self.trust = saved.get("trust", dict(UNKNOWN))
        self.overlap = saved.get("overlap", dict(UNKNOWN))
        self.projects = saved.get("projects", {})

    def forget(self):
        """For another log."""
        self.trust, self.overlap, self.projects = dict(UNKNOWN), dict(UNKNOWN), {}

    def saved(self):
        return {"trust": self.trust, "overlap": self.overlap, "projects": self.projects}

    def effective(self, project):
        """The reading that a policy about a project must use: its own, else the global one, else nothing."""
        own = self.projects.get(project, UNKNOWN)
        if own["value"] is not None:
            return {"scope": "project", **own}
        if self.overlap["value"] is not None:
            return {"scope": "global", **self.overlap}
        return {"scope": None, **UNKNOWN}

    def fold(self, rows):
        """Folds one merge's rows and yields every decision that changes.

        A global crossing changes the decision about every project that has too few merges of its own, and no row names
        these projects. So all of them are decided again, not only the merge's.
        """
        before = self.decided()
        for kind, row in rows:
            reading = {"value": row["value"], "state": row["state"] or "unknown"} if "value" in row else None
            if kind == "metric.first_pass_merge_rate" and row["scope"] == "global":
                self.trust = reading
            elif kind == "metric.rebase_conflict_rate" and row["scope"] == "global":
                self.overlap = reading
            elif kind == "metric.rebase_conflict_rate":
                self.projects[row["project"]] = reading
                due = self.effective(row["project"])
                stated = row.get("effective", due)
                # It may have further fields one day.
                if any(stated.get(name) != value for name, value in due.items()):
                    raise Unusable(f"effective of {row['key']} is not what the rows before it give")
        yield from self.since(before)

    def decided(self):
        """Trust, and the overlap of each project."""
        return self.trust, {project: self.effective(project) for project in self.projects}

    def since(self, before):
        """Yields every decision that differs from these."""
        trust, projects = before
        if self.trust["state"] != trust["state"]:
            yield {"policy": "trust", "project": None, "from": trust["state"], "to": self.trust["state"],
                   "value": self.trust["value"]}
        for project in {**projects, **self.projects}:
            old, new = projects.get(project, UNKNOWN), self.effective(project)
            if new["state"] != old["state"]:
                yield {"policy": "scope_overlap", "project": project, "from": old["state"], "to": new["state"],
                       "value": new["value"], "basis": new["scope"]}


# -------------------------------------------------------------------------------------------------------- reading


class Reader:
    """Takes rows in the order of their ids and returns whole merges, up to the safe horizon."""

    def __init__(self, contracts, saved=None):
        saved = saved or {}
        self.contracts = contracts
        # Everything up to this id is consumed.
        self.after = int(saved.get("after", 0))
        # The newest consumed row of ours: it proves that the log is still the same one.
        self.anchor = saved.get("anchor")
        self.seq = saved.get("seq")
        self.keys = {}
        self.rejected = set()

    def saved(self):
        return {"after": str(self.after), "anchor": self.anchor, "seq": self.seq}

    def restart(self):
        self.after, self.anchor, self.seq = 0, None, None
        self.keys = {}

    def take(self, rows, last_page=True):
        """Yields the rows of each merge as [(kind, payload), ...].

        Returns whether a hole is in the way: then read the rest again later.
        """
        read = list(rows)
        # Other writers' rows may stand between the rows of a merge.
        ours = [row for row in read if row["kind"] in self.contracts.schemas and self.valid(row)]
        while ours:
            members, used = self.set_at_front(ours)
            if not members:
                break
            size = members[0]["payload"].get("set_size", 1)
            if len(members) < size and not last_page:
                return False
            if len(members) < size or any(event_of(row) != event_of(members[0]) for row in members):
                if self.seq is not None:
                    return True
                # The old end of a log whose older rows were deleted: a cut set is skipped.
                self.consume(members[:1])
                continue
            place = next((row["payload"]["seq"] for row in members if is_global(row)), None)
            if place is not None:
                if self.seq is not None and place > self.seq + 1:
                    return True
                if self.seq is not None and place <= self.seq:
                    raise Unusable(f"merge {place} comes after merge {self.seq}: remove the state file")
                self.seq = place
            self.consume(members)
            del ours[:used]
            if place is not None:
                yield [(row["kind"], row["payload"]) for row in members]
        if read:
            self.after = int(read[-1]["id"])
        return False

    def set_at_front(self, rows):
        """The rows of the first merge, without duplicates, and how many rows were read for them."""
        members, keys = [], set()
        for used, row in enumerate(rows, 1):
            identity = identity_of(row)
            if identity in self.keys or identity in keys:
                continue
            members.append(row)
            keys.add(identity)
            if len(members) == members[0]["payload"].get("set_size", 1):
                return members, used
        return members, len(rows)

    def consume(self, rows):
        self.after = int(rows[-1]["id"])
        self.anchor = fingerprint(rows[-1])
        for row in rows:
            self.keys[identity_of(row)] = None
        while len(self.keys) > KEYS_KEPT:
            del self.keys[next(iter(self.keys))]

    def valid(self, row):
        problem = self.contracts.problem(row["kind"], row["payload"])
        if problem is not None and row["id"] not in self.rejected:
            self.rejected.add(row["id"])
            warn(f"rejected row {row['id']} of kind {row['kind']!a}: {ascii(problem)}")
        return problem is None


def fingerprint(row):
    payload = json.dumps(row["payload"], sort_keys=True)
    return {"id": row["id"], "sha256": hashlib.sha256(payload.encode()).hexdigest()}


def event_of(row):
    return row["payload"].get("merge", {}).get("event_id")


def is_global(row):
    return row["payload"].get("scope") == "global"


def identity_of(row):
    """A key is unique among the rows of a log; with the work item also where a restore lets ids come again."""
    return row["payload"]["key"], row["payload"].get("merge", {}).get("work_item_id")


class Psql:
    """One psql for each query: slow, and it needs nothing but psql."""

    def __init__(self, dsn):
        # Every user of the machine can read arguments: the password of a URL goes through the environment.
        password = urllib.parse.urlsplit(dsn).password
        self.dsn = dsn if password is None else dsn.replace(f":{password}@", "@", 1)
        self.environment = dict(os.environ)
        if password is not None:
            self.environment["PGPASSWORD"] = urllib.parse.unquote(password)

    def ask(self, sql):
        # Records end with a zero byte: JSON may contain line breaks.
        command = ["psql", "-X", "-q", "-A", "-t", "-0", "-v", "ON_ERROR_STOP=1", "-c", sql, self.dsn]
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, encoding="utf-8", check=False)
        if done.returncode != 0:
            raise Unusable("psql failed")
        return done.stdout.split("\0")[:-1]

    def wait(self, seconds):
        time.sleep(seconds)


class Psycopg:
    """A connection that listens: a notification is a hint to poll, nothing more."""

    def __init__(self, psycopg, dsn, channel):
        self.failure = psycopg.Error
        try:
            self.connection = psycopg.connect(dsn, autocommit=True)
            self.connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        except self.failure as error:
            raise Unusable(f"the database cannot be reached: {error}") from None

    def ask(self, sql):
        try:
            rows = self.connection.execute(sql).fetchall()
        except self.failure as error:
            raise Unusable(f"the database failed: {error}") from None
        return [value if isinstance(value, str) or value is None else json.dumps(value) for (value,) in rows]

    def wait(self, seconds):
        try:
            # Not by notifies(): it takes no timeout before psycopg 3.2.
            select.select([self.connection], [], [], seconds)
            self.connection.execute("SELECT 1")
        except self.failure as error:
            raise Unusable(f"the connection to the database is lost: {error}") from None


def database(dsn, channel):
    try:
        import psycopg
        import psycopg.sql
    except ImportError:
        return Psql(dsn)
    return Psycopg(psycopg, dsn, channel)


# --------------------------------------------------------------------------------------------------- output, state


def warn(text):
    """On standard error. Where that is closed, print() would take standard output instead."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def decide(decision):
    """Prints one decision. A closed pipe is left to main()."""
    try:
        print(json.dumps(decision), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unusable(f"decisions cannot be printed: {error.strerror}") from None


def sync_output():
    """Decisions that go to a file must be on the disk before the position that says so."""
    try:
        os.fsync(sys.stdout.fileno())
    except OSError as error:
        # A pipe or a terminal.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise Unusable(f"decisions cannot be printed: {error.strerror}") from None


class State:
    """The file that keeps the position and the policies between two runs: the old one or the new one, always whole."""

    def __init__(self, path):
        self.path = path.resolve()
        self.kept = None

    def read(self):
        """What an earlier run has kept; nothing on the first one."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unusable(f"{self.path} cannot be read: {error.strerror}") from None
        except ValueError:
            kept = None
        if not isinstance(kept, dict):
            raise Unusable(f"{self.path} is not a state file: remove it, and the log is read from its beginning")
        return kept

    def write(self, document):
        text = json.dumps(document)
        if text == self.kept:
            return
        sync_output()
        # A name that no other consumer of this folder has.
        beside = self.path.with_name(f".consume-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            with open(beside, "x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise Unusable(f"the position cannot be kept in {self.path}: {error.strerror}") from None
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()
        self.kept = text


def sync_folder(path):
    """So that the new name survives a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# ----------------------------------------------------------------------------------------------------------- main


def fold(policies, merges, quiet=False):
    """Prints the decisions that change, unless quiet. Returns what the generator of merges returned."""
    while True:
        try:
            rows = next(merges)
        except StopIteration as end:
            return end.value
        newest = rows[0][1]
        for decision in policies.fold(rows):
            if quiet:
                continue
            seq = next((row["seq"] for _, row in rows if row["scope"] == "global"), None)
            decide({**decision, "seq": seq, "event_id": newest["merge"]["event_id"]})


def poll(source, reader, limit):
    """The rows behind the reader's position; None where the row of the position is gone or changed."""
    place = {"after": reader.after, "limit": limit}
    if reader.anchor is None:
        return [json.loads(line) for line in source.ask(QUERY.format(**place))]
    lines = source.ask(QUERY_WITH_ANCHOR.format(anchor=int(reader.anchor["id"]), **place))
    rows = sorted(map(json.loads, lines), key=lambda row: int(row["id"]))
    return rows[1:] if rows and fingerprint(rows[0]) == reader.anchor else None


def pruned(source, reader):
    """Whether the same log begins behind the reader's position: older rows were deleted."""
    oldest = source.ask(OLDEST_SEQ)
    return reader.seq is not None and bool(oldest) and int(oldest[0]) > reader.seq


def follow(arguments, reader, policies, save):
    source = database(arguments.dsn, arguments.channel)
    # The decisions before the log was read again; None where each change is printed at once.
    before = None
    hole_since, page = None, PAGE
    while True:
        after = reader.after
        rows = poll(source, reader, page)
        if rows is None:
            warn("the log was reset: reading it again")
            before = before or policies.decided()
            if not pruned(source, reader):
                policies.forget()
            reader.restart()
            continue
        last_page = len(rows) < page
        hole = fold(policies, reader.take(rows, last_page), quiet=before is not None)
        # Thousands of unmarked rows may stand between two rows of a merge.
        page = PAGE if reader.after != after or last_page else page * 2
        if before is not None and last_page and not hole:
            for decision in policies.since(before):
                decide({**decision, "seq": reader.seq, "event_id": None})
            before = None
        # Until the changes are printed, a new run must begin anew as well.
        if before is None:
            save()
        if hole:
            hole_since = hole_since or time.monotonic()
            if time.monotonic() - hole_since >= arguments.patience:
                raise Unusable(f"after row {reader.after} (merge {reader.seq}) the log has a hole")
        else:
            hole_since = None
            if not last_page:
                continue
            if arguments.once:
                return
        source.wait(0.2 if hole else arguments.poll)


def rows_of(lines):
    """Rows as --print-query gives them."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield {"id": str(int(row["id"])), "kind": row["kind"], "payload": row["payload"]}
        except (ValueError, KeyError, TypeError):
            raise Unusable(f"line {number} of standard input is not a row") from None


USAGE = """examples:
  consume.py --state consumer.json          follow the outbox until interrupted
  consume.py --state consumer.json --once   read what is new, and end
  psql -Atc "$(consume.py --print-query)" | consume.py --stdin

environment:
  DATABASE_URL   connection string where --dsn is not given

exit codes:
  0  done, interrupted, or standard output has no reader any more
  1  rows were rejected, or it could not go on: see standard error
  2  wrong usage, or standard output is closed
"""


def seconds(text):
    value = float(text)
    if not 0 < value < 86_400:
        raise ValueError
    return value


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="consume.py",
        description=__doc__.split("\n", 1)[0],
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dsn", metavar="URL", help="connection string; default DATABASE_URL")
    parser.add_argument("--stdin", action="store_true", help="read rows from standard input instead of a database")
    parser.add_argument("--state", type=pathlib.Path, metavar="FILE", help="keep position and decisions there")
    parser.add_argument("--once", action="store_true", help="end when everything is read")
    parser.add_argument("--poll", type=seconds, default=5, metavar="SECONDS", help="time between polls; default 5")
    parser.add_argument(
        "--patience", type=seconds, default=30, metavar="SECONDS", help="how long a hole may last; default 30"
    )
    parser.add_argument(
        "--channel", default="events_outbox", metavar="NAME", help="notifications that wake it; default events_outbox"
    )
    parser.add_argument(
        "--contracts",
        type=pathlib.Path,
        default=CONTRACTS,
        metavar="FOLDER",
        help="the published schemas; default config/contracts of this checkout",
    )
    parser.add_argument("--no-jsonschema", action="store_true", help="check only what needs no library")
    parser.add_argument("--print-query", action="store_true", help="print the query for psql, and end")
    arguments = parser.parse_args()
    arguments.dsn = arguments.dsn or os.environ.get("DATABASE_URL")
    if not (arguments.dsn or arguments.stdin or arguments.print_query):
        parser.error("no database: give --dsn or DATABASE_URL, or rows with --stdin")
    return arguments


def main():
    # Decisions would be lost, and what is opened next would take their place.
    if sys.stdout is None:
        warn("consume.py: standard output is closed")
        return 2
    arguments = read_arguments()
    state = State(arguments.state) if arguments.state else None
    kept = state.read() if state else {}
    reader = Reader(Contracts(arguments.contracts, full=not arguments.no_jsonschema), kept.get("position"))
    policies = Policies(kept.get("policies"))
    if arguments.print_query:
        print(QUERY.format(after=reader.after, limit="ALL"), flush=True)
        return 0

    def save():
        if state:
            state.write({"position": reader.saved(), "policies": policies.saved()})

    if arguments.stdin:
        hole = fold(policies, reader.take(rows_of(sys.stdin or ())))
        save()
        if hole:
            raise Unusable(f"after row {reader.after} (merge {reader.seq}) the rows have a hole")
    else:
        follow(arguments, reader, policies, save)
    return 1 if reader.rejected else 0


def run():
    """main(), and its exit code. What could not be printed must not be tried again at the end."""
    try:
        return main()
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        code, reason = 0, None
    except Unusable as error:
        code, reason = 1, error
    if reason is not None:
        warn(f"consume.py: {reason}")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(run())
