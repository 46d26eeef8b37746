/**
 * Delivered changes of rows: whether they are all that happened, each at least once, in the order of the commits, and nothing
 * else. Pure.
 *
 * Beginning with empty tables, each change is done to a model: what it says was there before must be there. In the end the
 * model must hold what the database holds. So a change that is missing, invented or out of its order shows, sooner or
 * later. A change that comes again, with an index that was there, is passed over.
 * @module
 */

/** An event of a table with the key `k` and the value `v`. */
export interface RowEvent {
  readonly op?: string;
  readonly table?: string;
  readonly before?: Readonly<Record<string, unknown>>;
  readonly after?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** An entry of the log of changes. */
export interface RowChange {
  readonly index: number;
  readonly events: readonly RowEvent[];
}

/** Rows by table, each as its key and its value. */
export type Tables = Readonly<Record<string, readonly (readonly unknown[])[]>>;

/** Verdict on changes. */
export interface ChangesResult {
  /** Entries, each once. */
  readonly entries: number;
  /** Entries that came again. */
  readonly again: number;
  readonly faults: readonly string[];
}

/** Checks changes, in the order in which they came, against the tables in the end. */
export function checkChanges(changes: readonly RowChange[], tables: Tables): ChangesResult {
  const faults: string[] = [];
  const seen = new Set<number>();
  const models = new Map(Object.keys(tables).map((table) => [table, new Map<string, string>()]));
  let last = 0;
  let again = 0;
  for (const { index, events } of changes) {
    if (seen.has(index)) {
      again++;
      continue;
    }
    seen.add(index);
    if (index < last) faults.push(`index ${index} came behind ${last}`);
    last = Math.max(last, index);
    for (const event of events) {
      const fault = event.error ?? (event.table === undefined ? "an event of no table" : undefined);
      const model = models.get(event.table ?? "");
      const wrong = fault ?? (model && done(event, model));
      if (wrong !== undefined) faults.push(`index ${index}: ${wrong}`);
    }
  }
  for (const [table, model] of models) {
    const wanted = JSON.stringify(tables[table].map(([k, v]) => [String(k), String(v)]).sort());
    const found = JSON.stringify([...model].sort());
    if (wanted !== found) {
      faults.push(`${table}: the changes make ${found.slice(0, 200)}, there is ${wanted.slice(0, 200)}`);
    }
  }
  return { entries: seen.size, again, faults };
}

/** Does an event to a model; says what is wrong with it. */
function done({ op, before, after }: RowEvent, model: Map<string, string>): string | undefined {
  if (before) {
    const [key, value] = [String(before.k), String(before.v)];
    if (model.get(key) !== value) return `${op} of ${key}: ${value} before, and there was ${model.get(key)}`;
    model.delete(key);
  }
  if (after) {
    const key = String(after.k);
    if (model.has(key)) return `${op} of ${key}, which was there`;
    model.set(key, String(after.v));
  }
  return undefined;
}
