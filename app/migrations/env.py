"""What Alembic runs around the steps: the connection and the transaction of `app.migrate`, whole or not at all."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
