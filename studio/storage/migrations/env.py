"""Run by Alembic. The connection comes from studio.storage.database, the one place that opens databases."""

from alembic import context

from studio.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
