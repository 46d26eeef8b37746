/**
 * Chooses the datacenter that the pages of Consul's API show, where there is more than one.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../api.ts";
import { listOf, textOf } from "../json.ts";
import { session } from "../session.ts";
import { useStore } from "../store.ts";
import { datacenter } from "./datacenter.ts";

/** Datacenters come and go seldom. */
const LOOK_MS = 15_000;

/** The names of all datacenters, the nearest first; none while they are not known. */
function useDatacenters(): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    let isHere = true;
    const look = () =>
      !document.hidden && askJson("v1/catalog/datacenters").then(
        (found) => isHere && setNames(listOf(found).map(textOf)),
        () => {}, // those that are known stay
      );
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      isHere = false;
      clearInterval(timer);
    };
  }, []);
  return names;
}

/** The chooser; nothing where there is one datacenter. */
export function DatacenterChooser(): JSX.Element | null {
  const names = useDatacenters();
  const chosen = useStore(datacenter);
  const { datacenter: own } = useStore(session);
  // One that is gone stays to be seen while it is chosen.
  const all = [...new Set([own, ...names, ...(chosen === "" ? [] : [chosen])])];
  if (all.length < 2) return null;
  return (
    <label class="datacenter">
      <span class="datacenter-title">Datacenter</span>
      <select
        aria-label="Datacenter"
        value={chosen || own}
        onChange={({ currentTarget: { value } }) => datacenter.value = value === own ? "" : value}
      >
        {all.map((name) => <option key={name} value={name}>{name}{name === own ? " (here)" : ""}</option>)}
      </select>
    </label>
  );
}
