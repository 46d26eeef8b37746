/**
 * Asking another node. The page may speak to the node that serves it alone, and a node answers reads from its own data or the
 * leader's: so the statement is handed over to the console of the other node, where it is run by a click.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { cluster, type ClusterNode } from "../cluster.ts";
import { Icon } from "../parts/icon.tsx";
import { draft } from "../sql_run.ts";
import { useStore } from "../store.ts";

/** A longer statement stays here: browsers and proxies have limits for addresses. */
const TEXT_MAX = 8000;

/** The address of the page SQL at another node, with a statement for its editor. */
export function addressAt(apiUrl: string, text: string): string {
  const query = text.trim() === "" || text.length > TEXT_MAX ? "" : `&q=${encodeURIComponent(text)}`;
  return `${apiUrl}/console/#/sql?level=none${query}`;
}

/** A menu of the other nodes. */
export function AskNode(): JSX.Element | null {
  const { picture } = useStore(cluster);
  const text = useStore(draft);
  const menu = useRef<HTMLDetailsElement>(null);
  const close = () => menu.current?.removeAttribute("open");
  useEffect(() => {
    const onClick = ({ target }: Event) => {
      if (!(target instanceof Node && menu.current?.contains(target))) close();
    };
    const onKey = ({ key }: KeyboardEvent) => key === "Escape" && close();
    addEventListener("click", onClick);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("click", onClick);
      removeEventListener("keydown", onKey);
    };
  }, []);
  const others = (picture?.nodes ?? []).filter(({ id, apiUrl, health }) =>
    id !== picture?.askedId && apiUrl !== "" && health !== "unreachable"
  );
  if (others.length === 0) return null;
  return (
    <details class="drop-down" ref={menu}>
      <summary title="Open the statement in the console of another node">Another node</summary>
      <div class="card">
        <p class="muted">
          The statement opens in the console of that node, at level none: it reads the node's own data.
        </p>
        <ul class="links">
          {others.map((node) => (
            <li key={node.id}>
              <NodeLink node={node} text={text} onClick={close} />
            </li>
          ))}
        </ul>
      </div>
    </details>
  );
}

function NodeLink(
  { node: { name, role, apiUrl }, text, onClick }: {
    readonly node: ClusterNode;
    readonly text: string;
    readonly onClick: () => void;
  },
): JSX.Element {
  return (
    <>
      <a href={addressAt(apiUrl, text)} target="_blank" rel="noreferrer" onClick={onClick}>
        <Icon name="link" /> Ask <bdi>{name}</bdi>
      </a>
      <span class="muted">{role}</span>
    </>
  );
}
