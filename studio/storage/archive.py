"""Everything a workspace keeps, opened together and closed together."""

from __future__ import annotations

from pathlib import Path

from studio.storage.database import Database
from studio.storage.generations import Generations
from studio.storage.images import ImageStore
from studio.storage.jobs import Jobs
from studio.storage.workspace import Workspace


class Archive:
    """An open workspace with its database and images. Thread-safe."""

    def __init__(self, workspace: Workspace, database: Database) -> None:
        self.workspace = workspace
        self.jobs = Jobs(database)
        self.generations = Generations(database)
        self.images = ImageStore(workspace.images)
        self._database = database

    @classmethod
    def open(cls, root: Path) -> Archive:
        """Take the folder and open what is in it. Raises WorkspaceError; then nothing is held."""
        workspace = Workspace.open(root)
        try:
            return cls(workspace, Database.open(workspace.database))
        except BaseException:
            workspace.close()
            raise

    @property
    def logs(self) -> Path:
        return self.workspace.logs

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        self._database.close()
        self.workspace.close()
