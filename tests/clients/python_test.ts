/** pyrqlite and sqlalchemy-rqlite, the client libraries of Python, work with muster as their documentation shows it. */
import { install, pathOf, run, withClients } from "./clients.ts";

/** A virtual environment with the pinned packages: `pip` is the system's, so that Debian needs no further package. */
async function environment(root: string): Promise<string> {
  const folder = `${root}/python`;
  await run("python3", ["-m", "venv", "--without-pip", folder]);
  const python = `${folder}/bin/python`;
  const requirements = pathOf("python/requirements.txt");
  await install("python3", ["-m", "pip", "--python", python, "install", "--quiet", "--requirement", requirements]);
  return python;
}

Deno.test("pyrqlite and SQLAlchemy connect, write, read, queue and reflect, through a follower and as a user", (t) =>
  withClients(async (root, runClient) => {
    const python = await environment(root);
    for (const client of ["pyrqlite", "sqlalchemy"]) {
      await t.step(client, () => runClient(python, [pathOf(`python/${client}_client.py`)]));
    }
  }));
