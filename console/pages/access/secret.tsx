/**
 * The secret of a token, which the cluster tells once.
 * @module
 */
import type { JSX } from "preact";
import { CopyButton } from "../../parts/commands.tsx";

/** The secret, with what to do with it. */
export function Secret({ secret }: { readonly secret: string }): JSX.Element {
  return (
    <>
      <p class="note warning">The cluster keeps no copy: this secret is not shown again.</p>
      <pre class="code secret" tabIndex={0} aria-label="Secret">{secret}</pre>
      <CopyButton text={secret} label="Copy the secret" />
    </>
  );
}
