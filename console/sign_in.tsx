/**
 * Signing in, as a user of the auth file or with a token. What is entered is kept for as long as the tab is open.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { basicCredentials, credentials, useCredentials } from "./api.ts";
import { renewSession, session } from "./session.ts";
import { useStore } from "./store.ts";

/** The form. */
export function SignIn({ why, onDone }: { readonly why: string; readonly onDone?: () => void }): JSX.Element {
  const { signIn } = useStore(session);
  const [way, setWay] = useState(signIn[0] ?? "user");
  const [username, setUsername] = useState("");
  const [secret, setSecret] = useState("");
  const isWrong = why !== "" && Object.keys(useStore(credentials)).length > 0;
  const [fault, setFault] = useState("");
  const send = async (event: Event) => {
    event.preventDefault();
    setFault("");
    useCredentials(way === "user" ? basicCredentials(username, secret) : { "X-Consul-Token": secret });
    await renewSession();
    // Where everybody may see the page, who is not known is not refused.
    if (session.value.kind === "nobody") {
      useCredentials({});
      setFault("There is no such user, or it has another password");
    } else onDone?.();
  };
  return (
    <form class="sign-in" onSubmit={send}>
      {!onDone && <h1>Sign in</h1>}
      {(isWrong || fault !== "") && <p class="note error" role="alert">{fault || why}</p>}
      {signIn.length > 1 && (
        <div class="tabs" role="group" aria-label="How to sign in">
          {signIn.map((one) => (
            <button key={one} type="button" aria-pressed={one === way} onClick={() => setWay(one)}>
              {one === "user" ? "User" : "Token"}
            </button>
          ))}
        </div>
      )}
      {way === "user" && (
        <label>
          User
          <input
            name="username"
            autocomplete="username"
            required
            value={username}
            onInput={(event) => setUsername(event.currentTarget.value)}
          />
        </label>
      )}
      <label>
        {way === "user" ? "Password" : "Token"}
        <input
          name="secret"
          type="password"
          autocomplete={way === "user" ? "current-password" : "off"}
          required
          value={secret}
          onInput={(event) => setSecret(event.currentTarget.value)}
        />
      </label>
      <footer>
        {isWrong && <button type="button" onClick={() => useCredentials({})}>Go on without</button>}
        <button type="submit" class="primary">Sign in</button>
      </footer>
    </form>
  );
}
