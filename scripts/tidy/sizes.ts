/**
 * Sizes that keep the sources readable. What is above a limit is a fault; what has a worst case kept in `ratchet.json` must
 * equal it, so that it can only fall.
 * @module
 */
import ratchet from "./ratchet.json" with { type: "json" };

const FOLDER_FILES_MAX = 22;
const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

const FUNCTION =
  /^(\s{0,2})(?:export )?(?:async )?(?:static )?(?:function |constructor\(|(?:async )?[#\w]+(?:<[^>]*>)?\()[^;]*\{$/;
const CLASS = /^(?:export )?(?:abstract )?class (\w+)/;
const METHOD = /^ {2}(?:static |async |override |\*)*(?:get |set )?#?\w+(?:<[^>]*>)?\(/;

/** Faults of all files together; sources by path. */
export function sizeFaults(sources: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const folders = new Map<string, number>();
  let worst = { methods: 0, name: "" };
  for (const [path, text] of sources) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
    const lines = text.split("\n");
    if (lines.length > FILE_LINES_MAX) faults.push(`${path}: ${lines.length} lines, more than ${FILE_LINES_MAX}`);
    faults.push(...longFunctions(path, lines));
    for (const [name, methods] of methodCounts(lines)) {
      if (methods > worst.methods) worst = { methods, name: `${name} in ${path}` };
    }
  }
  for (const [folder, files] of folders) {
    if (files > FOLDER_FILES_MAX) faults.push(`${folder}: ${files} files, more than ${FOLDER_FILES_MAX}`);
  }
  if (worst.methods !== ratchet.classMethods) {
    const advice = worst.methods < ratchet.classMethods ? ": lower the figure in scripts/tidy/ratchet.json" : "";
    faults.push(`${worst.name} has most methods, ${worst.methods}, not ${ratchet.classMethods}${advice}`);
  }
  return faults;
}

/** Functions and methods that stand at the margin or one level in. */
function longFunctions(path: string, lines: readonly string[]): string[] {
  const faults: string[] = [];
  let start = -1;
  let margin = "";
  lines.forEach((line, at) => {
    const opens = FUNCTION.exec(line);
    if (opens && start < 0) {
      start = at;
      margin = opens[1];
    } else if (start >= 0 && (line === `${margin}}` || line === `${margin}},`)) {
      const length = at - start + 1;
      if (length > FUNCTION_LINES_MAX) {
        faults.push(`${path}:${start + 1}: a function of ${length} lines, more than ${FUNCTION_LINES_MAX}`);
      }
      start = -1;
    }
  });
  return faults;
}

/** Methods of each class, accessors and constructor included. */
function methodCounts(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  let name: string | undefined;
  for (const line of lines) {
    name = CLASS.exec(line)?.[1] ?? name;
    if (line === "}") name = undefined;
    else if (name !== undefined && METHOD.test(line)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
