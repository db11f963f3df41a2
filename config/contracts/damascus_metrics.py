# Generated from the JSON Schemas beside this file by `npm run contracts`; never edited.
# A reader ignores fields and kinds that it does not know. Ranges and patterns are checked by the schemas alone.
from typing import Dict, List, Literal, TypedDict, Union

# The merge that this row records, with its facts as they were then. They are never read again.
Merge = TypedDict("Merge", {
    # events_outbox.id of the transition to merged.
    "event_id": str,
    # work_items.id as text, whatever its type.
    "work_item_id": str,
    # Any string; compared byte for byte.
    "project": str,
    # Builds it took; 1 is a first pass.
    "attempts": int,
    "last_verdict": Union[str, None],
    # created_at of the transition row; null where that is not a date.
    "merged_at": Union[str, None],
})

FirstPassMergeRateGlobal = TypedDict("FirstPassMergeRateGlobal", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["first_pass_merge_rate"],
    "scope": Literal["global"],
    "project": None,
    # The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[float, None],
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["unknown", "high", "low", None],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})

# What a policy about the project must use: its own reading once defined, else the global one, else nothing.
Effective = TypedDict("Effective", {
    # Whose reading it is; null while neither is defined.
    "scope": Literal["global", "project", None],
    "value": Union[float, None],
    "state": Literal["unknown", "high", "low"],
})

_FirstPassMergeRateProject = TypedDict("_FirstPassMergeRateProject", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["first_pass_merge_rate"],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # The merge's place in the order of the project's merges.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[float, None],
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["unknown", "high", "low", None],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})


class FirstPassMergeRateProject(_FirstPassMergeRateProject, total=False):
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    effective: Effective

# Share of the last merges that took one attempt.
FirstPassMergeRate = Union[FirstPassMergeRateGlobal, FirstPassMergeRateProject]

_RebaseConflictRateGlobal = TypedDict("_RebaseConflictRateGlobal", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["rebase_conflict_rate"],
    "scope": Literal["global"],
    "project": None,
    # The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[float, None],
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["unknown", "high", "low", None],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})


class RebaseConflictRateGlobal(_RebaseConflictRateGlobal, total=False):
    # The verdicts that counted; only where they are not ["rebase_conflict"].
    verdicts: List[str]

_RebaseConflictRateProject = TypedDict("_RebaseConflictRateProject", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["rebase_conflict_rate"],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # The merge's place in the order of the project's merges.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[float, None],
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["unknown", "high", "low", None],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})


class RebaseConflictRateProject(_RebaseConflictRateProject, total=False):
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    effective: Effective
    # The verdicts that counted; only where they are not ["rebase_conflict"].
    verdicts: List[str]

# Share of the last merges whose last verdict was a rebase conflict.
RebaseConflictRate = Union[RebaseConflictRateGlobal, RebaseConflictRateProject]

P95AttemptsToMergeGlobal = TypedDict("P95AttemptsToMergeGlobal", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["p95_attempts_to_merge"],
    "scope": Literal["global"],
    "project": None,
    # The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[int, None],
    # Merges in the window that match; null for a percentile.
    "numerator": None,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": None,
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})

_P95AttemptsToMergeProject = TypedDict("_P95AttemptsToMergeProject", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": Literal["p95_attempts_to_merge"],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # The merge's place in the order of the project's merges.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": Union[int, None],
    # Merges in the window that match; null for a percentile.
    "numerator": None,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": None,
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
})


class P95AttemptsToMergeProject(_P95AttemptsToMergeProject, total=False):
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    effective: Effective

# 95th percentile (nearest rank) of the attempts that the last merges took.
P95AttemptsToMerge = Union[P95AttemptsToMergeGlobal, P95AttemptsToMergeProject]

# The crossing before this one of the same metric and scope: its merge and when that took place.
Previous = TypedDict("Previous", {
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # UTC, milliseconds.
    "since": Union[str, None],
})

_ThresholdCrossedGlobal = TypedDict("_ThresholdCrossedGlobal", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": str,
    "scope": Literal["global"],
    "project": None,
    # The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": float,
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["high", "low"],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
    "gate": str,
    "direction": Literal["up", "down"],
    "from": Literal["unknown", "high", "low"],
    "to": Literal["high", "low"],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
    # The crossing before this one of the same metric and scope: its merge and when that took place.
    "previous": Union[Previous, None],
})


class ThresholdCrossedGlobal(_ThresholdCrossedGlobal, total=False):
    # The verdicts that counted; only where they are not ["rebase_conflict"].
    verdicts: List[str]

_ThresholdCrossedProject = TypedDict("_ThresholdCrossedProject", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "metric": str,
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # The merge's place in the order of the project's merges.
    "seq": int,
    # Null until the window is full: undefined, not 0.
    "value": float,
    # Merges in the window that match; null for a percentile.
    "numerator": int,
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate after this merge; null where it has no gate.
    "state": Literal["high", "low"],
    # The merge that this row records, with its facts as they were then. They are never read again.
    "merge": Merge,
    # Rows that record this merge, this one included.
    "set_size": int,
    # Program and version that wrote the row.
    "producer": str,
    "gate": str,
    "direction": Literal["up", "down"],
    "from": Literal["unknown", "high", "low"],
    "to": Literal["high", "low"],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
    # The crossing before this one of the same metric and scope: its merge and when that took place.
    "previous": Union[Previous, None],
})


class ThresholdCrossedProject(_ThresholdCrossedProject, total=False):
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    effective: Effective
    # The verdicts that counted; only where they are not ["rebase_conflict"].
    verdicts: List[str]

# A gate changed its state. Follows the metric row that crossed. A global crossing changes the effective rate of every project that has none of its own.
ThresholdCrossed = Union[ThresholdCrossedGlobal, ThresholdCrossedProject]

MergeSkippedMerge = TypedDict("MergeSkippedMerge", {
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # work_items.id as text, whatever its type.
    "work_item_id": Union[str, None],
})

# A merge whose facts are unusable: it is counted in no window. A skip is final.
MergeSkipped = TypedDict("MergeSkipped", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "reason": str,
    "merge": MergeSkippedMerge,
    # Program and version that wrote the row.
    "producer": str,
})

CheckpointNewest = TypedDict("CheckpointNewest", {
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # work_items.id as text, whatever its type.
    "work_item_id": str,
    # UTC, milliseconds.
    "merged_at": Union[str, None],
})

CheckpointGate = TypedDict("CheckpointGate", {
    "state": Literal["unknown", "high", "low"],
    "defined": bool,
    "crossed": Union[Previous, None],
})

CheckpointGlobal = TypedDict("CheckpointGlobal", {
    "seq": int,
    # The newest merges' facts, oldest first: attempts[:flags][*times].
    "facts": str,
    "gates": Dict[str, CheckpointGate],
})

CheckpointProject = TypedDict("CheckpointProject", {
    # Any string; compared byte for byte.
    "project": str,
    "seq": int,
    # The newest merges' facts, oldest first: attempts[:flags][*times].
    "facts": str,
    "gates": Dict[str, CheckpointGate],
})

# The daemon's memory, so that a restart replays few merges. Not meant for consumers, which skip it.
Checkpoint = TypedDict("Checkpoint", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Unique among the rows of a log: drop duplicates by it.
    "key": str,
    "seq": int,
    "skipped": int,
    "truncated": bool,
    "newest": Union[CheckpointNewest, None],
    "capacity": int,
    "verdicts": List[Union[str, None]],
    # The newest row that it includes.
    "row_id": str,
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "journal_begins": Union[str, None],
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "low_mark": str,
    "recorded_above": str,
    "unrecorded": List[str],
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "floor": Union[str, None],
    "global": CheckpointGlobal,
    "projects": List[CheckpointProject],
    # Program and version that wrote the row.
    "producer": str,
})

AsOf = TypedDict("AsOf", {
    # Merges recorded.
    "seq": int,
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": Union[str, None],
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    # UTC, milliseconds.
    "generated_at": str,
})

SnapshotDaemon = TypedDict("SnapshotDaemon", {
    # Instances connected to the database.
    "running": int,
})

Lag = TypedDict("Lag", {
    # Merges due and not recorded; they are in no value.
    "merges": int,
    # Age of the oldest of them.
    "seconds": Union[float, None],
})

# Merges that events_outbox refused when they were last tried; the daemon retries them.
SnapshotRefused = TypedDict("SnapshotRefused", {
    "total": int,
})

Gate = TypedDict("Gate", {
    "name": str,
    "state": Literal["unknown", "high", "low"],
    # merged_at of the merge at which it last crossed; null where it never did, or the date is not known.
    "since": Union[str, None],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
})

SnapshotMetricGlobal = TypedDict("SnapshotMetricGlobal", {
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    "numerator": Union[int, None],
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    "gate": Union[Gate, None],
    "scope": Literal["global"],
    "project": None,
    "effective": None,
})

SnapshotMetricProject = TypedDict("SnapshotMetricProject", {
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    "numerator": Union[int, None],
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    "gate": Union[Gate, None],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    "effective": Union[Effective, None],
})

# The current values of every scope: `metrics snapshot --json` and /snapshot.json.
Snapshot = TypedDict("Snapshot", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    "as_of": AsOf,
    "daemon": SnapshotDaemon,
    "lag": Lag,
    # Merges that events_outbox refused when they were last tried; the daemon retries them.
    "refused": SnapshotRefused,
    "skipped": SnapshotRefused,
    # Windows count up again because rows are gone from the old end of the log.
    "history_truncated": bool,
    # Every project, most recently merged first.
    "projects": List[str],
    # Of all merges, then of each project in the order of their names' code points.
    "metrics": List[Union[SnapshotMetricGlobal, SnapshotMetricProject]],
})

# Today's; null where the scope has none.
HistoryGate = TypedDict("HistoryGate", {
    "name": str,
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
})

# The crossing at this merge, with the gate's name and bounds at that time.
Crossing = TypedDict("Crossing", {
    "gate": str,
    "from": Literal["unknown", "high", "low"],
    "to": Literal["unknown", "high", "low"],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
})

Point = TypedDict("Point", {
    # The merge's place in the order of the series' scope, from 1.
    "seq": int,
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    "numerator": Union[int, None],
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    # State of the gate; null where the scope has none.
    "state": Literal["unknown", "high", "low", None],
    # The crossing at this merge, with the gate's name and bounds at that time.
    "crossing": Union[Crossing, None],
})

SeriesGlobal = TypedDict("SeriesGlobal", {
    "metric": str,
    # computed: not recorded for this scope; what the recorded merges give.
    "source": Literal["recorded", "computed"],
    # Today's; null where the scope has none.
    "gate": Union[HistoryGate, None],
    # Oldest first.
    "points": List[Point],
    "scope": Literal["global"],
    "project": None,
})

SeriesProject = TypedDict("SeriesProject", {
    "metric": str,
    # computed: not recorded for this scope; what the recorded merges give.
    "source": Literal["recorded", "computed"],
    # Today's; null where the scope has none.
    "gate": Union[HistoryGate, None],
    # Oldest first.
    "points": List[Point],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
})

# Metrics over the merges: `metrics history --json`.
History = TypedDict("History", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    "as_of": AsOf,
    "series": List[Union[SeriesGlobal, SeriesProject]],
})

RecentHistoryMerge = TypedDict("RecentHistoryMerge", {
    "seq": int,
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # work_items.id as text, whatever its type.
    "work_item_id": str,
    # Any string; compared byte for byte.
    "project": str,
    "attempts": int,
    "last_verdict": Union[str, None],
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    # Whether one attempt was enough.
    "first_pass": bool,
    # Whether the last verdict is one of those that count today.
    "rebase_conflict": bool,
})

RecentHistoryCrossingGlobal = TypedDict("RecentHistoryCrossingGlobal", {
    "gate": str,
    "from": Literal["unknown", "high", "low"],
    "to": Literal["unknown", "high", "low"],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    # The merge that crossed.
    "event_id": str,
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    "scope": Literal["global"],
    "project": None,
})

RecentHistoryCrossingProject = TypedDict("RecentHistoryCrossingProject", {
    "gate": str,
    "from": Literal["unknown", "high", "low"],
    "to": Literal["unknown", "high", "low"],
    # value >= upper: high
    "upper": float,
    # value < lower: low
    "lower": float,
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    # The merge that crossed.
    "event_id": str,
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
})

# The last merges, as the daemon remembers them: /history.json.
RecentHistory = TypedDict("RecentHistory", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    # Metrics of all merges, then the gated ones of the projects that matter most, each over the last merges of its scope.
    "series": List[Union[SeriesGlobal, SeriesProject]],
    # Oldest first.
    "merges": List[RecentHistoryMerge],
    # Of every scope, oldest first.
    "crossings": List[Union[RecentHistoryCrossingGlobal, RecentHistoryCrossingProject]],
})

# Facts that are no longer known, because their rows are gone, are null.
ExplanationMerge = TypedDict("ExplanationMerge", {
    # Its place in the order of all merges.
    "seq": Union[int, None],
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": Union[str, None],
    # work_items.id as text, whatever its type.
    "work_item_id": Union[str, None],
    # Any string; compared byte for byte.
    "project": Union[str, None],
    "attempts": int,
    "last_verdict": Union[str, None],
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    # Whether it counts for the numerator; null for a percentile.
    "counted": Union[bool, None],
})

# The value after one further merge that counts, and after one that does not.
ExplanationNext = TypedDict("ExplanationNext", {
    "if_counted": Union[float, None],
    "if_not": Union[float, None],
})

# Null where no number of merges will do.
ExplanationReach = TypedDict("ExplanationReach", {
    # Further merges that it takes at least.
    "merges": int,
    # How many of these must count (to rise) or must not (to fall).
    "of_kind": int,
})

ExplanationMove = TypedDict("ExplanationMove", {
    "to": Literal["high", "low"],
    # At least this to rise, less than this to fall.
    "bound": float,
    # Null where no number of merges will do.
    "reach": Union[ExplanationReach, None],
})

ExplanationExplanationGlobal = TypedDict("ExplanationExplanationGlobal", {
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    "numerator": Union[int, None],
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    "gate": Union[Gate, None],
    "scope": Literal["global"],
    "project": None,
    "effective": None,
    # The merges of the window, oldest first.
    "merges": List[ExplanationMerge],
    # The merge that the next one pushes out; null while the window fills.
    "leaves_next": Union[ExplanationMerge, None],
    # The value after one further merge that counts, and after one that does not.
    "next": ExplanationNext,
    # What it takes to reach the bounds of the states that the gate is not in. A project whose window fills between the bounds takes over the global state instead.
    "moves": List[ExplanationMove],
})

ExplanationExplanationProject = TypedDict("ExplanationExplanationProject", {
    "metric": str,
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
    "numerator": Union[int, None],
    # Merges in the window so far.
    "n": int,
    # Merges in a full window.
    "window": int,
    "gate": Union[Gate, None],
    "scope": Literal["project"],
    # Any string; compared byte for byte.
    "project": str,
    # What a policy about the project must use: its own reading once defined, else the global one, else nothing.
    "effective": Union[Effective, None],
    # The merges of the window, oldest first.
    "merges": List[ExplanationMerge],
    # The merge that the next one pushes out; null while the window fills.
    "leaves_next": Union[ExplanationMerge, None],
    # The value after one further merge that counts, and after one that does not.
    "next": ExplanationNext,
    # What it takes to reach the bounds of the states that the gate is not in. A project whose window fills between the bounds takes over the global state instead.
    "moves": List[ExplanationMove],
})

# The merges behind each number, and what it takes to move its gate: `metrics explain --json`.
Explanation = TypedDict("Explanation", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    "as_of": AsOf,
    "lag": Lag,
    "explanations": List[Union[ExplanationExplanationGlobal, ExplanationExplanationProject]],
})

VerificationAsOf = TypedDict("VerificationAsOf", {
    # Merges recorded.
    "seq": Union[int, None],
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": Union[str, None],
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    # UTC, milliseconds.
    "generated_at": str,
})

VerificationCounts = TypedDict("VerificationCounts", {
    # Rows of kind metric.*
    "rows": int,
    # Merges that have rows.
    "merges": int,
    "metric_rows": int,
    "crossings": int,
    "skipped": int,
    "checkpoints": int,
    # Rows without the daemon's marker.
    "unmarked": int,
    # Values whose merges are no longer all known.
    "not_judged": int,
    # Rows written under other bounds than today's.
    "other_bounds": int,
    # Transitions to merged.
    "committed": int,
    # Duplicates: later merges of recorded work items, which do not count.
    "duplicates": int,
    # Due, and not recorded yet.
    "waiting": int,
    # Taken as recorded by the newest checkpoint or the daemon's oldest row: their own rows are gone.
    "pruned": int,
    # Recorded with facts that differ from the work item's today.
    "drifted": int,
    # Recorded merges whose transition is gone from the old end.
    "without_transition": int,
})

VerificationByKind = TypedDict("VerificationByKind", {
    # rows of the daemon that are incomplete
    "unreadable": int,
    # rows of a newer version, which this version cannot judge
    "newer_schema": int,
    # merges that are not recorded
    "merge_missing": int,
    # merges that are recorded twice
    "merge_repeated": int,
    # rows that record an event that is not a merge
    "merge_unknown": int,
    # merges with missing rows
    "set_incomplete": int,
    # merges with more rows than were written
    "set_surplus": int,
    # rows out of order within their merge
    "set_order": int,
    # gaps in seq
    "seq_gap": int,
    # repeats in seq
    "seq_repeated": int,
    # rows whose seq is not that of the rows beside them
    "seq": int,
    # keys that are not what the contract says
    "key": int,
    # keys that are repeated
    "key_repeated": int,
    # rows whose facts differ from those beside them
    "facts": int,
    # rows filed under a work item other than their merge's
    "work_item": int,
    # values, numerators or counts that the recorded facts do not give
    "number": int,
    # states that do not follow from the recorded values
    "state": int,
    # crossings that do not follow from the recorded values
    "crossing": int,
    # effective readings that do not follow from the recorded readings
    "effective": int,
    # checkpoints that are not what a full replay gives
    "checkpoint": int,
})

VerificationFirst = TypedDict("VerificationFirst", {
    "kind": str,
    # The row of the log; null where the row is missing.
    "row_id": Union[str, None],
    # The merge's transition row, as the row says.
    "event_id": Union[str, None],
    "metric": Union[str, None],
    "scope": Literal["global", "project", None],
    "project": Union[str, None],
    "seq": Union[int, None],
    # What the log says, for a person.
    "recorded": str,
    # What it should say, for a person.
    "expected": str,
})

VerificationDifferences = TypedDict("VerificationDifferences", {
    "total": int,
    "by_kind": VerificationByKind,
    # The first ones; --limit says how many.
    "first": List[VerificationFirst],
})

VerificationRecorded = TypedDict("VerificationRecorded", {
    "project": Union[str, None],
    # As text, because today's value may not be a number.
    "attempts": Union[str, None],
    "last_verdict": Union[str, None],
    # UTC, milliseconds.
    "merged_at": Union[str, None],
})

VerificationDrifted = TypedDict("VerificationDrifted", {
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # work_items.id as text, whatever its type.
    "work_item_id": Union[str, None],
    "recorded": Union[VerificationRecorded, None],
    # Null where the work item no longer exists.
    "now": Union[VerificationRecorded, None],
})

# Every recorded number against the recorded facts: `metrics verify --json`.
Verification = TypedDict("Verification", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    "as_of": VerificationAsOf,
    # True where there are no differences.
    "verified": bool,
    "counts": VerificationCounts,
    # Rows are gone from the old end of the log.
    "history_truncated": bool,
    "differences": VerificationDifferences,
    # The first work items whose facts have changed since. That is not a difference: recorded facts are final.
    "drifted": List[VerificationDrifted],
})

# Merges after which the gate was in this state.
SimulationMerges = TypedDict("SimulationMerges", {
    "unknown": int,
    "high": int,
    "low": int,
})

# Time in this state, from the date of the first merge to that of the latest one.
SimulationSeconds = TypedDict("SimulationSeconds", {
    "unknown": float,
    "high": float,
    "low": float,
})

SimulationCrossings = TypedDict("SimulationCrossings", {
    "up": int,
    "down": int,
})

# Merges with a recorded state, and those of them with the same state here.
SimulationAgreement = TypedDict("SimulationAgreement", {
    "compared": int,
    "equal": int,
})

SimulationToday = TypedDict("SimulationToday", {
    # Merges in a full window.
    "window": int,
    "gate": Union[HistoryGate, None],
    # After the newest merge.
    "value": Union[float, None],
    "state": Literal["unknown", "high", "low"],
    # Merges after which the gate was in this state.
    "merges": SimulationMerges,
    # Time in this state, from the date of the first merge to that of the latest one.
    "seconds": SimulationSeconds,
    "crossings": SimulationCrossings,
    # Merges with a recorded state, and those of them with the same state here.
    "agreement": SimulationAgreement,
})

SimulationLine = TypedDict("SimulationLine", {
    "metric": str,
    "scope": Literal["global", "project"],
    # Null for all merges, and in the scope of projects for all projects together.
    "project": Union[str, None],
    "today": Union[SimulationToday, None],
    # Null where these settings do not record it.
    "simulated": Union[SimulationToday, None],
})

SimulationCrossing = TypedDict("SimulationCrossing", {
    "under": Literal["today", "simulated"],
    "metric": str,
    "scope": Literal["global", "project"],
    # Any string; compared byte for byte.
    "project": Union[str, None],
    "seq": int,
    # A bigint as decimal text: it may be larger than a double holds exactly.
    "event_id": str,
    # UTC, milliseconds.
    "merged_at": Union[str, None],
    "from": Literal["unknown", "high", "low"],
    "to": Literal["high", "low"],
    # A ratio 0-1 or a number of attempts; null (undefined) until n = window.
    "value": Union[float, None],
})

# What other settings would have made of the recorded merges: `metrics simulate --json`.
Simulation = TypedDict("Simulation", {
    # Additive changes keep the version; readers ignore fields that they do not know.
    "schema_version": Literal[1],
    "as_of": AsOf,
    # Rows are gone from the old end: both begin with the rows that are left.
    "history_truncated": bool,
    "lines": List[SimulationLine],
    # The newest thousand of each line.
    "crossings": List[SimulationCrossing],
})

# A row of events_outbox. Its id is a bigint as text.
FirstPassMergeRateEvent = TypedDict("FirstPassMergeRateEvent", {"id": str, "kind": Literal["metric.first_pass_merge_rate"], "payload": FirstPassMergeRate})
RebaseConflictRateEvent = TypedDict("RebaseConflictRateEvent", {"id": str, "kind": Literal["metric.rebase_conflict_rate"], "payload": RebaseConflictRate})
P95AttemptsToMergeEvent = TypedDict("P95AttemptsToMergeEvent", {"id": str, "kind": Literal["metric.p95_attempts_to_merge"], "payload": P95AttemptsToMerge})
ThresholdCrossedEvent = TypedDict("ThresholdCrossedEvent", {"id": str, "kind": Literal["metric.threshold_crossed"], "payload": ThresholdCrossed})
MergeSkippedEvent = TypedDict("MergeSkippedEvent", {"id": str, "kind": Literal["metric.merge_skipped"], "payload": MergeSkipped})
CheckpointEvent = TypedDict("CheckpointEvent", {"id": str, "kind": Literal["metric.checkpoint"], "payload": Checkpoint})
MetricEvent = Union[FirstPassMergeRateEvent, RebaseConflictRateEvent, P95AttemptsToMergeEvent, ThresholdCrossedEvent, MergeSkippedEvent, CheckpointEvent]
