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
  const send = (event: Event) => {
    event.preventDefault();
    useCredentials(way === "user" ? basicCredentials(username, secret) : { "X-Consul-Token": secret });
    renewSession();
    onDone?.();
  };
  return (
    <form class="sign-in" onSubmit={send}>
      {!onDone && <h1>Sign in</h1>}
      {isWrong && <p class="note error" role="alert">{why}</p>}
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
        <button type="submit" class="primary">Sign in</button>
      </footer>
    </form>
  );
}
