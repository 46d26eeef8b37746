/**
 * The keys as a tree by their slashes; a folder is read when it is opened.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, askJson } from "../../api.ts";
import { pathOf } from "../../consul/kv.ts";
import { listOf, textOf } from "../../json.ts";
import { messageOf } from "../../parts/fault.ts";
import { Icon } from "../../parts/icon.tsx";
import { linkTo } from "../../router.ts";

/** Children of a folder that are drawn at once. */
const SHOWN_MAX = 500;

/** The place of a key or of a folder, which ends in a slash. */
export function placeOf(key: string): string {
  return key === "" ? linkTo("kv") : key.endsWith("/") ? linkTo("kv", "folder", key) : linkTo("kv", "key", key);
}

/** Folders and keys directly below a prefix. @throws {ApiError} */
export async function childrenOf(prefix: string): Promise<readonly string[]> {
  try {
    return listOf(await askJson(`${pathOf(prefix)}?keys&separator=/`)).map(textOf).filter((key) => key !== prefix);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

/** Folders and keys below a prefix. @param version Another one has it read again. */
export function Branch(
  { prefix, current, version }: { readonly prefix: string; readonly current: string; readonly version: number },
): JSX.Element {
  const [children, setChildren] = useState<readonly string[] | undefined>();
  const [fault, setFault] = useState("");
  useEffect(() => {
    let isHere = true;
    childrenOf(prefix).then(
      (found) => isHere && (setChildren(found), setFault("")),
      (error) => isHere && setFault(messageOf(error)),
    );
    return () => {
      isHere = false;
    };
  }, [prefix, version]);
  if (fault !== "") return <p class="fault">{fault}</p>;
  if (!children) return <p class="muted">Reading…</p>;
  return (
    <ul>
      {children.slice(0, SHOWN_MAX).map((key) => (
        <Child key={key} name={key} prefix={prefix} current={current} version={version} />
      ))}
      {children.length > SHOWN_MAX && <li class="muted">{children.length - SHOWN_MAX} more</li>}
    </ul>
  );
}

function Child(
  { name, prefix, current, version }: {
    readonly name: string;
    readonly prefix: string;
    readonly current: string;
    readonly version: number;
  },
): JSX.Element {
  const isFolder = name.endsWith("/");
  const isInside = isFolder && current.startsWith(name);
  const [isOpen, setOpen] = useState(isInside);
  useEffect(() => {
    if (isInside) setOpen(true);
  }, [isInside]);
  const short = name.slice(prefix.length);
  return (
    <li>
      <div class="branch">
        {isFolder
          ? (
            <button
              type="button"
              class="plain fold"
              aria-expanded={isOpen}
              aria-label={`${isOpen ? "Close" : "Open"} ${name}`}
              onClick={() => setOpen(!isOpen)}
            >
              <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span>
            </button>
          )
          : <span class="fold" />}
        <a href={placeOf(name)} aria-current={name === current ? "page" : undefined} title={name}>
          <Icon name={isFolder ? "folder" : "key"} />
          <bdi>{short}</bdi>
        </a>
      </div>
      {isFolder && isOpen && <Branch prefix={name} current={current} version={version} />}
    </li>
  );
}
