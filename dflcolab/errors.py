"""The exception tree. Every message is one sentence: what failed, on what, and what to do next."""

from __future__ import annotations


class DFLColabError(Exception):
    """Base of everything this package refuses or fails with.

    The command line prints the message as it is and ends with `exit_code`; no traceback.
    """

    exit_code = 1


class ConfigError(DFLColabError):
    """An option is unknown, has the wrong type, or lies outside its range."""


class WorkspaceError(DFLColabError):
    """The workspace is missing, incomplete or in a state the verb cannot work on."""


class RightsError(DFLColabError):
    """The rights record does not allow what was asked for."""


class ContentGuardError(DFLColabError):
    """The footage is refused by the content guard."""


class MediaError(DFLColabError):
    """A video, picture or sound track cannot be read or written."""


class FormatError(DFLColabError):
    """A file is damaged, truncated, or not what its name says."""


class UnsafeFileError(FormatError):
    """A file asks for something a data file has no business to ask for (foreign pickle, `..` path)."""


class FacesetError(DFLColabError):
    """A faceset is empty or unusable for the verb."""


class ModelError(DFLColabError):
    """A model cannot be built, does not match its files, or cannot be trained as asked."""


class DivergedError(ModelError):
    """A loss or weight is not a number any more."""


class CheckpointError(ModelError):
    """A checkpoint is missing, damaged or belongs to another model."""


class StorageError(DFLColabError):
    """The disk is full, read-only or gone."""


class SyncError(DFLColabError):
    """A transfer to or from the remote failed or did not verify."""


class DownloadError(DFLColabError):
    """A file cannot be fetched from the network, or is not what was asked for."""


class JobError(DFLColabError):
    """A step in a process of its own cannot begin, or that process ended without a word."""


class MissingDependencyError(DFLColabError):
    """A library that this step needs is not installed or does not load."""


class Interrupted(DFLColabError):
    """The user asked to stop; everything up to the last safe point is saved."""

    exit_code = 130
