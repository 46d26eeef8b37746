/**
 * Puts a picture of what is seen into a file, once nothing moves any more; small, as it is kept with the source.
 * @module
 */
import { picture, type Tab } from "../../tests/harness/browser.ts";
import { paletted } from "./palette_png.ts";

/** Movements that come to an end. */
const MOVEMENTS =
  `Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
  .map((one) => one.finished.catch(() => {})))`;

/** Takes it. */
export async function takePicture(tab: Pick<Tab, "page">, path: string): Promise<void> {
  await tab.page.evaluate(`${MOVEMENTS}.then(() => undefined)`);
  await picture(tab, path);
  await Deno.writeFile(path, paletted(await Deno.readFile(path)));
}
