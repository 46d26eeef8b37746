/** The metrics that expressions of PromQL name, and the places where muster's expressions are. */

const DEPLOY = new URL("../../../scripts/deploy/", import.meta.url);
/** The alert rules. */
export const RULES_FILE: string = new URL("prometheus-rules.yml", DEPLOY).pathname;

/** Names of metrics in an expression, without what a histogram adds to its own. */
export function metricsIn(expression: string): string[] {
  const names = expression.match(/\b(?:muster|process|consul)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, "_seconds"));
}

/** Expressions of the alert rules by the name of the alert. */
export async function ruleExpressions(): Promise<readonly (readonly [string, string])[]> {
  const text = await Deno.readTextFile(RULES_FILE);
  const found = [...text.matchAll(/- alert: (\w+)\n\s+expr: (["'])(.+)\2\n/g)];
  return found.map(([, alert, quote, expression]) =>
    [alert, quote === '"' ? JSON.parse(`"${expression}"`) : expression] as const
  );
}

/** One panel of the dashboard. */
interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** Expressions of the dashboard with its variables filled in, each with the title of its panel. */
export async function dashboardExpressions(): Promise<readonly (readonly [string, string])[]> {
  const { panels }: { panels: readonly Panel[] } = JSON.parse(
    await Deno.readTextFile(new URL("grafana-dashboard.json", DEPLOY)),
  );
  const filled = (expression: string) =>
    expression.replaceAll(/\$(?:job|instance)/g, ".+").replaceAll("$__rate_interval", "1m");
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, filled(expr)] as const));
}
