/**
 * The blocks of commands that no test runs, each with the reason.
 * @module
 */

/** A block, by its page and the beginning of its text. */
export interface Exception {
  readonly page: string;
  readonly start: string;
  readonly reason: string;
}

const INSTALLS = "installs into the system, as root";
const REGISTRY = "needs a registry of packages";
const MINUTES = "runs for minutes, or hours";
const SOURCES = "changes files of the sources";

export const EXCEPTIONS: readonly Exception[] = [
  { page: "docs/benchmark.md", start: "deno task bench", reason: MINUTES },
  { page: "docs/scale.md", start: "deno task bench --scale", reason: MINUTES },
  {
    page: "docs/consul.md",
    start: "muster agent -server -bootstrap-expect=3 -data-dir=data -retry-join='provider=k8s",
    reason: "needs pods of Kubernetes; tests/agent/providers_test.ts has a stand-in for its API",
  },
  { page: "docs/consul.md", start: "kubectl create role", reason: "needs a cluster of Kubernetes" },
  { page: "docs/development.md", start: "deno task test\n", reason: "runs the tests themselves" },
  { page: "docs/development.md", start: "deno task test:unit", reason: "runs the tests themselves" },
  { page: "docs/development.md", start: "deno task console", reason: `${SOURCES}; needs a browser` },
  { page: "docs/extensions.md", start: "npm pack", reason: REGISTRY },
  {
    page: "docs/install.md",
    start: "deno task compile\nsudo install",
    reason: `${INSTALLS}; tests/cluster/binary_test.ts compiles`,
  },
  {
    page: "docs/install.md",
    start: "deno task package:deb",
    reason: `${INSTALLS}; tests/deploy/deb_test.ts unpacks the package`,
  },
  { page: "docs/install.md", start: "sudo systemctl", reason: "needs systemd, and root" },
  {
    page: "docs/install.md",
    start: "deno task package:npm",
    reason: `${REGISTRY}; tests/deploy/npm_test.ts installs the packages`,
  },
  { page: "docs/install.md", start: "deno task compile\ndocker build", reason: "needs Docker" },
  { page: "docs/install.md", start: "helm install", reason: "needs Helm, and a cluster of Kubernetes" },
  { page: "docs/install.md", start: "deno task release", reason: `${MINUTES}; tests/deploy/release_test.ts makes one` },
  { page: "docs/sqlite-library.md", start: "deno task sqlite-library --check", reason: `${REGISTRY}; ${MINUTES}` },
  {
    page: "docs/sqlite-library.md",
    start: "deno task sqlite-library --source",
    reason: "needs the sources of another SQLite",
  },
];
