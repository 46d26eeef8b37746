/**
 * A real browser for tests: Debian's Chromium, driven by playwright-core. One is started for a file, and each test has a page of
 * its own in a fresh profile. What the page reports, above all a breach of its Content-Security-Policy, is an error of the test.
 * @module
 */
import { type Browser, type BrowserContextOptions, chromium, type Page } from "npm:playwright-core@1.65.1";

const CHROMIUM = "/usr/bin/chromium";
/** As root there is no sandbox of its own, and the tests run in a container. */
const FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio"];

/** Whether a test may leave out what needs a browser: it is not installed, and this is not CI. */
export function lacksBrowser(): boolean {
  if (Deno.env.has("CI")) return false;
  try {
    Deno.statSync(CHROMIUM);
    return false;
  } catch {
    console.error(`!!! ${CHROMIUM} is not there: the console is NOT tested (Debian: apt-get install chromium)`);
    return true;
  }
}

/** A page, and what it has reported. */
export interface Tab {
  readonly page: Page;
  /** Errors of scripts and of the policy. */
  readonly faults: string[];
  /** Addresses that it has asked for. */
  readonly asked: string[];
}

/** A running browser. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts one. */
  static async start(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }));
  }

  /** Opens an address in a fresh profile. */
  async open(address: string, options: BrowserContextOptions = {}): Promise<Tab> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const tab: Tab = { page, faults: [], asked: [] };
    page.on("pageerror", (error) => tab.faults.push(`script: ${error.message}`));
    page.on("console", (message) => {
      // A node that is stopped, and a request that is refused, are reported by the browser itself.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        tab.faults.push(message.text());
      }
    });
    page.on("request", (request) => tab.asked.push(request.url()));
    await page.goto(address);
    return tab;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** Puts a picture of what is seen into a file; without the style that would hide the caret, which the policy forbids. */
export async function picture({ page }: Pick<Tab, "page">, path: string): Promise<void> {
  await page.screenshot({ path, caret: "initial" });
}
