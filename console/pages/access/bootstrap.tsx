/**
 * The first token of a cluster that has none.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { askJson, useCredentials } from "../../api.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { fieldOf, textOf } from "../../json.ts";
import { confirmed, Dialog } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { Secret } from "./secret.tsx";

/** A button that makes it. The node refuses where there is one already. */
export function Bootstrap(): JSX.Element {
  const [secret, setSecret] = useState("");
  const [fault, setFault] = useState("");
  const make = async () => {
    const isSure = await confirmed({
      title: "Make the first token?",
      text: "It may do everything. That works once in a cluster, and not again after somebody has done it.",
      action: "Make the first token",
      isSafe: true,
      commands: [curlOf("PUT", "v1/acl/bootstrap"), musterOf("acl", "bootstrap")],
    });
    if (!isSure) return;
    try {
      setSecret(textOf(fieldOf(await askJson("v1/acl/bootstrap", { method: "PUT" }), "SecretID")));
      setFault("");
    } catch (error) {
      setFault(messageOf(error));
    }
  };
  return (
    <div class="bootstrap">
      <p class="muted">Has nobody a token yet?</p>
      <button type="button" onClick={make}>Make the first token</button>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      {secret !== "" && (
        <Dialog title="The first token" onClose={() => setSecret("")}>
          <p>It may do everything. Keep its secret where you keep passwords.</p>
          <Secret secret={secret} />
          <footer>
            <button type="button" class="primary" onClick={() => useCredentials({ "X-Consul-Token": secret })}>
              Sign in with it
            </button>
          </footer>
        </Dialog>
      )}
    </div>
  );
}
