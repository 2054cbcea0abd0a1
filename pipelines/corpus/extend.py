"""A plan follows its corpus: new files join it, changed ones get new numbers, and no name ever means two things.

A plan only grows. A file that is replaced or pruned stays in it, retired.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipelines.corpus.changes import CHANGED, GONE, Changes, changes_since, looks, with_looks
from pipelines.corpus.inputs import check_columns, holds, list_inputs, refuse_ids_of_text
from pipelines.corpus.numbering import number_files, survey_all
from pipelines.corpus.plan_types import Columns, CorpusFile, FileState, Plan
from pipelines.errors import InputChangedError, StorageError
from pipelines.storage import FileEntry, Storage

SHOWN_FILES = 3


def extend_plan(
    plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage, with_shards: Collection[int]
) -> Plan:
    """The plan with the inputs' new files under the next numbers; the plan itself where there is nothing to add.

    with_shards: the numbers of the files that have a shard at least. Of the others, those that changed or had an error
    are planned anew, under their numbers. Files whose columns do not fit the plan's get an `error`. Raises
    InputChangedError, naming the first files, where one is gone, or one with shards has changed; UsageError as
    `make_plan` does.
    """
    check_columns(columns)
    changes = with_looks(changes_since(plan, list_inputs(inputs, storage)), storage)
    _refuse_changes(plan, changes, with_shards)
    replanned = _without_shards(plan, changes, with_shards)
    states = dict.fromkeys(changes.returned, FileState.CURRENT)
    return _replanned(plan, replanned, changes.new, states, columns, storage)


def update_plan(
    plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage, with_shards: Collection[int], prune: bool
) -> tuple[Plan, Changes]:
    """As `extend_plan`, but takes changes over. Gives what has changed, too.

    Changed files with shards are retired, and get new numbers among the new files. Files that the inputs do not hold
    have vanished, be they there or not: with `prune`, or where they have no shards, they are retired. Raises
    StorageError where one is there that the listing of the inputs should have shown.
    """
    check_columns(columns)
    entries = list_inputs(inputs, storage)
    changes = changes_since(plan, entries)
    vanished = {file.number: _left_as(file, with_shards, prune) for file in changes.vanished}
    newly = [file for file in changes.vanished if file.state is not vanished[file.number]]
    _refuse_half_a_listing(newly, inputs, storage)
    replaced = {number: entry for number, entry in changes.changed.items() if number in with_shards}
    added = {entry.uri for entry in (*changes.new, *replaced.values())}
    states = {
        **dict.fromkeys(changes.returned, FileState.CURRENT),
        **vanished,
        **dict.fromkeys(replaced, FileState.RETIRED),
    }
    listed = [entry for entry in entries.values() if entry.uri in added]
    replanned = _without_shards(plan, changes, with_shards)
    return _replanned(plan, replanned, listed, states, columns, storage), changes


def mend_plan(
    plan: Plan, inputs: Sequence[str], columns: Columns, storage: Storage, rejected: Collection[int]
) -> tuple[Plan, Changes]:
    """The plan with new numbers for those of the files with rejects that changed, or could not be read and now can be.

    rejected: the numbers of the files with rejects. Gives what has changed of the whole corpus, too.
    """
    changes = with_looks(changes_since(plan, list_inputs(inputs, storage)), storage)
    gone = {file.number for file in changes.vanished}
    replaced = {number: entry for number, entry in changes.changed.items() if number in rejected}
    unread = [plan.files[number] for number in rejected if number not in changes.changed and number not in gone]
    replaced |= _readable_now(plan, [file for file in unread if file.error is not None], columns, storage)
    states = dict.fromkeys(replaced, FileState.RETIRED)
    return _replanned(plan, {}, [replaced[number] for number in sorted(replaced)], states, columns, storage), changes


def _left_as(file: CorpusFile, with_shards: Collection[int], prune: bool) -> FileState:
    """What becomes of a vanished file: there is nothing to keep of one without shards."""
    return FileState.VANISHED if file.number in with_shards and not prune else FileState.RETIRED


def _refuse_changes(plan: Plan, changes: Changes, with_shards: Collection[int]) -> None:
    told = {file.number: GONE for file in changes.vanished if file.state is FileState.CURRENT}
    told |= {number: CHANGED for number in changes.changed if number in with_shards}
    if told:
        shown = ", ".join(f"{plan.files[number].uri} {told[number]}" for number in sorted(told)[:SHOWN_FILES])
        more = f" and {len(told) - SHOWN_FILES} more" if len(told) > SHOWN_FILES else ""
        raise InputChangedError(
            f"{shown}{more} since the plan was made; restore the input, or run again with --update to follow it"
        )


def _refuse_half_a_listing(vanished: Sequence[CorpusFile], inputs: Sequence[str], storage: Storage) -> None:
    """Looks at each file that the listing lacks, before its rows go: no store has to be believed that it is gone."""
    held = [file for file in vanished if any(holds(given, file.uri) for given in inputs)]
    for file, entry in looks(held, storage):
        if entry is not None:
            raise StorageError(
                f"{file.uri}: is there, but the listing of the input lacks it; run the same command again"
            )


def _without_shards(plan: Plan, changes: Changes, with_shards: Collection[int]) -> dict[int, FileEntry]:
    """The files to plan anew under their numbers, as they are now: no name of theirs is taken yet."""
    gone = {file.number for file in changes.vanished}
    broken = {
        file.number: FileEntry(file.uri, file.size, file.version)
        for file in plan.live
        if file.error is not None and file.number not in gone
    }
    return {number: entry for number, entry in {**broken, **changes.changed}.items() if number not in with_shards}


def _readable_now(plan: Plan, files: Sequence[CorpusFile], columns: Columns, storage: Storage) -> dict[int, FileEntry]:
    """Those of some unchanged files with an error that have none now: the store, or this program, got better."""
    entries = [FileEntry(file.uri, file.size, file.version) for file in files]
    surveys = survey_all(entries, columns, plan.shard_rows, storage)
    seen = {file.number: one for file, one in zip(files, surveys, strict=True)}
    readable, _ = number_files(seen, plan.schema, fixed=True)
    return {file.number: seen[file.number].entry for file in readable if file.error is None}


def _replanned(
    plan: Plan,
    changed: Mapping[int, FileEntry],
    added: Sequence[FileEntry],
    states: Mapping[int, FileState],
    columns: Columns,
    storage: Storage,
) -> Plan:
    """The plan with some files planned anew under their numbers, some added at its end, and some in another state."""
    states = {number: state for number, state in states.items() if plan.files[number].state is not state}
    if not changed and not added and not states:
        return plan
    refuse_ids_of_text(added, columns)
    due = {**changed, **dict(enumerate(added, len(plan.files)))}
    surveys = survey_all(list(due.values()), columns, plan.shard_rows, storage)
    surveyed, _ = number_files(dict(zip(due, surveys, strict=True)), plan.schema, fixed=True)
    files = {file.number: file for file in (*plan.files, *surveyed)}
    files |= {number: replace(files[number], state=state) for number, state in states.items()}
    if plan.files == (now := tuple(files.values())):
        return plan
    # Never again the plan of an older manifest, whatever the files come to.
    return replace(plan, files=now, revision=plan.revision + 1)
