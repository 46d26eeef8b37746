/**
 * Keys of the gossip: all members have a new one before it is used, and an old one goes when nobody uses it any more.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { fieldOf, listOf, numberOf, textOf } from "../../json.ts";
import { CopyButton } from "../../parts/commands.tsx";
import { messageOf } from "../../parts/fault.ts";
import { run } from "../../consul/run.ts";

const PATH = "v1/operator/keyring";
const KEY_BYTES = 32;

/** The keys of a pool. */
interface Ring {
  readonly name: string;
  readonly members: number;
  readonly keys: readonly { readonly key: string; readonly members: number; readonly isUsed: boolean }[];
}

function ringOf(data: unknown): Ring {
  const used = Object.keys(Object(fieldOf(data, "PrimaryKeys")));
  return {
    name: fieldOf(data, "WAN") === true ? "all datacenters" : textOf(fieldOf(data, "Datacenter")),
    members: numberOf(fieldOf(data, "NumNodes")) ?? 0,
    keys: Object.entries(Object(fieldOf(data, "Keys"))).map(([key, members]) => ({
      key,
      members: numberOf(members) ?? 0,
      isUsed: used.includes(key),
    })),
  };
}

/** The part. */
export function KeyringPart(): JSX.Element {
  const [rings, setRings] = useState<readonly Ring[]>([]);
  const [fault, setFault] = useState("");
  const renew = () =>
    askJson(PATH).then((found) => {
      setRings(listOf(found).map(ringOf));
      setFault("");
    }, (error) => setFault(messageOf(error)));
  useEffect(() => {
    renew();
  }, []);
  const change = async (way: "install" | "use" | "remove", key: string) => {
    const { method, text, action } = WAYS[way];
    await run({
      title: `${action}?`,
      text,
      action,
      isSafe: way === "install",
      method,
      path: PATH,
      body: { Key: key },
      muster: ["keyring", `-${way}=${key}`],
      done: "All members have done it",
    });
    renew();
  };
  const isOff = fault.includes("encryption not enabled");
  return (
    <section class="card" aria-labelledby="keyring-title">
      <h2 id="keyring-title">Keys of the gossip</h2>
      {isOff
        ? (
          <p class="muted">
            The gossip of this pool is not encrypted. A key is given to all agents by <code>-encrypt</code>.
          </p>
        )
        : fault !== ""
        ? <p class="note error" role="alert">{fault}</p>
        : <p>A new key is installed, then used; then the old one is removed.</p>}
      {rings.map((ring) => (
        <ul key={ring.name} class="key-list" aria-label={`Keys of ${ring.name}`}>
          {ring.keys.map(({ key, members, isUsed }) => (
            <li key={key} class="toolbar">
              <code title={ring.name}>{key.slice(0, 8)}…</code>
              <span class="muted">{ring.name}, {members} of {ring.members} members{isUsed && ", in use"}</span>
              <span class="spacer" />
              <CopyButton text={key} />
              {!isUsed && <button type="button" onClick={() => change("use", key)}>Use</button>}
              {!isUsed && <button type="button" class="danger" onClick={() => change("remove", key)}>Remove</button>}
            </li>
          ))}
        </ul>
      ))}
      {fault === "" && <InstallForm onInstall={(key) => change("install", key)} />}
    </section>
  );
}

function InstallForm({ onInstall }: { readonly onInstall: (key: string) => void }): JSX.Element {
  const [entered, setEntered] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    onInstall(entered);
  };
  return (
    <form class="toolbar after" onSubmit={send}>
      <input
        class="grows"
        required
        spellcheck={false}
        autocomplete="off"
        aria-label="New key"
        placeholder="New key, in base64"
        value={entered}
        onInput={(event) => setEntered(event.currentTarget.value)}
      />
      <button type="button" onClick={() => setEntered(newKey())}>Make one</button>
      <button type="submit">Install</button>
    </form>
  );
}

const WAYS = {
  install: {
    method: "POST",
    text:
      "Every member gets the key, and understands messages that are encrypted with it. Messages are still sent with the key in use.",
    action: "Install the key",
  },
  use: {
    method: "PUT",
    text: "Every member sends with this key from now on. Members that do not have it understand nothing any more.",
    action: "Use the key",
  },
  remove: {
    method: "DELETE",
    text:
      "No member understands messages with this key any more. A member that was away meanwhile cannot come back with it.",
    action: "Remove the key",
  },
} as const;

function newKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(KEY_BYTES))));
}
