/**
 * Programs that commands of the documentation call, in a folder that is first on the path: `muster` is that of these sources,
 * and `deno task muster` calls it, without another process between. `curl` fails where a request is refused, and ends what it
 * prints by an end of line.
 * @module
 */
import { findProgram } from "../peers/process.ts";
import { musterCommand } from "../processes.ts";
import { ROOT } from "./blocks.ts";

/** Time that a request may take; one with `-N` goes on until it is ended. */
const REQUEST_SECONDS = 30;

/** `./web` of the documentation, which serves at the port of its service. */
export const WEB = `#!/usr/bin/env python3
import http.server, os

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(os.environ["MUSTER_SERVICE_PORT"])), Answer).serve_forever()
`;

/** Where SQLite's own shell is not installed: what the documentation does with it. */
const SQLITE = `exec python3 -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())' "$1"`;

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}

/** Writes them into a folder. */
export async function writePrograms(folder: string): Promise<void> {
  const { command, args } = musterCommand();
  const config = `--config=${ROOT.pathname}deno.json`;
  const programs = {
    muster: `exec ${quoted([command, ...args])} "$@"`,
    deno: `case "$1 $2" in
"task muster") shift 2; exec muster "$@" ;;
"task "*) cd '${ROOT.pathname}'; exec '${Deno.execPath()}' "$@" ;;
esac
words=()
for word in "$@"; do
  [ "$word" = mod.ts ] && words=("\${words[0]}" '${config}' "\${words[@]:1}") word='${ROOT.pathname}mod.ts'
  words+=("$word")
done
exec '${Deno.execPath()}' "\${words[@]}"`,
    npx: `[ "$1 $2" = "--yes deno@2.9.6" ] || exit 1
shift 2; exec deno "$@"`,
    curl: `curl='${await findProgram("curl")}'
[ "$1" = -N ] && exec "$curl" -fsS "$@"
"$curl" -fsS --max-time ${REQUEST_SECONDS} "$@"; code=$?; echo; exit $code`,
    // What shows a page to the user.
    open: `exec curl -o /dev/null -L "$1"`,
  };
  const isThere = await findProgram("sqlite3").then(() => true, () => false);
  const further = isThere ? {} : { sqlite3: SQLITE };
  for (const [name, script] of Object.entries({ ...programs, ...further })) {
    await Deno.writeTextFile(`${folder}/${name}`, `#!/usr/bin/env bash\n${script}\n`, { mode: 0o755 });
  }
}
