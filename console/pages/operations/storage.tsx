/**
 * The log and the copies of the data: checkpoint, comparison of all nodes.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { cluster } from "../../cluster.ts";
import { fieldOf, numberOf, parseJson, textOf } from "../../json.ts";
import { Icon } from "../../parts/icon.tsx";
import { useStore } from "../../store.ts";
import { run } from "../../consul/run.ts";
import { TableHead } from "../../parts/table_head.tsx";

/** What a comparison has found. */
interface Verdict {
  readonly index: number | undefined;
  readonly isEqual: boolean;
  readonly isComplete: boolean;
  readonly digests: readonly (readonly [id: string, digest: string])[];
}

function verdictOf(data: unknown): Verdict {
  const nodes = fieldOf(data, "nodes");
  return {
    index: numberOf(fieldOf(data, "index")),
    isEqual: fieldOf(data, "equal") === true,
    isComplete: fieldOf(data, "complete") === true,
    digests: typeof nodes === "object" && nodes !== null
      ? Object.entries(nodes).map(([id, digest]) => [id, textOf(digest)] as const)
      : [],
  };
}

/** The part. */
export function StoragePart(): JSX.Element {
  const [verdict, setVerdict] = useState<Verdict | undefined>();
  const verify = async () => {
    const response = await run({
      title: "Compare all nodes?",
      text: "Every node reads its whole database and tells a digest of it, all at the same index of the log. " +
        "Writes go on; the disks are busy meanwhile.",
      action: "Compare",
      isSafe: true,
      method: "POST",
      path: "verify",
      done: "Compared",
    });
    if (response) setVerdict(verdictOf(parseJson(await response.text())));
  };
  const snapshot = () =>
    run({
      title: "Write a snapshot?",
      text: "This node makes what it has applied durable in the database's file, and cuts its log before that. " +
        "Nodes do so by themselves; nothing is lost.",
      action: "Write the snapshot",
      isSafe: true,
      method: "POST",
      path: "snapshot",
      done: "The snapshot is written",
    });
  const reap = () =>
    run({
      title: "Reap?",
      text: "rqlite removes old snapshots so. Here there is one, the database itself: nothing happens.",
      action: "Reap",
      isSafe: true,
      method: "POST",
      path: "reap",
      done: "Done: there was nothing to remove",
    });
  return (
    <section class="card" aria-labelledby="storage-title">
      <h2 id="storage-title">Log and copies</h2>
      <p>Compare what all nodes hold, or cut the log of this one now.</p>
      <div class="toolbar">
        <button type="button" onClick={verify}>
          <Icon name="check" /> Verify
        </button>
        <button type="button" onClick={snapshot}>Snapshot</button>
        <button type="button" onClick={reap}>Reap</button>
      </div>
      {verdict && <VerdictView verdict={verdict} />}
    </section>
  );
}

function VerdictView({ verdict: { index, isEqual, isComplete, digests } }: { readonly verdict: Verdict }): JSX.Element {
  const { picture } = useStore(cluster);
  const nameOf = (id: string) => picture?.nodes.find((one) => one.id === id)?.name ?? id;
  return (
    <div class="after">
      <p class={isEqual && isComplete ? "note good" : isEqual ? "note warning" : "note error"} role="status">
        {isEqual
          ? isComplete ? "All nodes hold the same" : "Those that answered hold the same; not all have answered"
          : "Nodes differ"}, at index {index ?? "–"}.
      </p>
      <table class="plain-table">
        <TableHead titles={["Node", "Digest"]} />
        <tbody>
          {digests.map(([id, digest]) => (
            <tr key={id}>
              <th scope="row">{nameOf(id)}</th>
              <td>
                <code class="digest">{digest || "no answer"}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
