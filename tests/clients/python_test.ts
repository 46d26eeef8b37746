/** pyrqlite and sqlalchemy-rqlite, the client libraries of Python, work with muster as their documentation shows it. */
import { pathOf, pythonWith, withClients } from "./clients.ts";

Deno.test("pyrqlite and SQLAlchemy connect, write, read, queue and reflect, through a follower and as a user", (t) =>
  withClients(async (root, runClient) => {
    const python = await pythonWith(root, "python/requirements.txt");
    for (const client of ["pyrqlite", "sqlalchemy"]) {
      await t.step(client, () => runClient(python, [pathOf(`python/${client}_client.py`)]));
    }
  }));
