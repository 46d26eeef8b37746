/**
 * Keys and values: a tree, folders, and single keys, which are read before they are changed.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { LiveSign, useKvChanges } from "../../consul/kv_watch.tsx";
import type { PageProps } from "../../pages.ts";
import { Icon } from "../../parts/icon.tsx";
import { linkTo } from "../../router.ts";
import { FolderPart } from "./folder.tsx";
import { KeyPart } from "./key.tsx";
import { Branch } from "./tree.tsx";

/** The page. */
export function KvPage({ rest: [part = "", name = ""] }: PageProps): JSX.Element {
  const [own, setOwn] = useState(0);
  const renew = () => setOwn((one) => one + 1);
  const changes = useKvChanges();
  const version = own + changes.version;
  return (
    <div class="data-page">
      <nav class="card table-list key-tree" aria-label="Keys">
        <div class="toolbar">
          <a href={linkTo("kv")} aria-current={part === "" ? "page" : undefined}>
            <Icon name="tree" /> <span>All keys</span>
          </a>
          <LiveSign changes={changes} />
        </div>
        <Branch prefix="" current={name} version={version} />
      </nav>
      <div class="data-main">
        {part === "key"
          ? <KeyPart key={name} name={name} onChanged={renew} />
          : <FolderPart key={name} prefix={part === "folder" ? name : ""} version={version} onChanged={renew} />}
      </div>
    </div>
  );
}
