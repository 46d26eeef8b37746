/**
 * How servers are looked after.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { fieldOf, numberOf, textOf } from "../../json.ts";
import { tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { may } from "../../session.ts";
import { run } from "../../consul/run.ts";

const PATH = "v1/operator/autopilot/configuration";

/** The settings that do something here. */
interface Settings {
  readonly cleanupDeadServers: boolean;
  readonly lastContactThreshold: string;
  readonly maxTrailingLogs: number;
  readonly minQuorum: number;
}

function settingsOf(data: unknown): Settings {
  return {
    cleanupDeadServers: fieldOf(data, "CleanupDeadServers") === true,
    lastContactThreshold: textOf(fieldOf(data, "LastContactThreshold")),
    maxTrailingLogs: numberOf(fieldOf(data, "MaxTrailingLogs")) ?? 0,
    minQuorum: numberOf(fieldOf(data, "MinQuorum")) ?? 0,
  };
}

/** The part. */
export function AutopilotPart(): JSX.Element {
  const [kept, setKept] = useState<unknown>();
  const [settings, setSettings] = useState<Settings | undefined>();
  const [fault, setFault] = useState("");
  const renew = () =>
    askJson(PATH).then((found) => {
      setKept(found);
      setSettings(settingsOf(found));
      setFault("");
    }, (error) => setFault(messageOf(error)));
  useEffect(() => {
    renew();
  }, []);
  const save = async (event: Event) => {
    event.preventDefault();
    if (!settings) return;
    const { CreateIndex: _, ModifyIndex: __, ...others } = Object(kept);
    const response = await run({
      title: "Change how servers are looked after?",
      text: "The settings count for the whole cluster, at once.",
      action: "Save",
      isSafe: true,
      method: "PUT",
      path: `${PATH}?cas=${numberOf(fieldOf(kept, "ModifyIndex")) ?? 0}`,
      body: {
        ...others,
        CleanupDeadServers: settings.cleanupDeadServers,
        LastContactThreshold: settings.lastContactThreshold,
        MaxTrailingLogs: settings.maxTrailingLogs,
        MinQuorum: settings.minQuorum,
      },
      muster: [
        "operator",
        "autopilot",
        "set-config",
        `-cleanup-dead-servers=${settings.cleanupDeadServers}`,
        `-last-contact-threshold=${settings.lastContactThreshold}`,
        `-max-trailing-logs=${settings.maxTrailingLogs}`,
        `-min-quorum=${settings.minQuorum}`,
      ],
      done: "",
    });
    if (!response) return;
    if ((await response.text()).trim() === "true") tell("Saved");
    else tell("Not saved: somebody has changed them meanwhile, to what is shown now", { isError: true });
    renew();
  };
  return (
    <section class="card" aria-labelledby="autopilot-title">
      <h2 id="autopilot-title">Autopilot</h2>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      {settings && <Fields settings={settings} onChange={setSettings} onSave={save} />}
    </section>
  );
}

function Fields(
  { settings, onChange, onSave }: {
    readonly settings: Settings;
    readonly onChange: (settings: Settings) => void;
    readonly onSave: (event: Event) => void;
  },
): JSX.Element {
  const isFixed = !may("operator-write");
  return (
    <form class="form" onSubmit={onSave}>
      <label class="in-line">
        <input
          type="checkbox"
          disabled={isFixed}
          checked={settings.cleanupDeadServers}
          onChange={(event) => onChange({ ...settings, cleanupDeadServers: event.currentTarget.checked })}
        />
        Remove a failed server when another has taken its place
      </label>
      <div class="fields">
        <label>
          Heard within
          <input
            readOnly={isFixed}
            pattern="[0-9.]+(ms|s|m)"
            title="Such as 200ms"
            value={settings.lastContactThreshold}
            onInput={(event) => onChange({ ...settings, lastContactThreshold: event.currentTarget.value })}
          />
        </label>
        <label>
          Entries behind
          <input
            type="number"
            min={0}
            readOnly={isFixed}
            value={settings.maxTrailingLogs}
            onInput={(event) => onChange({ ...settings, maxTrailingLogs: event.currentTarget.valueAsNumber || 0 })}
          />
        </label>
        <label>
          Servers left at least
          <input
            type="number"
            min={0}
            readOnly={isFixed}
            value={settings.minQuorum}
            onInput={(event) => onChange({ ...settings, minQuorum: event.currentTarget.valueAsNumber || 0 })}
          />
        </label>
      </div>
      {!isFixed && (
        <footer>
          <button type="submit">Save</button>
        </footer>
      )}
    </form>
  );
}
