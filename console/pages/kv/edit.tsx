/**
 * A form that changes a key by compare-and-set: what somebody else has written meanwhile is shown, and not overwritten unseen.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../../api.ts";
import { type Entry, readKey, writeKey } from "../../consul/kv.ts";
import { bytesOfDraft, draftOf, textOfBytes } from "../../consul/kv_value.ts";
import { tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { TextField } from "../../parts/text_field.tsx";

function ttlOf({ expiresMs }: Entry): string {
  return expiresMs === undefined ? "" : `${Math.max(1, Math.round((expiresMs - Date.now()) / 1000))}s`;
}

/** The form. @param entry What the key is now: what it was when the form was opened counts for the write. */
export function KeyForm({ entry, onDone }: { readonly entry: Entry; readonly onDone: () => void }): JSX.Element {
  const [base, setBase] = useState(entry);
  const isHex = textOfBytes(base.value) === undefined;
  const [draft, setDraft] = useState(draftOf(base.value));
  const [flags, setFlags] = useState(base.flags);
  const [ttl, setTtl] = useState(ttlOf(base));
  const [fault, setFault] = useState("");
  const [theirs, setTheirs] = useState<Entry | undefined>();
  const bytes = bytesOfDraft(draft, base.value);
  const write = async (cas: number) => {
    if (!bytes) return;
    setFault("");
    try {
      if (await writeKey(base.key, bytes, { cas, flags, ttl })) {
        tell("Saved");
        return onDone();
      }
      setTheirs(await readKey(base.key));
    } catch (error) {
      setFault(
        error instanceof ApiError && error.status === 404
          ? "Not saved: somebody has deleted the key meanwhile. Create it again from its folder"
          : messageOf(error),
      );
    }
  };
  const take = (found: Entry) => {
    setBase(found);
    setDraft(draftOf(found.value));
    setFlags(found.flags);
    setTheirs(undefined);
  };
  return (
    <form
      class="form card"
      onSubmit={(event) => {
        event.preventDefault();
        write(base.modifyIndex);
      }}
    >
      <ValueField isHex={isHex} draft={draft} onInput={setDraft} />
      <div class="toolbar">
        <TextField label="Flags" pattern="[0-9]{1,20}" value={flags} onInput={setFlags} />
        <TextField
          label="Time to live"
          placeholder="for good"
          pattern="[0-9.]+(ms|s|m|h)"
          title="Such as 30s, 10m, 24h"
          value={ttl}
          onInput={setTtl}
        />
      </div>
      {theirs && (
        <Conflict
          yours={draft}
          theirs={draftOf(theirs.value)}
          onTake={() => take(theirs)}
          onWrite={() => write(theirs.modifyIndex)}
        />
      )}
      <Notes isWrong={!bytes} fault={fault} isBehind={!theirs && entry.modifyIndex > base.modifyIndex} />
      <footer>
        <button type="button" onClick={onDone}>Cancel</button>
        <button type="submit" class="primary" disabled={!bytes || theirs !== undefined}>Save</button>
      </footer>
    </form>
  );
}

function ValueField(
  { isHex, draft, onInput }: {
    readonly isHex: boolean;
    readonly draft: string;
    readonly onInput: (text: string) => void;
  },
): JSX.Element {
  return (
    <label>
      {isHex ? "Value, in hexadecimal" : "Value"}
      <textarea
        rows={Math.min(24, Math.max(6, draft.split("\n").length + 1))}
        dir="auto"
        spellcheck={false}
        value={draft}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

function Notes(
  { isWrong, fault, isBehind }: { readonly isWrong: boolean; readonly fault: string; readonly isBehind: boolean },
): JSX.Element {
  return (
    <>
      {isWrong && <p class="note error" role="alert">These are no hexadecimal digits</p>}
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      {isBehind && (
        <p class="note warning" role="status">
          Somebody has changed this key since you began: saving shows both texts.
        </p>
      )}
    </>
  );
}

/** Both texts, where somebody else was faster. */
function Conflict(
  { yours, theirs, onTake, onWrite }: {
    readonly yours: string;
    readonly theirs: string;
    readonly onTake: () => void;
    readonly onWrite: () => void;
  },
): JSX.Element {
  return (
    <section class="conflict" role="alert" aria-label="Conflict">
      <p class="note warning">Not saved: somebody has changed this key since you began.</p>
      <div class="both">
        {([["Yours", yours], ["In the cluster now", theirs]] as const).map(([title, text]) => (
          <div key={title}>
            <h3>{title}</h3>
            <pre class="code" dir="auto" tabIndex={0} aria-label={title}>{text}</pre>
          </div>
        ))}
      </div>
      <div class="toolbar">
        <button type="button" onClick={onTake}>Go on with theirs</button>
        <button type="button" class="danger" onClick={onWrite}>Overwrite theirs with yours</button>
      </div>
    </section>
  );
}
